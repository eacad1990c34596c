"""Paddle's layers: LSTM, GRU and SimpleRNN, their cells, and RNN and BiRNN around a cell.

They are read through their cells. The names of torch that a Paddle layer has besides (weight_ih_l0) are dealt out four to a layer,
and name other arrays where a layer has five (proj_size) or three (bias_ih_attr=False): findings/paddle_projection_names.sh.
"""

from __future__ import annotations

from typing import Any

from byhand.interop import other_layouts
from byhand.interop.live import attributes, known_class, no_prefix, tanh_only
from byhand.interop.stacks import layer_of
from byhand.interop.weights import Layout, Weights, read
from byhand.nn import LSTM

CELLS: dict[str, Layout] = {
    "LSTMCell": other_layouts.PADDLE_LSTM,
    "GRUCell": other_layouts.PADDLE_GRU,
    "SimpleRNNCell": other_layouts.PADDLE_RNN,
}
LAYERS = ("LSTM", "GRU", "SimpleRNN")
AROUND = ("RNN", "BiRNN")  # a cell, a cell for each direction


def load(source: Any, *, prefix: str | None = None) -> LSTM:
    """A layer or cell of paddle.nn.

    Args:
        source: the layer itself, not the model around it.
        prefix: None; the layer is given itself.

    Returns:
        A layer with copies of its weights, batch_first unless it is time_major; of a cell, time first.

    Raises:
        TypeError: another class, or one that computes in its own way.
        ValueError: a prefix; relu; a layer that only reads from the end.
    """
    no_prefix(source, prefix)
    kind = known_class(source, [*LAYERS, *AROUND, *CELLS], framework="paddle")
    layers = list(source) if kind in LAYERS else [source]
    cells = [cell for layer in layers for cell in cells_of(layer, single=kind in CELLS)]
    weights = [weights_of_cell(cell) for cell in cells]
    first_cell = CELLS[known_class(cells[0], [*CELLS], framework="paddle")].readable()
    return layer_of(
        first_cell,
        weights,
        bidirectional=len(cells) == 2 * len(layers),
        batch_first=kind not in CELLS and not source.time_major,
    )


def cells_of(layer: Any, *, single: bool) -> list[Any]:
    """The cells of one layer, forward before reverse."""
    if single:
        return [layer]
    if hasattr(layer, "cell_fw"):
        return [layer.cell_fw, layer.cell_bw]
    if layer.is_reverse:
        raise ValueError(
            "paddle.RNN expected is_reverse=False, got True: a byhand layer reads from the start, or both ways: load its cell,"
            " and turn the input and the output round, as in x.flip(0)"
        )
    return [layer.cell]


def weights_of_cell(cell: Any) -> Weights:
    """Of one cell."""
    layout = CELLS[known_class(cell, [*CELLS], framework="paddle")]
    if layout is other_layouts.PADDLE_RNN:
        tanh_only(layout, cell.activation)
    return read(layout, attributes(cell, layout))
