"""Live torch modules: torch's recurrent layers, those of libraries that keep their weights in the same way, and models around them.

Libraries' classes are known by name and package; none is imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch import nn

from byhand.cells import gru, lstm, rnn
from byhand.interop import live, other_layouts
from byhand.interop.choosing import chosen
from byhand.interop.computed import plain
from byhand.interop.live import attributes
from byhand.interop.probing import evaluating, plain_class
from byhand.interop.stacks import layer_of
from byhand.interop.torch_names import layer_of_state
from byhand.interop.weights import Layout, read
from byhand.nn import LSTM, LSTMCell

CELLS = {"LSTM": lstm, "GRU": gru, "RNN": rnn}
TORCHS = (LSTM, LSTMCell, nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell)
NAMES = re.compile(r"(?:weight|bias)_(?:ih|hh|hr)(?:_l\d+(?:_reverse)?)?")  # of torch's parameters
SHORT = {name: name.replace("eight", "").replace("ias", "") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}  # w_ih, b_ih: neuralhydrology's names


class Relative(NamedTuple):
    """A library's class: how it is read, or why not."""

    package: str
    name: str
    load: Callable[[Any], LSTM] | None
    reason: str = ""


def load(source: nn.Module, *, prefix: str | None = None) -> LSTM:
    """One recurrent layer of a torch model, in any of the ways in which torch and its relatives write one.

    Pruned and parametrised weights (weight_norm, spectral_norm, orthogonal) are read as the layer computes them in eval mode.

    Args:
        source: the layer, or a model that has it inside.
        prefix: the layer's name in the model, or the end of it; None where there is one only.

    Returns:
        A layer with copies of its weights, and with its batch_first and dropout.

    Raises:
        TypeError: a layer that computes in its own way, or no torch module.
        ValueError: no layer or several without a prefix, relu, or a layer that byhand cannot be: the message says why.
    """
    if not isinstance(source, nn.Module):
        raise TypeError(f"load_weights expected a torch module, got a {type(source).__name__}")
    found = dict(layers_in(source))
    module = found[chosen(list(found), prefix, type(source).__name__)]
    relative = relative_of(module)
    if relative is not None and relative.load is None:
        raise ValueError(f"{relative.package}.{relative.name} cannot be carried over exactly: {relative.reason}")
    return of_torch(module) if relative is None or relative.load is None else relative.load(module)


def layers_in(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Path -> layer, of all that are known, nothing inside of one of them."""
    if isinstance(module, nn.RNNBase | nn.RNNCellBase | LSTM | LSTMCell) or relative_of(module) is not None:
        yield path, module
        return
    for name, child in module.named_children():
        yield from layers_in(child, f"{path}.{name}" if path else name)


def relative_of(module: nn.Module) -> Relative | None:
    """The class of a library that a module is of."""
    kinds = [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(module).__mro__]
    return next((one for one in RELATIVES if (one.package, one.name) in kinds), None)


def of_torch(module: nn.Module, *, known: str = "") -> LSTM:
    """A layer with torch's names. known: the kind of a class whose own forward is known to compute the same."""
    kind = known or kind_of(module)
    if getattr(module, "nonlinearity", "tanh") != "tanh":
        raise ValueError(f"{kind} expected the activation tanh, which byhand.cells.rnn has, got {module.nonlinearity}")
    single = isinstance(module, nn.RNNCellBase | LSTMCell)
    layer = layer_of_state(
        {name + "_l0" * single: value for name, value in state_of(module).items()},
        module.cell if isinstance(module, LSTM | LSTMCell) else CELLS[kind],
        batch_first=bool(getattr(module, "batch_first", False)),
    )
    layer.dropout = float(getattr(module, "dropout", 0.0))
    return layer


def kind_of(module: nn.Module) -> str:
    """LSTM, GRU or RNN. TypeError for a class with a forward of its own."""
    kind = next(kind for kind in TORCHS if isinstance(module, kind))
    if not isinstance(module, LSTM | LSTMCell) and plain_class(module).forward is not kind.forward:
        raise TypeError(
            f"load_weights expected the forward of nn.{kind.__name__}, got {type(module).__name__}, which has one of its own:"
            " byhand.convert(model) measures whether it computes the same; layer.state_dict() gives the weights whatever it does"
        )
    return kind.__name__.removesuffix("Cell")


def state_of(module: nn.Module) -> dict[str, Any]:
    """The parameters under torch's names, computed where a module computes them, without the other names that they have besides."""
    state = module.state_dict()
    with evaluating(module):
        for name in getattr(module, "parametrizations", {}):
            state = {own: value for own, value in state.items() if not own.startswith(f"parametrizations.{name}.")}
            state[name] = getattr(module, name)
    own = {name: value for name, value in plain(state).items() if "." not in name}
    strange = [name for name in own if not isinstance(module, LSTM | LSTMCell) and not NAMES.fullmatch(name)]
    if strange:
        raise ValueError(
            f"load_weights expected weights of torch's names in {type(module).__name__}, got {', '.join(strange)}: make what computes"
            " them permanent first, as with torch.nn.utils.remove_spectral_norm(layer, name)"
        )
    return own


def by_layout(layout: Layout, names: dict[str, str] | None = None) -> Callable[[Any], LSTM]:
    """A reader of a single layer by its attributes."""
    return lambda module: layer_of(layout.readable(), [read(layout, attributes(module, layout, names))])


def same_as(kind: str) -> Callable[[Any], LSTM]:
    """A reader of a class with torch's names, whose own forward computes what torch's does."""
    return lambda module: of_torch(module, known=kind)


def peephole(module: Any) -> LSTM:
    """torchrecurrent's PeepholeLSTM, whose layers are cells, or one of those."""
    layout = other_layouts.TORCHRECURRENT_PEEPHOLE
    parts = list(module.cells) if hasattr(module, "cells") else [module]
    for part in parts:
        functions = type(part.act).__name__, type(part.gate_act).__name__
        if functions != ("Tanh", "Sigmoid"):
            raise ValueError(f"{layout.name} expected tanh and sigmoid, got {' and '.join(functions)}")
    batch_first = bool(getattr(module, "batch_first", False))
    layer = layer_of(layout.readable(), [read(layout, attributes(part, layout)) for part in parts], batch_first=batch_first)
    layer.dropout = float(getattr(module, "dropout", 0.0))
    return layer


ONLY_PEEPHOLE = "of torchrecurrent's layers byhand has the cell of PeepholeLSTM alone"
MIXED = "its states follow differential equations; an LSTM inside is fed with those: to read that alone, give model.lstm"
RELATIVES = (
    Relative("opacus", "DPLSTM", same_as("LSTM")),
    Relative("opacus", "DPGRU", same_as("GRU")),
    Relative("opacus", "DPRNN", same_as("RNN")),
    Relative("torchrl", "LSTM", same_as("LSTM")),
    Relative("torchrl", "GRU", same_as("GRU")),
    Relative("torchrecurrent", "PeepholeLSTM", peephole),
    Relative("torchrecurrent", "PeepholeLSTMCell", peephole),
    Relative("torchrecurrent", "RecurrentLayerBase", None, ONLY_PEEPHOLE),
    Relative("torchrecurrent", "RecurrentCellBase", None, ONLY_PEEPHOLE),
    Relative("neuralhydrology", "_LSTMCell", by_layout(other_layouts.NEURALHYDROLOGY_LSTM, SHORT)),
    Relative("neuralhydrology", "EALSTM", None, other_layouts.NEURALHYDROLOGY_EALSTM.reason),
    Relative("ncps", "LSTMCell", live.load),
    Relative("ncps", "CfC", None, MIXED),
    Relative("ncps", "LTC", None, MIXED),
)
