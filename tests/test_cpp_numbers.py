"""Rounding, infinities and NaN, and numbers too small for the usual form, on the C++ engine."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import Shape, as_hx, as_tuple, layer, normal, starts
from functions import EVERYTHING
from pairs import FOUR, answers, assert_equal, example, on, packed, threads
from torch import Tensor, nn

from byhand import LSTM, cells, record, use_engine

TORCHS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU}
SHAPES = [
    Shape(20, 8, 16, 32),
    Shape(50, 4, 3, 65),
    Shape(100, 2, 64, 64),
    Shape(7, 33, 40, 128),
    Shape(3, 1, 10, 20),
    Shape(1, 1, 5, 40),
]
four = pytest.mark.parametrize("name", FOUR)


def errors(module: nn.Module, truth: dict[str, Tensor], *given: Any) -> dict[str, float]:
    return {name: (value.double() - truth[name]).abs().max().item() for name, value in answers(module, *given).items()}


def assert_no_worse_than_torch(name: str, shape: Shape, dtype: torch.dtype, **options: Any) -> None:
    """Each result's and gradient's greatest error, against the same weights in float64."""
    theirs = TORCHS[name](shape.input, shape.hidden, dtype=dtype, **options)
    ours = LSTM(shape.input, shape.hidden, cell=FOUR[name], dtype=dtype, **options)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(shape.time, shape.batch, shape.input, dtype=dtype)
    truth = answers(copy.deepcopy(theirs).double(), x.double())
    wanted = errors(theirs, truth, x)
    with use_engine("cpp"):
        found = errors(ours, truth, x)
    for label, error in found.items():
        size = truth[label].abs().max().item()
        assert error <= 2 * wanted[label] + torch.finfo(dtype).eps * size, f"{label}: {error:.2e}, torch {wanted[label]:.2e}"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("name", TORCHS)
def test_float32_is_as_near_the_truth_as_torch(name: str, shape: Shape) -> None:
    assert_no_worse_than_torch(name, shape, torch.float32)


@pytest.mark.parametrize("options", [{"num_layers": 2, "bidirectional": True}, {"bias": False}, {"proj_size": 10}], ids=str)
def test_float32_in_other_layers(options: dict[str, Any]) -> None:
    assert_no_worse_than_torch("lstm", Shape(20, 8, 16, 32), torch.float32, **options)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", TORCHS)
def test_bfloat16_is_as_near_the_truth_as_torch(name: str, count: int) -> None:
    with threads(count):
        assert_no_worse_than_torch(name, Shape(20, 8, 16, 32), torch.bfloat16)
