"""Optimisers and schedules, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from lightning import Trainer
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


def rate(schedule: str, warmup: int, total: Callable[[], float]) -> Callable[[int], float]:
    """Step of the optimiser -> what the rate is multiplied with. total: steps of the whole training, asked for at every step."""
    left = SCHEDULES[schedule]
    return lambda step: min(1.0, (step + 1) / (warmup + 1)) * left(min(1.0, step / max(1.0, total())))


def check_end(schedule: str, max_epochs: int | None, max_steps: int) -> None:
    """ValueError where a schedule goes by how much of the training is over, and nothing ends it."""
    if schedule != "constant" and max_steps == -1 and max_epochs in (None, -1):
        raise ValueError(f"schedule {schedule}: expected an end of the training, max_epochs or max_steps; got none")


def planned_steps(trainer: Trainer, pieces: int = 1) -> float:
    """Steps of the optimiser in the whole training; infinite if nothing ends it. pieces: that a batch is cut into, a step each."""
    trainer.fit_loop.setup_data()
    an_epoch = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches) * pieces
    epochs = math.inf if trainer.max_epochs in (None, -1) else trainer.max_epochs
    return min(epochs * an_epoch, math.inf if trainer.max_steps == -1 else trainer.max_steps)
