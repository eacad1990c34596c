"""A layer on the device and the same on the CPU, in float64, and how far apart they are."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

import byhand
from byhand import cells
from byhand.cells import Cell
from tools.gpu.machine import DEVICE, INTERPRETED

DOUBLE = torch.float64
TIME, BATCH, WIDTH, HIDDEN = (2, 2, 2, 4) if INTERPRETED else (9, 6, 5, 33)

Use = Callable[[], float | str]  # gives the largest error, or why there is nothing to do here


def pair(cell: Cell = cells.peephole, **options: Any) -> tuple[byhand.LSTM, byhand.LSTM, Tensor]:
    """A layer on the device, the same on the CPU, and an input for both, there."""
    there = byhand.LSTM(WIDTH, HIDDEN, cell=cell, dtype=DOUBLE, **options).eval()
    return deepcopy(there).to(DEVICE), there, torch.randn(TIME, BATCH, WIDTH, dtype=DOUBLE)


def off(found: Any, right: Any) -> float:
    """The largest difference of all tensors in two answers of the same form; NaN if there is one."""
    if isinstance(right, Tensor):
        return float(((found.cpu() - right).abs() / right.abs().clamp(min=1)).max()) if right.numel() else 0.0
    return float(torch.tensor([off(one, other) for one, other in zip(found, right, strict=True)]).max())


def trained(layer: byhand.LSTM, x: Any, engine: str) -> list[Tensor]:
    """Output, last states, and the gradients by all parameters, on this engine."""
    with byhand.use_engine(engine):
        output, state = layer(x)
        output = output if isinstance(output, Tensor) else output.data
        last = list(state) if isinstance(state, tuple) else [state]
        grads = torch.autograd.grad(output.sin().sum() + sum(one.sum() for one in last), list(layer.parameters()))
    return [one.detach() for one in (output, *last, *grads)]


def both(layers: tuple[byhand.LSTM, byhand.LSTM], x: Any) -> float:
    return off(trained(layers[0], x.to(DEVICE), "triton"), trained(layers[1], x, "reference"))
