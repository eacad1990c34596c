"""byhand: an LSTM you can see through, and change."""

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
    "record",
    "use_engine",
]
