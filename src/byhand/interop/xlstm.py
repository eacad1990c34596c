"""xlstm's sLSTMCell, with function="lstm" or "slstm", of either backend.

Its input is W·x, gate after gate in the order i, f, g, o (it calls g "z"). So is that of the layer that is read, whose weight_ih is the
identity. Units in heads do not read those of other heads: 0 in weight_hh.
"""

from __future__ import annotations

from typing import Any

from byhand.interop import other_layouts
from byhand.interop.attributes import tensor_of
from byhand.interop.stacks import layer_of
from byhand.interop.weights import read
from byhand.nn import LSTM

FUNCTIONS = {"lstm": other_layouts.XLSTM_LSTM, "slstm": other_layouts.XLSTM_SLSTM}


def load(cell: Any) -> LSTM:
    """An sLSTMCell_vanilla or sLSTMCell_cuda.

    Returns:
        A batch_first layer whose input is the cell's, 4 * hidden wide. Its outputs and states are all heads side by side.

    Raises:
        ValueError: values are clipped in the forward pass.
    """
    layout = FUNCTIONS[cell.config.function]
    kernel, bias = tensor_of(cell._recurrent_kernel_), tensor_of(cell._bias_)
    heads, units = cell.config.num_heads, cell.config.hidden_size // cell.config.num_heads
    if type(cell).__name__.endswith("cuda"):
        clips = cell.config.forward_clipval, cell.config.gradient_recurrent_clipval
        if clips != (None, None):  # this backend takes the one for the other; the other backend ignores both
            raise ValueError(f"{layout.name} expected no clipping, got forward_clipval, gradient_recurrent_clipval = {clips}")
        kernel, bias = kernel.transpose(1, 2), bias.unflatten(0, (heads, 4, units)).transpose(0, 1)
    arrays = {"R": kernel, "b": bias.reshape(4, heads, units)}
    return layer_of(layout.readable(), [read(layout, arrays)], batch_first=True)
