"""Haiku's recurrent cores against byhand's layers made of their parameters. Run by `make libraries`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from against import needs

from byhand import cells, load_weights

hk, jax = needs("haiku"), needs("jax")
jnp = jax.numpy

jax.config.update("jax_enable_x64", True)
INPUTS, H, B, T = 3, 5, 2, 7
NEAR = {"float32": 1e-6, "float64": 4e-15}
CORES = {
    "LSTM": lambda: hk.LSTM(H),
    "GRU": lambda: hk.GRU(H),
    "VanillaRNN": lambda: hk.VanillaRNN(H),
    "VanillaRNN, one bias": lambda: hk.VanillaRNN(H, double_bias=False),
}


def drawn(kind: str) -> Any:
    return np.random.default_rng(9).normal(size=(T, B, INPUTS)).astype(kind)


def filled(tree: Any, kind: str) -> Any:
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda one: jnp.asarray(rng.normal(0, 0.25, one.shape).astype(kind)), tree)


@pytest.mark.parametrize("kind", NEAR)
@pytest.mark.parametrize("name", CORES)
def test_a_core_outputs_and_states(name: str, kind: str) -> None:
    x = drawn(kind)

    def run(x: Any) -> Any:
        core = CORES[name]()
        first = jax.tree.map(lambda one: one.astype(kind), core.initial_state(B))
        return hk.dynamic_unroll(core, x, first)

    model = hk.without_apply_rng(hk.transform(run))
    parameters = filled(model.init(jax.random.key(0), jnp.asarray(x)), kind)
    expected, last = model.apply(parameters, jnp.asarray(x))
    ours = load_weights(parameters)
    assert not ours.batch_first and str(ours.weight_ih_l0.dtype) == f"torch.{kind}"
    output, states = ours(torch.from_numpy(x))
    np.testing.assert_allclose(output.detach(), expected, rtol=0, atol=NEAR[kind])
    states = states if isinstance(states, tuple) else (states,)
    last = (last.hidden, last.cell) if name == "LSTM" else (last,)
    for one, other in zip(states, last, strict=True):
        np.testing.assert_allclose(one[0].detach(), other, rtol=0, atol=NEAR[kind])


def test_stacks_and_names_of_their_own() -> None:
    x = drawn("float64")

    def run(x: Any) -> Any:
        core = hk.DeepRNN([hk.LSTM(H), hk.LSTM(H)])
        y, _ = hk.dynamic_unroll(core, x, jax.tree.map(lambda one: one.astype("float64"), core.initial_state(B)))
        mine = hk.LSTM(4, name="mine")
        first = jax.tree.map(lambda one: one.astype("float64"), mine.initial_state(B))
        return hk.dynamic_unroll(mine, y, first, reverse=True)[0], hk.Linear(2)(y)

    model = hk.without_apply_rng(hk.transform(run))
    parameters = filled(model.init(jax.random.key(0), jnp.asarray(x)), "float64")
    expected, _ = model.apply(parameters, jnp.asarray(x))
    low = load_weights(parameters, prefix=["lstm", "lstm_1"])
    assert low.num_layers == 2 and low.cell is cells.lstm
    y = low(torch.from_numpy(x))[0]
    high = load_weights(parameters, prefix="mine")
    np.testing.assert_allclose(high(y.flip(0))[0].flip(0).detach(), expected, rtol=0, atol=4e-15)
    with pytest.raises(ValueError, match="got 2 recurrent layers, lstm, lstm_1: choose one"):
        load_weights(parameters)


def test_what_haiku_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="expected a recurrent layer that byhand can read, got none"):
        load_weights({"linear": {"w": np.ones((3, 4), "float32"), "b": np.ones(4, "float32")}})
