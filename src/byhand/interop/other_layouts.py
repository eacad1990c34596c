"""OTHERS: the layouts of equinox, paddle, mlx, tinygrad, xlstm, flashrnn, ncps and of torch's relatives; LAYOUTS holds them too.

Measured by running the version that is named (see layouts.py).
"""

from __future__ import annotations

from typing import Any

from byhand import cells
from byhand.interop.axes import Array, rows
from byhand.interop.weights import Layout

UNIFORM = "all uniform within ±1/√hidden"


def two_biases(gates: str) -> tuple[Array, ...]:
    """The names of torch and rows."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return tuple(Array(n, rows(n, gates), "(slot unit)" + " width" * n.startswith("weight")) for n in names)


def matrices(input: str, recurrent: str, gates: str) -> tuple[Array, Array]:
    """Two matrices of rows, under other names."""
    return Array(input, rows("weight_ih", gates), "(slot unit) width"), Array(
        recurrent, rows("weight_hh", gates), "(slot unit) width"
    )


def vector(name: str, *slots: tuple[str, str]) -> Array:
    """Biases of these slots, one after another."""
    return Array(name, slots, "(slot unit)")


EQUINOX: dict[str, Any] = {
    "version": "0.13.8",
    "batch": "(input,), one step of one sequence",
    "padding": "no sequences",
    "start": UNIFORM,
}
EQUINOX_LSTM = Layout(
    "equinox",
    "LSTMCell",
    cell=cells.lstm,
    arrays=(*matrices("weight_ih", "weight_hh", "ifgo"), vector("bias", *rows("bias_ih", "ifgo"))),
    bias_is_optional=True,
    states=("h", "c"),
    forget_start="uniform as the rest",
    **EQUINOX,
)
EQUINOX_GRU = Layout(
    "equinox",
    "GRUCell",
    cell=cells.gru,
    arrays=(
        *matrices("weight_ih", "weight_hh", "rzn"),
        vector("bias", *rows("bias_ih", "rzn")),
        vector("bias_n", ("bias_hh", "n")),
    ),
    bias_is_optional=True,
    **EQUINOX,
)

PADDLE: dict[str, Any] = {
    "version": "3.3.1",
    "bias_is_optional": True,
    "reverse_outputs": "time",
    "padding": "by sequence_length: nn.LSTM's outputs 0, those of nn.RNN(cell) not; states those of the last valid step",
    "dropout": "between layers, drawn at each step, scaled",
    "start": UNIFORM,
}
PROJECTION = Array("weight_ho", (("weight_hr", ""),), "width unit")
PADDLE_LSTM = Layout(
    "paddle",
    "LSTM",
    cell=cells.lstm,
    arrays=(*two_biases("ifgo"), PROJECTION),
    states=("h", "c"),
    forget_start="uniform as the rest",
    **PADDLE,
)
PADDLE_GRU = Layout("paddle", "GRU", cell=cells.gru, arrays=two_biases("rzn"), **PADDLE)
PADDLE_RNN = Layout("paddle", "SimpleRNN", cell=cells.rnn, arrays=two_biases("n"), **PADDLE)

MLX: dict[str, Any] = {"version": "0.32.4", "bias_is_optional": True, "padding": "no lengths", "start": UNIFORM}
MLX_LSTM = Layout(
    "mlx",
    "LSTM",
    cell=cells.lstm,
    arrays=(*matrices("Wx", "Wh", "ifgo"), vector("bias", *rows("bias_ih", "ifgo"))),
    states=("h", "c"),
    forget_start="uniform as the rest",
    note="returns the whole sequences of h and of c; two dimensions are (time, input)",
    **MLX,
)
MLX_GRU = Layout(
    "mlx",
    "GRU",
    cell=cells.gru,
    arrays=(*matrices("Wx", "Wh", "rzn"), vector("b", *rows("bias_ih", "rzn")), vector("bhn", ("bias_hh", "n"))),
    **MLX,
)
MLX_RNN = Layout(
    "mlx", "RNN", cell=cells.rnn, arrays=(*matrices("Wxh", "Whh", "n"), vector("bias", *rows("bias_ih", "n"))), **MLX
)

TINYGRAD_LSTM = Layout(
    "tinygrad",
    "LSTMCell",
    version="0.14.0",
    cell=cells.lstm,
    arrays=two_biases("ifgo"),
    bias_is_optional=True,
    states=("h", "c"),
    batch="(batch, input), one step",
    padding="no sequences",
    start="weights uniform within ±1/√hidden, biases 0",
    forget_start="0",
)

INPUT = "(slot unit) width"  # W of W·x, which these layers take as their input: the caller's
XLSTM_ARRAYS = (
    Array("W", rows("weight_ih", "ifgo"), INPUT),
    Array("R", rows("weight_hh", "ifgo"), "head (slot unit) width"),
    Array("b", rows("bias_ih", "ifgo"), "slot head unit"),
)
XLSTM: dict[str, Any] = {
    "version": "2.0.6",
    "product_input": True,
    "batch": "(batch, time, gate·head·unit), W·x",
    "padding": "lengths are ignored",
    "start": "R = 0; biases 0",
    "forget_start": "from 5 to -7 along a head, in the bias",
}
XLSTM_LSTM = Layout(
    "xlstm",
    'sLSTMCell(function="lstm")',
    cell=cells.lstm,
    arrays=XLSTM_ARRAYS,
    states=("h", "c"),
    note="units of one head do not read those of another",
    **XLSTM,
)
XLSTM_SLSTM = Layout(
    "xlstm",
    'sLSTMCell(function="slstm")',
    cell=cells.slstm,
    arrays=XLSTM_ARRAYS,
    states=("h", "c", "n", "m"),
    reason="its input gate is an exponential and it has a normaliser: byhand.cells.slstm, not torch's LSTM",
    note=(
        "units of one head do not read those of another; the rule of the first step holds where no sequence of the batch has begun,"
        " in byhand.cells.slstm for each sequence: the outputs are the same"
    ),
    **XLSTM,
)
XLSTM_LAYER = Layout(
    "xlstm",
    "sLSTMLayer",
    version="2.0.6",
    cell=None,
    states=("h", "c", "n", "m"),
    padding="lengths are ignored",
    reason="it has a convolution before the cell and a norm behind it; its igate feeds f and its fgate feeds i: read its slstm_cell",
)
FLASHRNN: dict[str, Any] = {
    "version": "1.0.8",
    "product_input": True,
    "batch": "(batch, time, gate, head, unit), W·x",
    "padding": "no lengths",
    "start": "the caller's",
}
FLASHRNN_LSTM = Layout(
    "flashrnn",
    "lstm",
    cell=cells.lstm,
    arrays=(
        Array("W", rows("weight_ih", "ifgo"), INPUT),
        Array("R", rows("weight_hh", "ifgo"), "slot head unit width"),
        Array("b", rows("bias_ih", "ifgo"), "slot head unit"),
    ),
    states=("h", "c"),
    forget_start="the caller's",
    **FLASHRNN,
)
FLASHRNN_GRU = Layout(
    "flashrnn",
    "gru",
    cell=cells.gru,
    arrays=(
        Array("W", rows("weight_ih", "rzn"), INPUT),
        Array("R", rows("weight_hh", "nrz"), "slot head unit width"),
        Array("b", (("bias_hh", "n"), ("bias_ih", "r"), ("bias_ih", "z"), ("bias_ih", "n")), "slot head unit"),
    ),
    **FLASHRNN,
)

NCPS_LSTM = Layout(
    "ncps",
    "LSTMCell",
    version="1.0.1",
    cell=cells.lstm,
    arrays=(
        *matrices("input_map.weight", "recurrent_map.weight", "gifo"),
        vector("input_map.bias", *rows("bias_ih", "gifo")),
    ),
    forward_bias={"f": 1.0},
    states=("h", "c"),
    batch="(batch, input), one step",
    padding="no sequences",
    start="input Xavier, recurrent orthogonal, bias uniform within ±0.1",
    forget_start="uniform within ±0.1; 1 is added in the forward pass",
)
TORCHRECURRENT_PEEPHOLE = Layout(
    "torchrecurrent",
    "PeepholeLSTM",
    version="0.2.5",
    cell=cells.peephole,
    arrays=(*two_biases("ifgo"), Array("weight_ph", rows("p", "ifo"), "(slot unit)")),
    states=("h", "c"),
    batch="(time, batch, input), or batch_first",
    padding="no lengths",
    dropout="between layers, drawn at each step, scaled",
    start="weights Xavier, biases 0, peepholes standard normal",
    forget_start="0",
    reason="it has peepholes: torch.nn.LSTM only where they are 0",
)
NEURALHYDROLOGY_LSTM = Layout(
    "neuralhydrology",
    "CustomLSTM",
    version="1.13.0",
    cell=cells.lstm,
    arrays=(
        *matrices("w_ih", "w_hh", "ifgo"),
        vector("b_ih", *rows("bias_ih", "ifgo")),
        vector("b_hh", *rows("bias_hh", "ifgo")),
    ),
    states=("h", "c"),
    padding="no lengths",
    dropout="before the head",
    start="weights uniform within ±√3/√hidden, biases 0",
    forget_start="initial_forget_bias, in bias_hh",
)
NEURALHYDROLOGY_EALSTM = Layout(
    "neuralhydrology",
    "EALSTM",
    version="1.13.0",
    cell=None,
    states=("h", "c"),
    padding="no lengths",
    dropout="before the head",
    start="input orthogonal, recurrent identity, bias 0",
    forget_start="initial_forget_bias, in the bias",
    reason="its input gate is a function of static attributes, the same at every step, where an LSTM's follows the input",
)
OPACUS_LSTM = Layout(
    "opacus",
    "DPLSTM",
    version="1.6.0",
    cell=cells.lstm,
    arrays=two_biases("ifgo"),
    bias_is_optional=True,
    states=("h", "c"),
    reverse_outputs="time",
    batch="(time, batch, input), or batch_first",
    padding="packed: outputs 0, states those of the last valid step",
    dropout="between layers, drawn at each step, scaled",
    start=UNIFORM,
    forget_start="uniform as the rest",
    note="its state_dict has each tensor twice, as weight_ih_l0 and as l0.ih.weight, in another order than torch's",
)

OTHERS: tuple[Layout, ...] = (
    EQUINOX_LSTM,
    EQUINOX_GRU,
    PADDLE_LSTM,
    PADDLE_GRU,
    PADDLE_RNN,
    MLX_LSTM,
    MLX_GRU,
    MLX_RNN,
    TINYGRAD_LSTM,
    XLSTM_LSTM,
    XLSTM_SLSTM,
    XLSTM_LAYER,
    FLASHRNN_LSTM,
    FLASHRNN_GRU,
    NCPS_LSTM,
    TORCHRECURRENT_PEEPHOLE,
    NEURALHYDROLOGY_LSTM,
    NEURALHYDROLOGY_EALSTM,
    OPACUS_LSTM,
)
