"""The layouts of other frameworks against their formulas in numpy, which are written from what each computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from against import close, draw, run, states, step_by_step
from oracle import sigma

from byhand.interop.layouts import layout_named
from byhand.interop.other_layouts import OTHERS
from byhand.interop.stacks import layer_of, weights_of
from byhand.interop.weights import read, write

INPUT, HIDDEN, HEADS, UNITS = 3, 5, 2, 3
Arrays = dict[str, Any]


class Formula(NamedTuple):
    """shapes: of the framework's arrays. step: (arrays, x, *states) -> new states, h first."""

    shapes: dict[str, tuple[int, ...]]
    step: Callable[..., tuple[Any, ...]]
    hidden: int = HIDDEN


def memory(i: Any, f: Any, g: Any, o: Any, c: Any) -> tuple[Any, Any]:
    """One step of an LSTM, from its pre-activations."""
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    return sigma(o) * np.tanh(c), c


def torchs(gates: int, **more: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    rows = gates * HIDDEN
    return {"weight_ih": (rows, INPUT), "weight_hh": (rows, HIDDEN), "bias_ih": (rows,), "bias_hh": (rows,)} | more


def lstm_of_two_biases(w: Arrays, x: Any, h: Any, c: Any) -> tuple[Any, ...]:
    return memory(*np.split(x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"], 4, -1), c)


def gru_of_two_biases(w: Arrays, x: Any, h: Any) -> tuple[Any, ...]:
    from_x = np.split(x @ w["weight_ih"].T + w["bias_ih"], 3, -1)
    from_h = np.split(h @ w["weight_hh"].T + w["bias_hh"], 3, -1)
    r, z = sigma(from_x[0] + from_h[0]), sigma(from_x[1] + from_h[1])
    return ((1 - z) * np.tanh(from_x[2] + r * from_h[2]) + z * h,)


def rnn_of_two_biases(w: Arrays, x: Any, h: Any) -> tuple[Any, ...]:
    return (np.tanh(x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]),)


def lstm_of_one_bias(input: str, recurrent: str, bias: str) -> Callable[..., tuple[Any, ...]]:
    return lambda w, x, h, c: memory(*np.split(x @ w[input].T + h @ w[recurrent].T + w[bias], 4, -1), c)


def gru_of_one_bias(input: str, recurrent: str, bias: str, inner: str) -> Callable[..., tuple[Any, ...]]:
    def step(w: Arrays, x: Any, h: Any) -> tuple[Any, ...]:
        from_x, from_h = np.split(x @ w[input].T + w[bias], 3, -1), np.split(h @ w[recurrent].T, 3, -1)
        r, z = sigma(from_x[0] + from_h[0]), sigma(from_x[1] + from_h[1])
        return ((1 - z) * np.tanh(from_x[2] + r * (from_h[2] + w[inner])) + z * h,)

    return step


def projected(w: Arrays, x: Any, h: Any, c: Any) -> tuple[Any, ...]:
    h, c = lstm_of_two_biases(w, x, h, c)
    return h @ w["weight_ho"], c


def ncps(w: Arrays, x: Any, h: Any, c: Any) -> tuple[Any, ...]:
    sums = x @ w["input_map.weight"].T + w["input_map.bias"] + h @ w["recurrent_map.weight"].T
    g, i, f, o = np.split(sums, 4, -1)
    return memory(i, f + 1.0, g, o, c)


def peephole(w: Arrays, x: Any, h: Any, c: Any) -> tuple[Any, ...]:
    sums = x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
    (i, f, g, o), (p_i, p_f, p_o) = np.split(sums, 4, -1), np.split(w["weight_ph"], 3)
    now = sigma(f + p_f * c) * c + sigma(i + p_i * c) * np.tanh(g)
    return sigma(o + p_o * now) * np.tanh(now), now


def by_heads(w: Arrays, h: Any) -> Any:
    """(batch, gate, head, unit): each head's units multiplied by its own matrices R[gate, head, new, old]."""
    kernel = w["R"] if w["R"].ndim == 4 else w["R"].reshape(HEADS, 4, UNITS, UNITS).swapaxes(0, 1)
    return np.einsum("ghnm,bhm->bghn", kernel, h.reshape(-1, HEADS, UNITS))


def lstm_of_heads(w: Arrays, x: Any, h: Any, c: Any) -> tuple[Any, ...]:
    sums = (x @ w["W"].T).reshape(-1, 4, HEADS, UNITS) + by_heads(w, h) + w["b"]
    return memory(*sums.reshape(-1, 4, HEADS * UNITS).swapaxes(0, 1), c)


def slstm_of_heads(w: Arrays, x: Any, h: Any, c: Any, n: Any, m: Any) -> tuple[Any, ...]:
    sums = (x @ w["W"].T).reshape(-1, 4, HEADS, UNITS) + by_heads(w, h) + w["b"]
    i, f, g, o = sums.reshape(-1, 4, HEADS * UNITS).swapaxes(0, 1)
    kept = m - np.log1p(np.exp(-f))
    now = i if (n == 0).all() else np.maximum(i, kept)
    c, n = np.exp(kept - now) * c + np.exp(i - now) * np.tanh(g), np.exp(kept - now) * n + np.exp(i - now)
    return sigma(o) * c / n, c, n, now


def gru_of_heads(w: Arrays, x: Any, h: Any) -> tuple[Any, ...]:
    x_r, x_z, x_n = (x @ w["W"].T).reshape(-1, 3, HEADS * UNITS).swapaxes(0, 1)
    h_n, h_r, h_z = by_heads(w, h).reshape(-1, 3, HEADS * UNITS).swapaxes(0, 1)
    inner, b_r, b_z, b_n = w["b"].reshape(4, HEADS * UNITS)
    r, z = sigma(x_r + h_r + b_r), sigma(x_z + h_z + b_z)
    return ((1 - z) * np.tanh(x_n + b_n + r * (h_n + inner)) + z * h,)


LSTM_ROWS, GRU_ROWS, ALL = 4 * HIDDEN, 3 * HIDDEN, HEADS * UNITS
XLSTM = {"W": (4 * ALL, INPUT), "R": (HEADS, 4 * UNITS, UNITS), "b": (4, HEADS, UNITS)}
FORMULAS = {
    "equinox.LSTMCell": Formula(
        {"weight_ih": (LSTM_ROWS, INPUT), "weight_hh": (LSTM_ROWS, HIDDEN), "bias": (LSTM_ROWS,)},
        lstm_of_one_bias("weight_ih", "weight_hh", "bias"),
    ),
    "equinox.GRUCell": Formula(
        {"weight_ih": (GRU_ROWS, INPUT), "weight_hh": (GRU_ROWS, HIDDEN), "bias": (GRU_ROWS,), "bias_n": (HIDDEN,)},
        gru_of_one_bias("weight_ih", "weight_hh", "bias", "bias_n"),
    ),
    "paddle.LSTM": Formula(torchs(4), lstm_of_two_biases),
    "paddle.LSTM, projected": Formula(torchs(4, weight_hh=(LSTM_ROWS, 2), weight_ho=(HIDDEN, 2)), projected),
    "paddle.GRU": Formula(torchs(3), gru_of_two_biases),
    "paddle.SimpleRNN": Formula(torchs(1), rnn_of_two_biases),
    "mlx.LSTM": Formula(
        {"Wx": (LSTM_ROWS, INPUT), "Wh": (LSTM_ROWS, HIDDEN), "bias": (LSTM_ROWS,)}, lstm_of_one_bias("Wx", "Wh", "bias")
    ),
    "mlx.GRU": Formula(
        {"Wx": (GRU_ROWS, INPUT), "Wh": (GRU_ROWS, HIDDEN), "b": (GRU_ROWS,), "bhn": (HIDDEN,)},
        gru_of_one_bias("Wx", "Wh", "b", "bhn"),
    ),
    "mlx.RNN": Formula(
        {"Wxh": (HIDDEN, INPUT), "Whh": (HIDDEN, HIDDEN), "bias": (HIDDEN,)},
        lambda w, x, h: (np.tanh(x @ w["Wxh"].T + h @ w["Whh"].T + w["bias"]),),
    ),
    "tinygrad.LSTMCell": Formula(torchs(4), lstm_of_two_biases),
    'xlstm.sLSTMCell(function="lstm")': Formula(XLSTM, lstm_of_heads, ALL),
    'xlstm.sLSTMCell(function="slstm")': Formula(XLSTM, slstm_of_heads, ALL),
    "flashrnn.lstm": Formula(XLSTM | {"R": (4, HEADS, UNITS, UNITS)}, lstm_of_heads, ALL),
    "flashrnn.gru": Formula({"W": (3 * ALL, INPUT), "R": (3, HEADS, UNITS, UNITS), "b": (4, HEADS, UNITS)}, gru_of_heads, ALL),
    "ncps.LSTMCell": Formula(
        {"input_map.weight": (LSTM_ROWS, INPUT), "recurrent_map.weight": (LSTM_ROWS, HIDDEN), "input_map.bias": (LSTM_ROWS,)},
        ncps,
    ),
    "torchrecurrent.PeepholeLSTM": Formula(torchs(4, weight_ph=(3 * HIDDEN,)), peephole),
    "neuralhydrology.CustomLSTM": Formula(
        {"w_ih": (LSTM_ROWS, INPUT), "w_hh": (LSTM_ROWS, HIDDEN), "b_ih": (LSTM_ROWS,), "b_hh": (LSTM_ROWS,)},
        lambda w, x, h, c: memory(*np.split(x @ w["w_ih"].T + w["b_ih"] + h @ w["w_hh"].T + w["b_hh"], 4, -1), c),
    ),
    "opacus.DPLSTM": Formula(torchs(4), lstm_of_two_biases),
}


def arrays_of(formula: Formula, dtype: str = "float64") -> Arrays:
    return {name: draw(*shape, kind=dtype, seed=k) for k, (name, shape) in enumerate(formula.shapes.items())}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_read_computes_the_formula(name: str, dtype: str) -> None:
    formula, layout = FORMULAS[name], layout_named(name.partition(",")[0])
    arrays = arrays_of(formula, dtype)
    layer = layer_of(layout.readable(), [read(layout, {name: torch.tensor(value) for name, value in arrays.items()})])
    x = draw(7, 2, INPUT, kind=dtype)
    first = [np.zeros_like(value) if layer.cell.name == "slstm" else value for value in states(layer)]
    outputs, last = step_by_step(lambda x, *state: formula.step(arrays, x, *state), x, [value[0] for value in first])
    ours, ours_last = run(layer, x, first)
    close(ours, outputs.astype(dtype))
    for one, other in zip(ours_last, last, strict=True):
        close(one[0], other.astype(dtype))


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_written_is_what_was_read(name: str) -> None:
    formula, layout = FORMULAS[name], layout_named(name.partition(",")[0])
    arrays = {name: torch.tensor(value) for name, value in arrays_of(formula).items()}
    (weights,) = weights_of(layer_of(layout.readable(), [read(layout, arrays)]))
    written = write(layout, weights, heads=HEADS if formula.hidden == ALL else 1)
    assert written.keys() == arrays.keys()
    assert all(torch.equal(written[name], value) for name, value in arrays.items())


def test_every_readable_layout_has_its_formula_here() -> None:
    assert {layout.name for layout in OTHERS if layout.cell is not None} == {name.partition(",")[0] for name in FORMULAS}
    assert all(layout.reason for layout in OTHERS if layout.cell is None)


def test_weights_between_heads_have_no_place() -> None:
    layout = layout_named("flashrnn.lstm")
    arrays = {name: torch.tensor(value) for name, value in arrays_of(FORMULAS["flashrnn.lstm"]).items()}
    weights = read(layout, arrays)
    weights["weight_hh"][0, UNITS] = 0.5
    with pytest.raises(ValueError, match="expected 2 heads that do not read each other, got weights between them"):
        write(layout, weights, heads=HEADS)
