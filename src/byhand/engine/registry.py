"""Cells by name: all that a compiled or exported model knows of them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from byhand import cells

if TYPE_CHECKING:
    from byhand.cells import Cell

_named: weakref.WeakValueDictionary[str, Cell] = weakref.WeakValueDictionary()


def register(cell: Cell) -> None:
    """Let compiled models know the cell; of two with one name, the first."""
    _named.setdefault(cell.name, cell)


def registered(name: str) -> Cell | None:
    """The cell that was registered under this name."""
    return _named.get(name)


def named(name: str) -> Cell:
    """The cell of that name. LookupError."""
    found = _named.get(name) or getattr(cells, name, None)
    if not isinstance(found, cells.Cell):
        raise LookupError(
            f"a compiled model asks for cell {name!r}, which this process does not know: make a byhand.LSTM with it first"
        )
    return found
