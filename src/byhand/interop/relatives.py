"""Recurrent layers of libraries that are built on torch, which are no subclasses of torch's; known by name and package, none is imported.

Opacus, torchrl (whose own LSTM is written in Python), ncps, torchrecurrent, neuralhydrology and xlstm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn

from byhand import cells
from byhand.cells import Cell
from byhand.interop import other_layouts, xlstm
from byhand.interop.attributes import attributes
from byhand.interop.stacks import layer_of
from byhand.interop.torch_names import layer_of_state
from byhand.interop.weights import Layout, read
from byhand.nn import LSTM

ONLY_PEEPHOLE = "of torchrecurrent's layers byhand has the cell of PeepholeLSTM alone"
MIXED = "its states follow differential equations; an LSTM inside is fed with those: to read that alone, give model.lstm"


class Relative(NamedTuple):
    """A class of a library. load: reads it; None where it cannot be read, for the reason given."""

    package: str
    name: str
    load: Callable[[Any], LSTM] | None
    reason: str = ""


def relative_of(module: nn.Module) -> Relative | None:
    """The class that a module is of or derived from; None if it is none of them."""
    kinds = [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(module).__mro__]
    return next((one for one in RELATIVES if (one.package, one.name) in kinds), None)


def load(module: nn.Module, relative: Relative) -> LSTM:
    """The layer of a module of that class, with its batch_first and dropout. ValueError, with the reason, where there is none."""
    if relative.load is None:
        raise ValueError(f"{relative.package}.{relative.name} cannot be carried over exactly: {relative.reason}")
    layer = relative.load(module)
    layer.batch_first = bool(getattr(module, "batch_first", layer.batch_first))
    layer.dropout = float(getattr(module, "dropout", 0.0))
    return layer


def with_torchs_names(cell: Cell) -> Callable[[Any], LSTM]:
    """A reader of a class that names its parameters as torch does, and computes what torch's does."""

    def read_names(module: Any) -> LSTM:
        function = getattr(module, "nonlinearity", "tanh")
        own = {name: value.detach() for name, value in module.state_dict().items() if "." not in name}
        return layer_of_state(own, cell if function == "tanh" else cells.with_activations(cell, candidate=function))

    return read_names


def by_layout(layout: Layout) -> Callable[[Any], LSTM]:
    """A reader of a single layer by its attributes."""
    return lambda module: layer_of(layout.readable(), [read(layout, attributes(module, layout))])


def peephole(module: Any) -> LSTM:
    """PeepholeLSTM of torchrecurrent, whose layers are cells, or one of those."""
    layout = other_layouts.TORCHRECURRENT_PEEPHOLE
    parts = list(module.cells) if hasattr(module, "cells") else [module]
    for part in parts:
        functions = type(part.act).__name__, type(part.gate_act).__name__
        if functions != ("Tanh", "Sigmoid"):
            raise ValueError(f"{layout.name} expected tanh and sigmoid, got {' and '.join(functions)}")
    return layer_of(layout.readable(), [read(layout, attributes(part, layout)) for part in parts])


RELATIVES = (
    Relative("opacus", "DPLSTM", with_torchs_names(cells.lstm)),
    Relative("opacus", "DPGRU", with_torchs_names(cells.gru)),
    Relative("opacus", "DPRNN", with_torchs_names(cells.rnn)),
    Relative("torchrl", "LSTM", with_torchs_names(cells.lstm)),
    Relative("torchrl", "GRU", with_torchs_names(cells.gru)),
    Relative("torchrecurrent", "PeepholeLSTM", peephole),
    Relative("torchrecurrent", "PeepholeLSTMCell", peephole),
    Relative("torchrecurrent", "RecurrentLayerBase", None, ONLY_PEEPHOLE),
    Relative("torchrecurrent", "RecurrentCellBase", None, ONLY_PEEPHOLE),
    Relative("neuralhydrology", "_LSTMCell", by_layout(other_layouts.NEURALHYDROLOGY_LSTM)),
    Relative("neuralhydrology", "EALSTM", None, other_layouts.NEURALHYDROLOGY_EALSTM.reason),
    Relative("ncps", "LSTMCell", by_layout(other_layouts.NCPS_LSTM)),
    Relative("ncps", "CfC", None, MIXED),
    Relative("ncps", "LTC", None, MIXED),
    Relative("xlstm", "sLSTMCell_vanilla", xlstm.load),
    Relative("xlstm", "sLSTMCell_cuda", xlstm.load),
    Relative("xlstm", "sLSTMLayer", None, other_layouts.XLSTM_LAYER.reason),
)
