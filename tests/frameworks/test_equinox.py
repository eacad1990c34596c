"""What is read from equinox computes what equinox computes."""

from typing import Any

import numpy as np
import pytest
from against import BATCH, HIDDEN, INPUT, TIME, close, draw, needs, one_or_all, run, states, step_by_step

import byhand
from byhand.interop import other_layouts
from byhand.interop.stacks import weights_of
from byhand.interop.weights import write

equinox, jax = map(needs, ("equinox", "jax"))
jax.config.update("jax_enable_x64", True)
LAYOUTS = {"LSTMCell": other_layouts.EQUINOX_LSTM, "GRUCell": other_layouts.EQUINOX_GRU}


def made(kind: str, dtype: str, *, bias: bool = True):
    """A cell with random arrays."""
    cell = getattr(equinox.nn, kind)(INPUT, HIDDEN, use_bias=bias, key=jax.random.key(0), dtype=dtype)
    return with_arrays(
        cell,
        {
            array.name: draw(*getattr(cell, array.name).shape, kind=dtype, seed=k)
            for k, array in enumerate(LAYOUTS[kind].arrays)
            if getattr(cell, array.name) is not None
        },
    )


def with_arrays(cell, arrays):
    return equinox.tree_at(
        lambda c: [getattr(c, name) for name in arrays], cell, [jax.numpy.asarray(value) for value in arrays.values()]
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
def test_a_cell_computes_the_same(kind: str, dtype: str, bias: bool) -> None:
    cell = made(kind, dtype, bias=bias)
    layer = byhand.load_weights(cell)
    x, first = draw(TIME, BATCH, INPUT, kind=dtype), states(layer)

    def step(x: Any, *state: Any) -> Any:
        now = jax.vmap(cell)(x, one_or_all(state))
        return now if len(state) > 1 else (now,)

    outputs, last = step_by_step(step, x, [value[0] for value in first])
    ours, ours_last = run(layer, x, first)
    close(ours, outputs)
    close([value[0] for value in ours_last], last)


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
def test_what_is_written_is_what_was_read(kind: str) -> None:
    cell = made(kind, "float32")
    (weights,) = weights_of(byhand.load_weights(cell))
    for name, value in write(LAYOUTS[kind], weights).items():
        np.testing.assert_array_equal(value.numpy(), getattr(cell, name))


def test_a_subclass_that_computes_in_its_own_way_is_refused() -> None:
    class Doubled(equinox.nn.LSTMCell):
        def __call__(self, input, hidden, *, key=None):
            return super().__call__(2 * input, hidden, key=key)

    with pytest.raises(TypeError, match="Doubled, a subclass that computes in its own way"):
        byhand.load_weights(Doubled(INPUT, HIDDEN, key=jax.random.key(0)))


def test_a_cell_inside_a_model() -> None:
    class Model(equinox.Module):
        cells: list
        head: Any

    model = Model([made("LSTMCell", "float32"), made("GRUCell", "float32")], equinox.nn.Linear(2, 2, key=jax.random.key(1)))
    assert byhand.load_weights(model, prefix="cells.1").cell.name == "gru"
    with pytest.raises(ValueError, match=r"got 2 recurrent layers, cells\.0, cells.1: choose one"):
        byhand.load_weights(model)
    both = byhand.load_weights([model.cells[0], made("LSTMCell", "float32")], bidirectional=True)
    assert both.bidirectional and (both.weight_hh_l0 == both.weight_hh_l0_reverse).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_dtype_is_kept(dtype: str) -> None:
    cell = with_arrays(made("LSTMCell", "float32"), {"weight_hh": made("LSTMCell", "float32").weight_hh})
    cell = jax.tree.map(lambda leaf: leaf.astype(dtype), cell)
    layer = byhand.load_weights(cell)
    assert str(layer.weight_hh_l0.dtype) == f"torch.{dtype}"
    np.testing.assert_array_equal(layer.weight_hh_l0.detach().float().numpy(), cell.weight_hh.astype("float32"))
