"""Paddle's layers: LSTM, GRU and SimpleRNN, their cells, and RNN and BiRNN around a cell.

They are read through their cells. The names of torch that a Paddle layer has besides (weight_ih_l0) are dealt out four to a layer,
and name other arrays where a layer has five (proj_size) or three (bias_ih_attr=False): findings/paddle_projection_names.sh.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from byhand.cells import Cell
from byhand.interop import other_layouts
from byhand.interop.attributes import attributes, simple_cell, tensor_of
from byhand.interop.stacks import layer_of
from byhand.interop.weights import Layout, read
from byhand.nn import LSTM

CELLS: dict[str, Layout] = {
    "LSTMCell": other_layouts.PADDLE_LSTM,
    "GRUCell": other_layouts.PADDLE_GRU,
    "SimpleRNNCell": other_layouts.PADDLE_RNN,
}
LAYERS = ("LSTM", "GRU", "SimpleRNN")
CLASSES = (*LAYERS, "RNN", "BiRNN", *CELLS)
OF_CELL = re.compile(r"((?:.*\.)?)(\d+)\.cell(?:_fw|(_bw))?\.(\w+)", re.DOTALL)
ALIAS = re.compile(r"(?:weight|bias)_(?:ih|hh)_l\d+(?:_reverse)?")


def load(source: Any, *, flipped: bool = False) -> LSTM:
    """A layer or cell of paddle.nn.

    Args:
        source: the layer itself.
        flipped: read an RNN that reads from the end; you hand it sequences flipped.

    Returns:
        A layer with copies of its weights, batch_first unless it is time_major; of a cell, time first.

    Raises:
        ValueError: relu; a layer that reads from the end without flipped=True, or the other way round.
    """
    single = not hasattr(source, "time_major")
    layers = [source] if single or hasattr(source, "cell") or hasattr(source, "cell_fw") else list(source)
    cells = layers if single else [cell for layer in layers for cell in cells_of(layer)]
    from_the_end = not single and any(getattr(layer, "is_reverse", False) for layer in layers)
    if from_the_end and not flipped:
        raise ValueError(
            "paddle.RNN expected is_reverse=False, got True: a byhand layer reads from the start, or both ways: write flipped=True, and"
            " turn the input and the outputs round, as in x.flip(0)"
        )
    if flipped and not from_the_end:
        raise ValueError("load_weights expected a paddle.nn.RNN with is_reverse=True for flipped=True, got another layer")
    if len({cell_of(cell) for cell in cells}) > 1:
        raise ValueError("paddle.BiRNN expected two cells of one kind, got two kinds: load each by itself")
    return layer_of(
        cell_of(cells[0]),
        [read(layout_of(cell), attributes(cell, layout_of(cell))) for cell in cells],
        bidirectional=len(cells) == 2 * len(layers),
        batch_first=not single and not source.time_major,
    )


def cells_of(layer: Any) -> list[Any]:
    """The cells of an RNN or BiRNN, forward before reverse."""
    return [layer.cell_fw, layer.cell_bw] if hasattr(layer, "cell_fw") else [layer.cell]


def layout_of(cell: Any) -> Layout:
    """TypeError for a cell of another class."""
    for kind in type(cell).__mro__:
        if kind.__module__.startswith("paddle.") and kind.__name__ in CELLS:
            return CELLS[kind.__name__]
    raise TypeError(f"load_weights expected {', '.join(CELLS)} of paddle, got {type(cell).__name__}")


def cell_of(cell: Any) -> Cell:
    """The cell of byhand's that computes the same."""
    layout = layout_of(cell)
    return simple_cell(layout, cell.activation) if layout is other_layouts.PADDLE_RNN else layout.readable()


def has_cells(names: Mapping[str, Any]) -> bool:
    """Whether these are the names of a state_dict of Paddle, with a stack of layers in it."""
    return any(isinstance(name, str) and OF_CELL.fullmatch(name) for name in names)


def torch_names(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """A state_dict of Paddle with torch's names, made out of those of the cells; those that Paddle calls so are dropped."""
    found: dict[str, Tensor] = {}
    paths = set()
    for name, value in state.items():
        if (match := OF_CELL.fullmatch(name)) is not None:
            path, layer, backward, own = match.groups()
            paths.add(path)
            ours = "weight_hr" if own == "weight_ho" else own
            tensor = tensor_of(value)
            found[f"{path}{ours}_l{layer}{'_reverse' if backward else ''}"] = tensor.T if own == "weight_ho" else tensor
    for name, value in state.items():
        path, _, own = name.rpartition(".")
        alias = ALIAS.fullmatch(own) is not None and (f"{path}." if path else "") in paths
        if OF_CELL.fullmatch(name) is None and not alias:
            found[name] = tensor_of(value)
    return found
