"""How wrong a model is on sequences of its own task, in one number; where there are no right answers, how far its answers move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from byhand.explain.execution import run
from byhand.explorer.document.targets import IGNORE_INDEX, Targets
from byhand.explorer.load.model import Trained

NONE_ASKED = (-1, IGNORE_INDEX)


class Score(NamedTuple):
    """of: the score of what the model gives. name: in words. asked: whether it is held against right answers."""

    of: Callable[[Any], Tensor]
    name: str
    asked: bool


def score_of(trained: Trained) -> Score:
    """Cross-entropy in nats for classes, the mean squared error for numbers, both over all answers that are asked for; without
    targets the mean squared distance from what the model gives by itself.
    """
    assert trained.example is not None
    given = trained.example.get("targets")
    values = given.values if isinstance(given, Targets) else given
    if not isinstance(values, Tensor):
        before = answers(trained)
        return Score(lambda out: F.mse_loss(output(out).double(), before), "mean squared change of the answers", asked=False)
    if values.is_floating_point():
        return Score(lambda out: squared(output(out), values), "mean squared error", asked=True)
    if trained.options["squash"] == "sigmoid":  # the model puts them through it itself
        return Score(lambda out: squared(output(out), one_hot(values, output(out))), "mean squared error", asked=True)
    return Score(lambda out: cross_entropy(output(out), values), "cross-entropy", asked=True)


def answers(trained: Trained) -> Tensor:
    """What the model gives on its example: (batch, outputs), with a leading time where it answers at every step; float64."""
    assert trained.example is not None
    with torch.no_grad():
        return output(run(trained.model, trained.example["x"])).double()


def output(given: Any) -> Tensor:
    """What the head gives, without the states behind it."""
    return given[0] if isinstance(given, tuple) else given


def squared(out: Tensor, target: Tensor) -> Tensor:
    target = target.reshape(out.shape).to(out.dtype)
    asked = ~target.isnan()
    return (out[asked] - target[asked]).square().mean()


def one_hot(target: Tensor, out: Tensor) -> Tensor:
    asked = is_asked(target)
    hot = F.one_hot(target.clamp(min=0), out.shape[-1]).to(out.dtype)
    return torch.where(asked.unsqueeze(-1), hot, torch.nan)


def cross_entropy(out: Tensor, target: Tensor) -> Tensor:
    asked = is_asked(target)
    return F.cross_entropy(out[asked], target[asked])


def is_asked(target: Tensor) -> Tensor:
    return (target != NONE_ASKED[0]) & (target != NONE_ASKED[1])
