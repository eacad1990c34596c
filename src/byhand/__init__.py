"""byhand: an LSTM you can see through, and change."""

import importlib
from typing import TYPE_CHECKING, Any

from byhand import cells
from byhand.cells import Cell
from byhand.convert import convert
from byhand.edits import at, edit
from byhand.engine.dispatch import use_engine
from byhand.engines import engines
from byhand.finite import check_finite
from byhand.nn import LSTM, LSTMCell
from byhand.record import record
from byhand.saving.model_folder import LoadError
from byhand.trace import Trace

if TYPE_CHECKING:
    from byhand import explain, plots
    from byhand.explorer import explore

__all__ = [
    "LSTM",
    "Cell",
    "LSTMCell",
    "LoadError",
    "Trace",
    "at",
    "cells",
    "check_finite",
    "convert",
    "edit",
    "engines",
    "explain",
    "explore",
    "plots",
    "record",
    "use_engine",
]


def __getattr__(name: str) -> Any:
    """What few need at once is loaded when it is first asked for: analysis, pictures, the explorer."""
    if name in ("explain", "plots"):
        return importlib.import_module(f"byhand.{name}")
    if name == "explore":
        return importlib.import_module("byhand.explorer").explore
    raise AttributeError(f"module 'byhand' has no attribute {name!r}")
