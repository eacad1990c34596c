"""xlstm's sLSTMCell, with function="lstm" or "slstm", and the arrays of flashrnn, which has functions and no layers.

Both take W·x as their input, gate after gate in the order i, f, g, o (they call g "z"). So does the layer that is read, whose weight_ih
is the identity, unless W is given. Units in heads do not read those of other heads: 0 in weight_hh.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from byhand.interop import other_layouts
from byhand.interop.live import known_class, no_prefix, tensor_of
from byhand.interop.stacks import layer_of
from byhand.interop.weights import Layout, read
from byhand.nn import LSTM

FUNCTIONS = {"lstm": other_layouts.XLSTM_LSTM, "slstm": other_layouts.XLSTM_SLSTM}
CELLS = ("sLSTMCell_vanilla", "sLSTMCell_cuda")
FLASHRNN = {layout.layer: layout for layout in (other_layouts.FLASHRNN_LSTM, other_layouts.FLASHRNN_GRU)}


def load(source: Any, *, prefix: str | None = None) -> LSTM:
    """An sLSTMCell of xlstm, of either backend.

    Args:
        source: the cell, as in layer.slstm_cell.
        prefix: None; the cell is given itself.

    Returns:
        A batch_first layer whose input is the cell's, 4 * hidden wide. Its outputs and states are all heads side by side.

    Raises:
        TypeError: another class, or one that computes in its own way.
        ValueError: a prefix, an sLSTMLayer, or values that are clipped in the forward pass.
    """
    no_prefix(source, prefix)
    if type(source).__name__ == "sLSTMLayer":
        other_layouts.XLSTM_LAYER.readable()
    on_cuda = known_class(source, [*CELLS], framework="xlstm") == "sLSTMCell_cuda"
    layout = FUNCTIONS[source.config.function]
    clips = (source.config.forward_clipval, source.config.gradient_recurrent_clipval)
    if on_cuda and clips != (None, None):  # the CUDA backend mixes the two up; the other ignores both
        raise ValueError(f"{layout.name} expected no clipping, got forward_clipval, gradient_recurrent_clipval = {clips}")
    kernel, bias = tensor_of(source._recurrent_kernel_), tensor_of(source._bias_)
    heads, units = source.config.num_heads, source.config.hidden_size // source.config.num_heads
    if on_cuda:
        kernel, bias = kernel.transpose(1, 2), bias.unflatten(0, (heads, 4, units)).transpose(0, 1)
    return from_arrays(layout, {"R": kernel, "b": bias.reshape(4, heads, units)})


def from_arrays(layout: Layout, arrays: Mapping[str, Tensor]) -> LSTM:
    """The layer of R and b, and W if it is there; batch_first. ValueError if they are not the layout's."""
    given = dict(arrays)
    if "W" not in given and "R" in given:
        given["W"] = torch.eye(given["R"][..., 0].numel(), dtype=given["R"].dtype)
    return layer_of(layout.readable(), [read(layout, given)], batch_first=True)
