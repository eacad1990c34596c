"""Cells by name, as configurations and checkpoints give them."""

from __future__ import annotations

import importlib

from byhand.cells import Cell
from byhand.saving import cell_names


def choose(name: str) -> Cell:
    """One of byhand.cells or made of them, as Python would write it, or module:name for one of your own. ValueError if there is none."""
    cell = cell_names.read(name)
    if cell is not None:
        return cell
    module, _, attribute = name.partition(":")
    if attribute:
        try:
            cell = getattr(importlib.import_module(module), attribute, None)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a module of anybody's raises)
            told = f"{type(error).__name__}: {error}"
            raise ValueError(f"cell {name!r}: expected a module that can be imported, got {told}") from None
        if isinstance(cell, Cell):
            return cell
    known, makers = ", ".join(cell_names.VALUES), ", ".join(cell_names.FUNCTIONS)
    raise ValueError(
        f"expected a cell out of {known}; or one made by {makers}, such as no_input_gate(lstm) or zoneout(lstm, h=0.05, c=0.2); or"
        f" module:name of your own; got {name!r}"
    )
