"""Optimisers and schedules, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from torch import Tensor, optim

Optimiser = Callable[[Iterable[Tensor], float, float], optim.Optimizer]
OPTIMISERS: dict[str, Optimiser] = {
    "adam": lambda parameters, rate, decay: optim.AdamW(parameters, rate, weight_decay=decay),
    "rmsprop": lambda parameters, rate, decay: optim.RMSprop(parameters, rate, weight_decay=decay),
    "sgd": lambda parameters, rate, decay: optim.SGD(parameters, rate, weight_decay=decay),
    "momentum": lambda parameters, rate, decay: optim.SGD(parameters, rate, momentum=0.9, nesterov=True, weight_decay=decay),
}
# How much of the rate is left after a share of the training, 0 … 1.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "linear": lambda share: 1 - share,
    "cosine": lambda share: (1 + math.cos(math.pi * share)) / 2,
    "halving": lambda share: 0.5 ** min(3, int(4 * share)),
}


def rate(schedule: str, warmup: int, total: int) -> Callable[[int], float]:
    """Step -> what the rate is multiplied with. total: steps of the whole training, where the schedule asks for them."""
    left = SCHEDULES[schedule]
    return lambda step: min(1.0, (step + 1) / (warmup + 1)) * left(min(1.0, step / total) if total > 0 else 0.0)
