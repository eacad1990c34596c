"""Optimisers and schedules, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from lightning import Trainer
from lightning.pytorch.plugins.precision import FSDPPrecision, MixedPrecision, Precision
from torch import Tensor, optim

from byhand.train.model.one_thread import FEW, on_one_thread

OPTIMISERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": lambda parameters, rate, decay, **more: optim.AdamW(parameters, rate, weight_decay=decay, **more),
    "rmsprop": lambda parameters, rate, decay: optim.RMSprop(parameters, rate, weight_decay=decay),
    "sgd": lambda parameters, rate, decay, **more: optim.SGD(parameters, rate, weight_decay=decay, **more),
    "momentum": lambda parameters, rate, decay, **more: optim.SGD(
        parameters, rate, momentum=0.9, nesterov=True, weight_decay=decay, **more
    ),
}
FUSED = ("adam", "sgd", "momentum")  # that torch has a kernel for, which takes a step of all parameters in one call
FUSED_ON, FUSED_IN = (
    ("cpu", "cuda"),
    (torch.float32, torch.float64),
)  # in half precision the kernel rounds otherwise, and is slower
# How much of the rate is left after a share of the training, 0 … 1.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "linear": lambda share: 1 - share,
    "cosine": lambda share: (1 + math.cos(math.pi * share)) / 2,
    "halving": lambda share: 0.5 ** min(3, int(4 * share)),
}


def make_optimiser(name: str, parameters: Sequence[Tensor], rate: float, decay: float, precision: Precision) -> optim.Optimizer:
    """Return an optimiser, fused where torch has such a kernel for these parameters.

    Args:
        name: one of OPTIMISERS.
        parameters: those of the model.
        rate: the learning rate.
        decay: the weight decay.
        precision: the trainer's. With mixed precision Lightning clips no gradients of a fused optimiser, so it is none.

    Returns:
        The optimiser.
    """
    mixed = isinstance(precision, MixedPrecision | FSDPPrecision)
    fits = all(one.device.type in FUSED_ON and one.dtype in FUSED_IN for one in parameters)
    if name not in FUSED or not fits or mixed:
        return OPTIMISERS[name](parameters, rate, decay)
    made = OPTIMISERS[name](parameters, rate, decay, fused=True)
    few = all(one.device.type == "cpu" for one in parameters) and sum(one.numel() for one in parameters) <= FEW
    return on_one_thread(made) if few else made


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
