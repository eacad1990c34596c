"""A layer that byhand read against the framework that it was read from: random weights and inputs at odd sizes, and how far apart."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

import byhand

INPUT, HIDDEN, BATCH, TIME = 3, 5, 2, 7
CLOSE = {"float32": 1e-6, "float64": 2e-15}


def needs(name: str) -> Any:
    """A framework's module. Where it is not installed, the test is skipped; by tools/libraries.py, which has installed it, failed."""
    package = name.partition(".")[0]
    if package in os.environ.get("LIBRARIES", "").split():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it says at its import, as importorskip does
            return import_module(name)
    return pytest.importorskip(name, reason=f"{package} is not installed: make libraries runs this test")


def draw(*shape: int, kind: str = "float64", seed: int = 0) -> Any:
    """Random numbers of such a size that gates are neither open nor shut."""
    return (np.random.default_rng([seed, *shape]).normal(size=shape) * 0.7).astype(kind)


def states(layer: byhand.LSTM, batch: int = BATCH, *, seed: int = 5) -> list[Any]:
    """First states, as numpy arrays (layers * directions, batch, width)."""
    kind = str(next(layer.parameters()).dtype).removeprefix("torch.")
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = [layer.proj_size or layer.hidden_size, *[layer.hidden_size] * (len(layer.cell.state) - 1)]
    return [draw(rows, batch, width, kind=kind, seed=seed + k) for k, width in enumerate(widths)]


def one_or_all(values: Sequence[Any]) -> Any:
    """Several states as a tuple, a single one by itself, as recurrent layers take them."""
    return tuple(values) if len(values) > 1 else values[0]


@torch.no_grad()
def run(layer: byhand.LSTM, x: Any, first: Sequence[Any] | None = None) -> tuple[Any, list[Any]]:
    """The outputs and last states of a byhand layer, as numpy arrays; x is laid out as the layer's batch_first says."""
    output, last = layer(torch.tensor(x), None if first is None else one_or_all([torch.tensor(value) for value in first]))
    return output.numpy(), [value.numpy() for value in (last if isinstance(last, tuple) else (last,))]


def close(ours: Any, theirs: Any) -> None:
    """Outputs, or states, are equal to rounding: 1e-6 in float32, 2e-15 in float64; of the greatest value, where that is above 1."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, (ours.shape, theirs.shape, ours.dtype, theirs.dtype)
    assert abs(ours - theirs).max() <= CLOSE[ours.dtype.name] * max(1, abs(theirs).max()), abs(ours - theirs).max()


def step_by_step(step: Callable[..., Sequence[Any]], x: Any, first: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The outputs and last states of a cell that takes one step at a time. x: (time, batch, input)."""
    now, outputs = list(first), []
    for t in range(len(x)):
        now = list(step(x[t], *now))
        outputs.append(np.asarray(now[0]))
    return np.stack(outputs), [np.asarray(value) for value in now]
