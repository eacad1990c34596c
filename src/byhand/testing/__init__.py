"""Checks for cells and engines of your own."""

from byhand.errors import CellError, EngineError
from byhand.testing.check_cell import check_cell, check_promise, promises
from byhand.testing.check_engine import check_engine

__all__ = ["CellError", "EngineError", "check_cell", "check_engine", "check_promise", "promises"]
