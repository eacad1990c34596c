"""Rounding on the C++ engine: against torch's own layers, and function by function."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import Shape
from functions import ALONE, EVERYTHING, FUNCTIONS, PRECISE
from pairs import FOUR, Named, answers, assert_close, example, on, threads
from torch import Tensor, nn

from byhand import LSTM, record, use_engine
from byhand.cells import Cell

INF, NAN = float("inf"), float("nan")
TORCHS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}
SHAPES = [Shape(20, 8, 16, 32), Shape(50, 4, 3, 65), Shape(7, 33, 40, 128), Shape(1, 1, 5, 40), Shape(30, 16, 32, 300)]
LAYERS = {
    "two both ways": {"num_layers": 2, "bidirectional": True},
    "no bias": {"bias": False},
    "projection": {"proj_size": 10},
}


def errors(module: nn.Module, truth: Named, x: Tensor) -> dict[str, float]:
    """By name, over all elements: the root of the sum of squares."""
    return {name: (value.double() - truth[name]).norm().item() for name, value in answers(module, x).items()}


def assert_no_worse_than_torch(name: str, shape: Shape, dtype: torch.dtype, **options: Any) -> None:
    """The error of every result and gradient, against the same weights in float64, is at most twice that of torch's own layer and
    a quarter of a rounding.
    """
    theirs = TORCHS[name](shape.input, shape.hidden, dtype=dtype, **options)
    ours = LSTM(shape.input, shape.hidden, cell=FOUR[name], dtype=dtype, **options)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(shape.time, shape.batch, shape.input, dtype=dtype)
    truth = answers(copy.deepcopy(theirs).double(), x.double())
    wanted = errors(theirs, truth, x)
    with use_engine("cpp"):
        found = errors(ours, truth, x)
    for label, error in found.items():
        most = 2 * wanted[label] + torch.finfo(dtype).eps * truth[label].norm().item() / 4
        assert error <= most, f"{label}: {error:.2e}, torch {wanted[label]:.2e}"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("name", TORCHS)
def test_float32_is_as_near_the_truth_as_torch(name: str, shape: Shape) -> None:
    assert_no_worse_than_torch(name, shape, torch.float32)


@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
def test_float32_in_any_layer(options: dict[str, Any]) -> None:
    assert_no_worse_than_torch("lstm", Shape(20, 8, 16, 32), torch.float32, **options)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", TORCHS)
def test_bfloat16_is_as_near_the_truth_as_torch(name: str, count: int) -> None:
    with threads(count):
        assert_no_worse_than_torch(name, Shape(20, 8, 16, 32), torch.bfloat16)


@pytest.mark.parametrize("shape", [Shape(5, 3, 4, 17), Shape(9, 13, 3, 65)], ids=str)
@pytest.mark.parametrize("name", FOUR)
def test_float32_differs_from_the_reference_by_roundings(name: str, shape: Shape) -> None:
    lstm, x, states = example(name, shape)
    given = lstm.float(), x.float(), tuple(one.float() for one in states) if isinstance(states, tuple) else states.float()
    assert_close(on("cpp", *given), on("reference", *given), 3e-6, 1e-4)


def values_of(cell: Cell, x: Tensor, weight: Tensor) -> Named:
    """Every site of one step on many sequences, (batch,) each, for a layer of one unit. x (batch, input); weight (gates, input)."""
    lstm = LSTM(x.shape[1], 1, cell=cell, bias=False, dtype=x.dtype)
    with torch.no_grad(), use_engine("cpp"), record(lstm) as trace:
        lstm.get_parameter("weight_ih_l0").copy_(weight)
        lstm(x.unsqueeze(0))
    return {name.removeprefix("l0."): value.flatten() for name, value in trace.items()}


def of(x: Tensor) -> Named:
    """The functions that the kernel computes itself."""
    return values_of(ALONE, x.unsqueeze(-1), torch.ones(1, 1))


def units_in_the_last_place(found: Tensor, exact: Tensor) -> Any:
    """By how many of float32's a value differs from one of float64."""
    with np.errstate(all="ignore"):
        return (found.double() - exact).abs().numpy() / np.spacing(np.abs(exact.numpy().astype(np.float32))).astype(np.float64)


def patterns() -> Tensor:
    """A million float32 of random bits: all sizes alike, infinities and NaN among them."""
    return torch.randint(-(2**31), 2**31, (1 << 20,)).to(torch.int32).view(torch.float32)


GRIDS: dict[str, Callable[[], Tensor]] = {
    "around 0": lambda: torch.linspace(-1e-3, 1e-3, 200_001),
    "usual": lambda: torch.linspace(-20, 20, 400_001),
    "wide": lambda: torch.linspace(-110, 110, 400_001),
    "any bits": patterns,
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_functions_to_the_last_places(grid: Callable[[], Tensor]) -> None:
    """Where argument and result are of normal size."""
    x, least = grid(), torch.finfo(torch.float32).tiny
    found = of(x)
    for name in PRECISE:
        exact = getattr(torch, name)(x.double())
        normal = (exact.abs() > 1.01 * least) & (exact.abs() < 3.4e38) & (x.abs() > least) & x.isfinite()
        assert units_in_the_last_place(found[name], exact)[normal.numpy()].max() <= 4, name
        assert found[name].isnan().equal(x.isnan()), name


def test_functions_at_their_limits() -> None:
    found = of(torch.tensor([INF, -INF, NAN, 0.0, 1e30, -1e30, -104.0]))
    wanted = {
        "tanh": [1.0, -1.0, NAN, 0.0, 1.0, -1.0, -1.0],
        "sigmoid": [1.0, 0.0, NAN, 0.5, 1.0, 0.0, 0.0],
        "exp": [INF, 0.0, NAN, 1.0, INF, 0.0, 0.0],
        "expm1": [INF, -1.0, NAN, 0.0, INF, -1.0, -1.0],
    }
    for name, values in wanted.items():
        torch.testing.assert_close(
            found[name], torch.tensor(values), rtol=0, atol=0, equal_nan=True, msg=lambda t, n=name: f"{n}: {t}"
        )


def test_tanh_and_sigmoid_stay_within_their_bounds() -> None:
    found = of(torch.linspace(-120, 120, 1_000_001))
    assert found["tanh"].abs().max() == 1 and found["sigmoid"].max() == 1 and found["sigmoid"].min() >= 0


DTYPES = pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-13), (torch.float32, 1e-6)], ids=["double", "single"])


@DTYPES
@pytest.mark.parametrize("name", [*FUNCTIONS, "h"])
def test_every_function_that_a_step_may_use(name: str, dtype: torch.dtype, limit: float) -> None:
    """What is exact in real numbers is so to the last places."""
    x = torch.rand(1000, 2, dtype=dtype) * 0.8 + 0.1
    found = values_of(EVERYTHING, x, torch.eye(2))
    wanted = dict(zip(found, EVERYTHING.apply((x[:, 0], x[:, 1]), (), (x[:, 0],), ())[1].values(), strict=True))
    label = name.replace(" ", "_")
    torch.testing.assert_close(found[label], wanted[label], rtol=limit, atol=limit)


@DTYPES
def test_the_derivative_of_every_function_that_a_step_may_use(dtype: torch.dtype, limit: float) -> None:
    lstm, x = LSTM(2, 5, cell=EVERYTHING, bias=False, dtype=dtype), torch.rand(3, 7, 2, dtype=dtype) + 0.2
    with torch.no_grad():
        lstm.get_parameter("weight_ih_l0").uniform_(0.05, 0.3)
    assert_close(on("cpp", lstm, x), on("reference", lstm, x), 100 * limit, 100 * limit)


@DTYPES
@pytest.mark.parametrize("value", [NAN, INF, -INF, 0.0, -0.7, 0.5, 30.0, -800.0])
def test_every_function_of_special_values(value: float, dtype: torch.dtype, limit: float) -> None:
    """Where both gates have the same value."""
    x = torch.tensor([[value]], dtype=dtype)
    found = values_of(EVERYTHING, x, torch.ones(2, 1))
    wanted = EVERYTHING.apply((x[:, 0], x[:, 0]), (), (x[:, 0],), ())[1]
    for name, expected in wanted.items():
        torch.testing.assert_close(
            found[name], expected, rtol=limit, atol=limit, equal_nan=True, msg=lambda t, n=name: f"{n}: {t}"
        )
