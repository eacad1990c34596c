"""Flax's recurrent cells, linen and nnx, against byhand's layers made of them; and back. Run by `make libraries`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from against import needs

import byhand
from byhand import cells, load_weights, to_flax

linen, nnx, jax = needs("flax.linen"), needs("flax.nnx"), needs("jax")
jnp = jax.numpy

jax.config.update("jax_enable_x64", True)
INPUTS, H, B, T = 3, 5, 2, 7
NEAR = {"float32": 1e-6, "float64": 2e-15}
LINEN = {"LSTMCell": cells.lstm, "OptimizedLSTMCell": cells.lstm, "GRUCell": cells.gru, "SimpleCell": cells.rnn}
LENGTHS = [T, 4]


def filled(tree: Any, kind: str, seed: int = 0) -> Any:
    """The same tree with other random numbers."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda one: jnp.asarray(rng.normal(0, 0.5, one.shape).astype(kind)), tree)


def drawn(kind: str) -> Any:
    return np.random.default_rng(9).normal(size=(B, T, INPUTS)).astype(kind)


def near(ours: torch.Tensor, theirs: Any, kind: str) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), np.asarray(theirs), rtol=0, atol=NEAR[kind])


def states_of(carry: Any) -> list[Any]:
    """The output first, as byhand's: Flax's LSTM carries (c, h)."""
    return list(carry)[::-1] if isinstance(carry, tuple) else [carry]


def flat(states: Any) -> list[torch.Tensor]:
    return list(states) if isinstance(states, tuple) else [states]


def linen_cell(name: str, kind: str) -> Any:
    return getattr(linen, name)(H, dtype=kind, param_dtype=kind)


def nnx_cell(name: str, kind: str, inputs: int = INPUTS) -> Any:
    made = getattr(nnx, name)(inputs, H, dtype=jnp.dtype(kind), param_dtype=jnp.dtype(kind), rngs=nnx.Rngs(0))
    state = nnx.state(made, nnx.Param)
    nnx.update(made, filled(state, kind))
    return made


@pytest.mark.parametrize("kind", NEAR)
@pytest.mark.parametrize("name", LINEN)
def test_linen(name: str, kind: str) -> None:
    x = drawn(kind)
    module = linen.RNN(linen_cell(name, kind), return_carry=True)
    variables = filled(module.init(jax.random.key(0), x), kind)
    carry, expected = module.apply(variables, x)
    for source in (variables, variables["params"], module.bind(variables), jax.tree.map(np.asarray, variables)):
        ours = load_weights(source)
        assert ours.cell is LINEN[name] and ours.batch_first and str(ours.weight_ih_l0.dtype) == f"torch.{kind}"
        output, states = ours(torch.from_numpy(x))
        near(output, expected, kind)
        for one, other in zip(flat(states), states_of(carry), strict=True):
            near(one[0], other, kind)
    again = to_flax(ours)
    assert jax.tree.structure(again) == jax.tree.structure(variables)
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: a.dtype == b.dtype and bool((a == b).all()), again, variables)))


@pytest.mark.parametrize("kind", NEAR)
@pytest.mark.parametrize("name", LINEN)
def test_linen_both_directions_with_lengths(name: str, kind: str) -> None:
    x = drawn(kind)
    module = linen.Bidirectional(linen.RNN(linen_cell(name, kind)), linen.RNN(linen_cell(name, kind)))
    variables = filled(module.init(jax.random.key(0), x), kind)
    for source in (variables, module.bind(variables)):
        ours = load_weights(source)
        assert ours.bidirectional
        near(ours(torch.from_numpy(x))[0], module.apply(variables, x), kind)
        lengths = torch.tensor(LENGTHS)
        packed = torch.nn.utils.rnn.pack_padded_sequence(torch.from_numpy(x), lengths, batch_first=True)
        output = torch.nn.utils.rnn.pad_packed_sequence(ours(packed)[0], batch_first=True)[0]
        expected = np.array(module.apply(variables, x, seq_lengths=jnp.array(LENGTHS)))
        for row, length in enumerate(LENGTHS):  # beyond it Flax runs on
            near(output[row, :length], expected[row, :length], kind)
    again = to_flax(ours)
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), again, variables)))


class Model(linen.Module):
    """Cells with Flax's names and with one of their own."""

    @linen.compact
    def __call__(self, x: Any) -> Any:
        x = linen.RNN(linen.OptimizedLSTMCell(H))(x)
        x = linen.Bidirectional(linen.RNN(linen.LSTMCell(H)), linen.RNN(linen.LSTMCell(H)))(x)
        x = linen.RNN(linen.GRUCell(4, name="last"))(x)
        return linen.Dense(2)(x)


def test_cells_in_a_model_by_their_names() -> None:
    x = drawn("float32")
    variables = filled(Model().init(jax.random.key(0), x), "float32")
    first = load_weights(variables, prefix="OptimizedLSTMCell_0")
    both = load_weights(variables, prefix=["LSTMCell_0", "LSTMCell_1"], bidirectional=True)
    last = load_weights(variables, prefix="last")
    dense = variables["params"]["Dense_0"]
    y = last(both(first(torch.from_numpy(x))[0])[0])[0].detach().numpy() @ np.array(dense["kernel"]) + np.array(dense["bias"])
    np.testing.assert_allclose(y, np.asarray(Model().apply(variables, x)), rtol=0, atol=5e-6)
    with pytest.raises(ValueError, match=r"got 4 recurrent layers, .*: choose one, as in prefix="):
        load_weights(variables)
    with pytest.raises(ValueError, match=r"write module\.bind\(variables\)"):
        load_weights(Model())


@pytest.mark.parametrize("kind", NEAR)
@pytest.mark.parametrize("name", LINEN)
def test_nnx(name: str, kind: str) -> None:
    x = drawn(kind)
    module = nnx.RNN(nnx_cell(name, kind), return_carry=True, rngs=nnx.Rngs(0))
    carry, expected = module(jnp.asarray(x))
    for source in (module, nnx.state(module), nnx.state(module, nnx.Param)):
        ours = load_weights(source)
        assert ours.cell is LINEN[name] and str(ours.weight_ih_l0.dtype) == f"torch.{kind}"
        output, states = ours(torch.from_numpy(x))
        near(output, expected, kind)
        for one, other in zip(flat(states), states_of(carry), strict=True):
            near(one[0], other, kind)
    state = to_flax(ours, api="nnx", optimized=name == "OptimizedLSTMCell")
    blank = nnx.RNN(nnx_cell(name, kind), rngs=nnx.Rngs(1))
    nnx.update(blank, jax.tree.map(jnp.zeros_like, nnx.state(blank, nnx.Param)))
    nnx.update(blank, state)
    for one, other in zip(
        jax.tree.leaves(nnx.state(blank, nnx.Param)), jax.tree.leaves(nnx.state(module, nnx.Param)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(blank(jnp.asarray(x)), expected)


@pytest.mark.parametrize("name", LINEN)
def test_nnx_both_directions(name: str) -> None:
    x, rngs = drawn("float64"), nnx.Rngs(0)
    halves = [nnx.RNN(nnx_cell(name, "float64"), rngs=rngs) for _ in range(2)]
    nnx.update(halves[1], filled(nnx.state(halves[1], nnx.Param), "float64", seed=4))
    module = nnx.Bidirectional(*halves, rngs=rngs)
    for source in (module, nnx.state(module, nnx.Param)):
        near(load_weights(source)(torch.from_numpy(x))[0], module(jnp.asarray(x)), "float64")


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", [cells.lstm, cells.gru, cells.rnn], ids=lambda cell: cell.name)
def test_to_linen_computes_the_same(cell: cells.Cell, layers: int, both: bool) -> None:
    ours = byhand.LSTM(INPUTS, H, layers, bidirectional=both, cell=cell, batch_first=True, dtype=torch.float64)
    name = {cells.lstm: "LSTMCell", cells.gru: "GRUCell", cells.rnn: "SimpleCell"}[cell]

    def rnn() -> Any:
        return linen.RNN(linen_cell(name, "float64"))

    parts = [linen.Bidirectional(rnn(), rnn()) if both else rnn() for _ in range(layers)]
    module = linen.Sequential(parts) if layers > 1 else parts[0]
    x = drawn("float64")
    near(ours(torch.from_numpy(x))[0], module.apply(to_flax(ours), x), "float64")


@pytest.mark.parametrize("reader", ["linen", "nnx"])
def test_what_reads_from_the_end_is_refused_or_handed_a_flipped_sequence(reader: str) -> None:
    x = drawn("float32")
    if reader == "linen":
        module = linen.RNN(linen.LSTMCell(H), reverse=True)
        variables = filled(module.init(jax.random.key(0), x), "float32")
        source, expected = module.bind(variables), module.apply(variables, x)
    else:
        source = nnx.RNN(nnx_cell("LSTMCell", "float32"), reverse=True, rngs=nnx.Rngs(0))
        expected = source(jnp.asarray(x))
    with pytest.raises(ValueError, match="with reverse=True reads from the end"):
        load_weights(source)
    near(load_weights(source, flipped=True)(torch.from_numpy(x).flip(1))[0], expected, "float32")


def test_time_first() -> None:
    module = nnx.RNN(nnx_cell("LSTMCell", "float32"), time_major=True, rngs=nnx.Rngs(0))
    assert not load_weights(module).batch_first


def bound(module: Any) -> Any:
    return module.bind(module.init(jax.random.key(0), drawn("float32")))


REFUSED = {
    "expected activation_fn to be Flax's default": lambda: bound(linen.RNN(linen.LSTMCell(H, activation_fn=jax.nn.relu))),
    "expected gate_fn to be Flax's default": lambda: nnx.LSTMCell(INPUTS, H, gate_fn=jax.nn.hard_sigmoid, rngs=nnx.Rngs(0)),
    "expected residual=False, got True": lambda: bound(linen.RNN(linen.SimpleCell(H, residual=True))),
    "expected a recurrent layer that byhand can read, got none": lambda: bound(linen.RNN(linen.MGUCell(H))),
    "expected its merge_fn to concatenate": lambda: bound(
        linen.Bidirectional(linen.RNN(linen.LSTMCell(H)), linen.RNN(linen.LSTMCell(H)), merge_fn=lambda a, b: a + b)
    ),
    "expected one kind of cell in both directions, got gru, lstm": lambda: bound(
        linen.Bidirectional(linen.RNN(linen.LSTMCell(H)), linen.RNN(linen.GRUCell(H)))
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_byhand_cannot_compute_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_weights(REFUSED[message]())


def test_what_flax_cannot_compute_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"flax\.nnx\.GRUCell has no bias inside the reset"):
        to_flax(byhand.LSTM(INPUTS, H, cell=cells.gru), api="nnx")
    with pytest.raises(ValueError, match="expected a layer with cell lstm, gru or rnn and without dropout, got 'slstm'"):
        to_flax(byhand.LSTM(INPUTS, H, cell=cells.slstm))
    with pytest.raises(ValueError, match="has no place for weight_hr"):
        to_flax(byhand.LSTM(INPUTS, H, proj_size=2))
    with pytest.raises(ValueError, match="expected api='linen' or api='nnx', got 'haiku'"):
        to_flax(byhand.LSTM(INPUTS, H), api="haiku")


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_halves_are_kept_to_the_bit(kind: str) -> None:
    x = jnp.ones((B, T, INPUTS), kind)
    module = linen.RNN(linen.LSTMCell(H, dtype=kind, param_dtype=kind, recurrent_kernel_init=linen.initializers.lecun_normal()))
    variables = module.init(jax.random.key(0), x)
    again = to_flax(load_weights(variables))
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: a.dtype == b.dtype and bool((a == b).all()), again, variables)))
