"""Running a model again and again on the same input: the same random numbers each time, gradients wherever they can be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

F = TypeVar("F")


def run(model: nn.Module, x: Any) -> Any:
    """What the model makes of its input; a tuple holds several arguments."""
    return model(*x) if type(x) is tuple else model(x)


@contextmanager
def same_random_numbers(seed: int) -> Iterator[None]:
    """Dropout, zoneout and the like draw the same inside every such block, and nothing is drawn as far as the outside can tell."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def differentiable(x: Any) -> Any:
    """The same input, such that gradients by all that is made of it can be had."""
    if isinstance(x, PackedSequence):
        return x._replace(data=differentiable(x.data))
    if isinstance(x, Tensor):
        return x.detach().requires_grad_() if x.is_floating_point() else x
    return tuple(differentiable(one) for one in x) if type(x) is tuple else x


def function(value: F, purpose: str, what: str) -> F:
    """The same. TypeError for what cannot be called."""
    if not callable(value):
        raise TypeError(f"{purpose} expected {what} to be a function, got {value!r}")
    return value


def scalar(value: Any, purpose: str, what: str) -> Tensor:
    """TypeError or ValueError unless it is one number, finite and with a graph."""
    value = single(value, purpose, what)
    if not value.requires_grad:
        raise ValueError(f"{purpose} expected {what} to depend on the model's memories, got a value without a gradient")
    if not bool(value.isfinite()):
        raise ValueError(
            f"{purpose} expected {what} to give a finite number, got {value.item()}: byhand.check_finite finds the module"
        )
    return value


def single(value: Any, purpose: str, what: str) -> Tensor:
    """As a scalar. TypeError or ValueError unless it is a tensor of one number."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{purpose} expected {what} to give a tensor of one number, got a {type(value).__name__}")
    if value.numel() != 1:
        raise ValueError(f"{purpose} expected {what} to give one number, got shape {tuple(value.shape)}: add .sum() or .mean()")
    return value.reshape(())
