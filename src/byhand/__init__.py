"""byhand: an LSTM you can see through, and change."""

import importlib
from typing import TYPE_CHECKING, Any

from byhand.files.imports import uncollected

with uncollected():  # of torch
    from byhand import cells
    from byhand.cells import Cell
    from byhand.engine.dispatch import use_engine
    from byhand.errors import LoadError
    from byhand.interop.flax_writer import to_flax
    from byhand.interop.keras_writer import to_keras
    from byhand.interop.load import load_weights
    from byhand.interop.state_dict import to_state_dict
    from byhand.interop.torch import convert
    from byhand.interop.torch_layers import TorchLSTM
    from byhand.nn import LSTM, LSTMCell
    from byhand.nn.engines import engines
    from byhand.nn.frozen import frozen
    from byhand.trace import Trace
    from byhand.trace.edit import at, edit
    from byhand.trace.finite import check_finite
    from byhand.trace.record import record

if TYPE_CHECKING:
    from byhand import explain, plots, zoo
    from byhand.explorer import explore
    from byhand.interop.c_export import export_c
    from byhand.interop.certify import certify
    from byhand.interop.onnx_export import export_onnx
    from byhand.interop.onnx_in.model import open_onnx

    __version__: str

__all__ = [
    "LSTM",
    "Cell",
    "LSTMCell",
    "LoadError",
    "TorchLSTM",
    "Trace",
    "at",
    "cells",
    "certify",
    "check_finite",
    "convert",
    "edit",
    "engines",
    "explain",
    "explore",
    "export_c",
    "export_onnx",
    "frozen",
    "load_weights",
    "open_onnx",
    "plots",
    "record",
    "to_flax",
    "to_keras",
    "to_state_dict",
    "use_engine",
    "zoo",
]


LATER = {  # what not every program needs, and where it is
    "explore": "byhand.explorer",
    "certify": "byhand.interop.certify",
    "export_c": "byhand.interop.c_export",
    "export_onnx": "byhand.interop.onnx_export",
    "open_onnx": "byhand.interop.onnx_in.model",
}


def __getattr__(name: str) -> Any:
    """Load on first use: analysis, pictures, the zoo, the explorer, readers and writers of other formats, the version."""
    if name in ("explain", "plots", "zoo"):
        return importlib.import_module(f"byhand.{name}")
    if name in LATER:
        return getattr(importlib.import_module(LATER[name]), name)
    if name == "__version__":
        return importlib.import_module("byhand.doctor").version()
    raise AttributeError(f"module 'byhand' has no attribute {name!r}")
