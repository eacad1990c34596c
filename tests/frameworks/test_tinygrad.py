"""What is read from tinygrad computes what tinygrad computes. On its device PYTHON (DEV=PYTHON), as the others need compilers."""

from typing import Any

import numpy as np
import pytest
from against import BATCH, HIDDEN, INPUT, TIME, close, draw, needs, run, states, step_by_step

import byhand
from byhand.interop import other_layouts
from byhand.interop.stacks import weights_of
from byhand.interop.weights import write

tinygrad = needs("tinygrad")
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def made(*, bias: bool = True):
    cell = tinygrad.nn.LSTMCell(INPUT, HIDDEN, bias=bias)
    for seed, name in enumerate(NAMES):
        if getattr(cell, name) is not None:
            setattr(cell, name, tinygrad.Tensor(draw(*getattr(cell, name).shape, kind="float32", seed=seed)))
    return cell


@pytest.mark.parametrize("bias", [True, False])
def test_a_cell_computes_the_same(bias: bool) -> None:
    cell = made(bias=bias)
    layer = byhand.load_weights(cell)
    x, first = draw(TIME, BATCH, INPUT, kind="float32"), states(layer)

    def step(x: Any, *state: Any) -> Any:
        return [one.numpy() for one in cell(tinygrad.Tensor(x), tuple(map(tinygrad.Tensor, state)))]

    outputs, last = step_by_step(step, x, [value[0] for value in first])
    ours, ours_last = run(layer, x, first)
    close(ours, outputs)
    close([value[0] for value in ours_last], last)


def test_what_is_written_is_what_was_read() -> None:
    cell = made()
    (weights,) = weights_of(byhand.load_weights(cell))
    for name, value in write(other_layouts.TINYGRAD_LSTM, weights).items():
        np.testing.assert_array_equal(value.numpy(), getattr(cell, name).numpy())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_dtype_is_kept(dtype: str) -> None:
    cell = made()
    for name in NAMES:
        setattr(cell, name, getattr(cell, name).cast(getattr(tinygrad.dtypes, dtype)).realize())
    layer = byhand.load_weights(cell)
    assert str(layer.bias_hh_l0.dtype) == f"torch.{dtype}"
    np.testing.assert_array_equal(layer.bias_hh_l0.detach().float().numpy(), cell.bias_hh.float().numpy())
