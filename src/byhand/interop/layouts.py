"""LAYOUTS: how the recurrent layers of other frameworks lay out their weights, each as measured by running the version that is named.

Gates have byhand's names: i f g o in an LSTM, r z n in a GRU. Keras calls g "c" and n "h"; Haiku calls n "a".
"""

from __future__ import annotations

from typing import Any

from byhand import cells
from byhand.interop.axes import Array, rows
from byhand.interop.other_layouts import OTHERS
from byhand.interop.weights import Layout

RESET_BEFORE_WHY = "its reset gate stands before the recurrent product, U_n·(r ⊙ h), where torch.nn.GRU has r ⊙ (U_n·h + b′_n)"

TORCH_ARRAYS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def torch_arrays(gates: str) -> tuple[Array, ...]:
    """The four arrays of torch arrays: rows, one gate after another."""
    return tuple(Array(n, rows(n, gates), "(slot unit)" + " width" * n.startswith("weight")) for n in TORCH_ARRAYS)


PROJECTION = Array("weight_hr", (("weight_hr", ""),), "unit width")
TORCH: dict[str, Any] = {
    "version": "2.13.0",
    "bias_is_optional": True,
    "reverse_outputs": "time",
    "batch": "(time, batch, input), or batch_first",
    "padding": "packed: outputs 0, states those of the last valid step",
    "dropout": "between layers, drawn at each step, scaled",
    "start": "all uniform within ±1/√hidden",
}
TORCH_LSTM = Layout(
    "torch",
    "LSTM",
    cell=cells.lstm,
    arrays=(*torch_arrays("ifgo"), PROJECTION),
    states=("h", "c"),
    forget_start="none",
    **TORCH,
)
TORCH_GRU = Layout("torch", "GRU", cell=cells.gru, arrays=torch_arrays("rzn"), **TORCH)
TORCH_RNN = Layout("torch", "RNN", cell=cells.rnn, arrays=torch_arrays("n"), **TORCH)


def keras_arrays(gates: str, bias: Array) -> tuple[Array, ...]:
    """Columns, one gate after another."""
    names = {"kernel": "weight_ih", "recurrent_kernel": "weight_hh"}
    return (*(Array(name, rows(ours, gates), "width (slot unit)") for name, ours in names.items()), bias)


KERAS: dict[str, Any] = {
    "version": "3.15.1",
    "bias_is_optional": True,
    "reverse_outputs": "processing",
    "padding": (
        "by a mask: outputs repeat the last valid one (0 in Bidirectional or with zero_output_for_mask), states those of the"
        " last valid step; masked steps are skipped wherever they are"
    ),
    "dropout": "of the input and of h: one mask for a sequence and gate, scaled",
    "start": "kernel Glorot uniform over all gates together, recurrent_kernel orthogonal over all gates together, bias 0",
    "note": "in Bidirectional the outputs are in the order of time",
}
KERAS_LSTM = Layout(
    "keras",
    "LSTM",
    cell=cells.lstm,
    arrays=keras_arrays("ifgo", Array("bias", rows("bias_ih", "ifgo"), "(slot unit)")),
    states=("h", "c"),
    forget_start="1, in the bias (unit_forget_bias)",
    **KERAS,
)
KERAS_GRU = Layout(
    "keras",
    "GRU",
    cell=cells.gru,
    arrays=keras_arrays("zrn", Array("bias", rows("bias_ih", "zrn") + rows("bias_hh", "zrn"), "pair (slot unit)")),
    **KERAS,
)
KERAS_GRU_RESET_BEFORE = Layout(
    "keras",
    "GRU(reset_after=False)",
    cell=cells.gru_reset_before,
    arrays=keras_arrays("zrn", Array("bias", rows("bias_ih", "zrn"), "(slot unit)")),
    reason=RESET_BEFORE_WHY,
    **KERAS,
)
KERAS_RNN = Layout(
    "keras",
    "SimpleRNN",
    cell=cells.rnn,
    arrays=keras_arrays("n", Array("bias", rows("bias_ih", "n"), "(slot unit)")),
    **KERAS,
)


def dense(name: str, kernel: str, gates: str, bias: str = "", separator: str = "/") -> tuple[Array, ...]:
    """A Dense of Flax: its kernel (inputs, units of all gates), and its bias if it has one."""
    made = [Array(f"{name}{separator}kernel", rows(kernel, gates), "width (slot unit)")]
    return (*made, *([Array(f"{name}{separator}bias", rows(bias, gates), "(slot unit)")] if bias else []))


def eight(input_forget: str, separator: str) -> tuple[Array, ...]:
    """The eight Denses of Flax's LSTMCell: i and h to each gate, the biases on those of h."""
    inputs = {"i": "ii", "f": input_forget, "g": "ig", "o": "io"}
    return tuple(
        array
        for gate in "ifgo"
        for array in (
            *dense(inputs[gate], "weight_ih", gate, separator=separator),
            *dense(f"h{gate}", "weight_hh", gate, "bias_ih", separator),
        )
    )


FLAX: dict[str, Any] = {
    "version": "0.12.12",
    "reverse_outputs": "processing",
    "padding": (
        "by seq_lengths: outputs run on over the padding, states those of the last valid step; for a length of 0 the states"
        " after the whole padded sequence"
    ),
    "note": "with keep_order=True, and so in Bidirectional, the outputs of a reversed RNN are in the order of time",
}
PER_GATE = "input kernels LeCun normal, recurrent ones orthogonal gate by gate, biases 0"
LINEN_LSTM = Layout(
    "flax.linen",
    "LSTMCell",
    cell=cells.lstm,
    arrays=eight("if", "/"),
    states=("c", "h"),
    start=PER_GATE,
    forget_start="0",
    **FLAX,
)
LINEN_OPTIMIZED_LSTM = Layout(
    "flax.linen",
    "OptimizedLSTMCell",
    cell=cells.lstm,
    arrays=eight("if", "/"),
    states=("c", "h"),
    start=PER_GATE,
    forget_start="0",
    **FLAX,
)
LINEN_GRU = Layout(
    "flax.linen",
    "GRUCell",
    cell=cells.gru,
    arrays=(
        *(one for gate in "rzn" for one in dense(f"i{gate}", "weight_ih", gate, "bias_ih")),
        *(one for gate in "rz" for one in dense(f"h{gate}", "weight_hh", gate)),
        *dense("hn", "weight_hh", "n", "bias_hh"),
    ),
    start=PER_GATE,
    **FLAX,
)
LINEN_RNN = Layout(
    "flax.linen",
    "SimpleCell",
    cell=cells.rnn,
    arrays=(*dense("i", "weight_ih", "n", "bias_ih"), *dense("h", "weight_hh", "n")),
    start=PER_GATE,
    **FLAX,
)
NNX_LSTM = Layout(
    "flax.nnx",
    "LSTMCell",
    cell=cells.lstm,
    arrays=eight("if_", "."),
    states=("c", "h"),
    start=PER_GATE,
    forget_start="0",
    **FLAX,
)


def nnx_arrays(gates: str, *, bias_of: str) -> tuple[Array, ...]:
    """Two Denses, each for all gates; one of them has the bias."""
    return tuple(
        array
        for name, kernel in (("dense_i", "weight_ih"), ("dense_h", "weight_hh"))
        for array in dense(name, kernel, gates, "bias_ih" if name == bias_of else "", ".")
    )


NNX_OPTIMIZED_LSTM = Layout(
    "flax.nnx",
    "OptimizedLSTMCell",
    cell=cells.lstm,
    arrays=nnx_arrays("ifgo", bias_of="dense_h"),
    states=("c", "h"),
    start="input kernel LeCun normal, recurrent kernel one orthogonal (H, 4H): half the scale of LSTMCell's; bias 0",
    forget_start="0",
    **FLAX,
)
NNX_GRU = Layout(
    "flax.nnx",
    "GRUCell",
    cell=cells.gru,
    arrays=nnx_arrays("rzn", bias_of="dense_i"),
    start=PER_GATE,
    reason="it has no bias inside the reset, b′_n of torch.nn.GRU: read exactly, written only where that bias is 0",
    **FLAX,
)
NNX_RNN = Layout("flax.nnx", "SimpleCell", cell=cells.rnn, arrays=nnx_arrays("n", bias_of="dense_i"), start=PER_GATE, **FLAX)

HAIKU: dict[str, Any] = {
    "version": "0.0.17",
    "reverse_outputs": "time",
    "batch": "(time, batch, input), or time_major=False",
    "padding": "no lengths",
    "start": "weights truncated normal, 1/√inputs, biases 0",
}
HAIKU_LSTM = Layout(
    "haiku",
    "LSTM",
    cell=cells.lstm,
    arrays=(
        Array("linear/w", rows("weights", "igfo"), "width (slot unit)"),
        Array("linear/b", rows("bias_ih", "igfo"), "(slot unit)"),
    ),
    forward_bias={"f": 1.0},
    states=("h", "c"),
    forget_start="0; 1 is added in the forward pass",
    **HAIKU,
)
HAIKU_GRU = Layout(
    "haiku",
    "GRU",
    cell=cells.gru_reset_before,
    arrays=(
        Array("w_i", rows("weight_ih", "zrn"), "width (slot unit)"),
        Array("w_h", rows("weight_hh", "zrn"), "width (slot unit)"),
        Array("b", rows("bias_ih", "zrn"), "(slot unit)"),
    ),
    negated=("z",),
    reason=f"{RESET_BEFORE_WHY}; its z is torch's 1 - z",
    **HAIKU,
)

LAYOUTS: tuple[Layout, ...] = (
    TORCH_LSTM,
    TORCH_GRU,
    TORCH_RNN,
    KERAS_LSTM,
    KERAS_GRU,
    KERAS_GRU_RESET_BEFORE,
    KERAS_RNN,
    LINEN_LSTM,
    LINEN_OPTIMIZED_LSTM,
    LINEN_GRU,
    LINEN_RNN,
    NNX_LSTM,
    NNX_OPTIMIZED_LSTM,
    NNX_GRU,
    NNX_RNN,
    HAIKU_LSTM,
    HAIKU_GRU,
    *OTHERS,
)


def layout_named(name: str) -> Layout:
    """The layout of that name, such as "keras.LSTM". ValueError if there is none; the message lists them."""
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise ValueError(f"expected the name of a layout, got {name!r}; there are {', '.join(layout.name for layout in LAYOUTS)}")
