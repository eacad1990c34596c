"""Cells of one's own, as module:name: the one place where a name has a module imported. Only for names that the user has typed."""

from __future__ import annotations

import importlib

from byhand.cells import Cell


def find_own(name: str) -> Cell | None:
    """Return the cell that is called so in its module, which is imported; None if there is none. ValueError if the module fails."""
    module, _, attribute = name.partition(":")
    if not attribute:
        return None
    try:
        cell = getattr(importlib.import_module(module), attribute, None)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a module of anybody's raises)
        raised = f"{type(error).__name__}: {error}"
        raise ValueError(f"cell {name!r}: expected a module that can be imported, got {raised}") from None
    return cell if isinstance(cell, Cell) else None
