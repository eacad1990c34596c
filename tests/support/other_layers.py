"""The recurrent layers of other frameworks, once more, in plain numpy: from their own descriptions, without them and without byhand.

Each is layer(x, arrays, states) -> outputs (time, batch, units), last states in the framework's order; x is (time, batch, input). The
arrays have the framework's names and shapes; `drawn` makes random ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Named = dict[str, Array]
Shapes = dict[str, tuple[int, ...]]
Step = Callable[
    [Array, Named, tuple[Array, ...]], tuple[Array, ...]
]  # (x of a step, arrays, states) -> states, the output first


class Other(NamedTuple):
    """A layer: the shapes of its arrays for I inputs and H units, one step, and how many states."""

    shapes: Callable[[int, int], Shapes]
    step: Step
    states: int


def run(other: Other, x: Array, arrays: Named, states: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
    """A whole sequence."""
    outputs = []
    for one in x:
        states = other.step(one, arrays, states)
        outputs.append(states[0])
    return np.stack(outputs), states


def drawn(other: Other, inputs: int, units: int, seed: int, kind: str = "float64") -> Named:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.5, shape).astype(kind) for name, shape in other.shapes(inputs, units).items()}


def sigma(z: Array) -> Array:
    return (1 + np.tanh(z / 2)) / 2


def lstm(i: Array, f: Array, g: Array, o: Array, c: Array) -> tuple[Array, Array]:
    """Of sums that are not yet squashed."""
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(c), c


def keras_lstm(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """keras.layers.LSTM: columns i, f, c, o."""
    h, c = states
    i, f, g, o = np.split(x @ at["kernel"] + h @ at["recurrent_kernel"] + at["bias"], 4, axis=1)
    return lstm(i, f, g, o, c)


def keras_gru(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """keras.layers.GRU: columns z, r, h; the rows of the bias are that of the input and that of the product."""
    (h,) = states
    x_z, x_r, x_h = np.split(x @ at["kernel"] + at["bias"][0], 3, axis=1)
    u_z, u_r, u_h = np.split(h @ at["recurrent_kernel"] + at["bias"][1], 3, axis=1)
    z, r = sigma(x_z + u_z), sigma(x_r + u_r)
    return (z * h + (1 - z) * np.tanh(x_h + r * u_h),)


def keras_gru_reset_before(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """keras.layers.GRU(reset_after=False)."""
    (h,) = states
    x_z, x_r, x_h = np.split(x @ at["kernel"] + at["bias"], 3, axis=1)
    u_z, u_r, u_h = np.split(at["recurrent_kernel"], 3, axis=1)
    z, r = sigma(x_z + h @ u_z), sigma(x_r + h @ u_r)
    return (z * h + (1 - z) * np.tanh(x_h + (r * h) @ u_h),)


def keras_rnn(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """keras.layers.SimpleRNN."""
    return (np.tanh(x @ at["kernel"] + states[0] @ at["recurrent_kernel"] + at["bias"]),)


def flax_lstm(input_forget: str, dot: str) -> Step:
    """linen.LSTMCell and nnx.LSTMCell: a Dense for each product of a gate, the carry is (c, h)."""

    def step(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
        h, c = states
        inputs = {"i": "ii", "f": input_forget, "g": "ig", "o": "io"}
        sums = {
            gate: x @ at[f"{name}{dot}kernel"] + h @ at[f"h{gate}{dot}kernel"] + at[f"h{gate}{dot}bias"]
            for gate, name in inputs.items()
        }
        return lstm(sums["i"], sums["f"], sums["g"], sums["o"], c)

    return step


def flax_lstm_shapes(input_forget: str, dot: str) -> Callable[[int, int], Shapes]:
    def shapes(inputs: int, units: int) -> Shapes:
        found: Shapes = {f"{name}{dot}kernel": (inputs, units) for name in ("ii", input_forget, "ig", "io")}
        for gate in "ifgo":
            found |= {f"h{gate}{dot}kernel": (units, units), f"h{gate}{dot}bias": (units,)}
        return found

    return shapes


def linen_gru(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """linen.GRUCell: the inputs' Denses have biases, and hn's."""
    (h,) = states
    x_r, x_z, x_n = (x @ at[f"i{gate}/kernel"] + at[f"i{gate}/bias"] for gate in "rzn")
    r, z = sigma(x_r + h @ at["hr/kernel"]), sigma(x_z + h @ at["hz/kernel"])
    return ((1 - z) * np.tanh(x_n + r * (h @ at["hn/kernel"] + at["hn/bias"])) + z * h,)


def linen_gru_shapes(inputs: int, units: int) -> Shapes:
    found: Shapes = {"hn/bias": (units,)}
    for gate in "rzn":
        found |= {f"i{gate}/kernel": (inputs, units), f"i{gate}/bias": (units,), f"h{gate}/kernel": (units, units)}
    return found


def linen_rnn(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """linen.SimpleCell."""
    return (np.tanh(x @ at["i/kernel"] + at["i/bias"] + states[0] @ at["h/kernel"]),)


def nnx_optimized_lstm(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """nnx.OptimizedLSTMCell."""
    h, c = states
    i, f, g, o = np.split(x @ at["dense_i.kernel"] + h @ at["dense_h.kernel"] + at["dense_h.bias"], 4, axis=1)
    return lstm(i, f, g, o, c)


def nnx_gru(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """nnx.GRUCell: no bias inside the reset."""
    (h,) = states
    x_r, x_z, x_n = np.split(x @ at["dense_i.kernel"] + at["dense_i.bias"], 3, axis=1)
    u_r, u_z, u_n = np.split(h @ at["dense_h.kernel"], 3, axis=1)
    r, z = sigma(x_r + u_r), sigma(x_z + u_z)
    return ((1 - z) * np.tanh(x_n + r * u_n) + z * h,)


def nnx_rnn(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """nnx.SimpleCell."""
    return (np.tanh(x @ at["dense_i.kernel"] + at["dense_i.bias"] + states[0] @ at["dense_h.kernel"]),)


def haiku_lstm(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """hk.LSTM: one Linear of [x; h], columns i, g, f, o, and sigmoid(f + 1)."""
    h, c = states
    i, g, f, o = np.split(np.concatenate([x, h], axis=1) @ at["linear/w"] + at["linear/b"], 4, axis=1)
    return lstm(i, f + 1, g, o, c)


def haiku_gru(x: Array, at: Named, states: tuple[Array, ...]) -> tuple[Array, ...]:
    """hk.GRU: columns z, r, a; (1 - z) h + z a, and the reset before the product."""
    (h,) = states
    x_z, x_r, x_a = np.split(x @ at["w_i"] + at["b"], 3, axis=1)
    u_z, u_r, u_a = np.split(at["w_h"], 3, axis=1)
    z, r = sigma(x_z + h @ u_z), sigma(x_r + h @ u_r)
    return ((1 - z) * h + z * np.tanh(x_a + (r * h) @ u_a),)


def columns(gates: int, kernel: str, recurrent: str, bias: str, biases: int = 1) -> Callable[[int, int], Shapes]:
    """The shapes of two matrices and a bias."""

    def shapes(inputs: int, units: int) -> Shapes:
        wide = gates * units
        return {kernel: (inputs, wide), recurrent: (units, wide), bias: (wide,) if biases == 1 else (biases, wide)}

    return shapes


KERAS = ("kernel", "recurrent_kernel", "bias")
OTHERS = {  # by the names of the layouts
    "keras.LSTM": Other(columns(4, *KERAS), keras_lstm, 2),
    "keras.GRU": Other(columns(3, *KERAS, biases=2), keras_gru, 1),
    "keras.GRU(reset_after=False)": Other(columns(3, *KERAS), keras_gru_reset_before, 1),
    "keras.SimpleRNN": Other(columns(1, *KERAS), keras_rnn, 1),
    "flax.linen.LSTMCell": Other(flax_lstm_shapes("if", "/"), flax_lstm("if", "/"), 2),
    "flax.linen.OptimizedLSTMCell": Other(flax_lstm_shapes("if", "/"), flax_lstm("if", "/"), 2),
    "flax.linen.GRUCell": Other(linen_gru_shapes, linen_gru, 1),
    "flax.linen.SimpleCell": Other(columns(1, "i/kernel", "h/kernel", "i/bias"), linen_rnn, 1),
    "flax.nnx.LSTMCell": Other(flax_lstm_shapes("if_", "."), flax_lstm("if_", "."), 2),
    "flax.nnx.OptimizedLSTMCell": Other(columns(4, "dense_i.kernel", "dense_h.kernel", "dense_h.bias"), nnx_optimized_lstm, 2),
    "flax.nnx.GRUCell": Other(columns(3, "dense_i.kernel", "dense_h.kernel", "dense_i.bias"), nnx_gru, 1),
    "flax.nnx.SimpleCell": Other(columns(1, "dense_i.kernel", "dense_h.kernel", "dense_i.bias"), nnx_rnn, 1),
    "haiku.LSTM": Other(lambda i, h: {"linear/w": (i + h, 4 * h), "linear/b": (4 * h,)}, haiku_lstm, 2),
    "haiku.GRU": Other(columns(3, "w_i", "w_h", "b"), haiku_gru, 1),
}
