"""The losses of a training at each validation, kept in its checkpoints, and what their course says to do next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import lightning as L
from lightning.pytorch.callbacks import Callback

MOST = 200  # validations that are kept; of more every second earlier one goes
EVERY = 50  # steps from one look at the training's loss to the next
FEWEST = 4  # validations that make a course
FALLS = 0.02  # by this share in its last third, a loss still falls
RISES = 0.1  # by this share above its best one, it rises
APART = 2.0  # times as far above that of training as at first, a loss of validation is far above it
JUMPS = 0.1  # by this share from one validation to the next, a loss is unsteady
LEARNT = 0.05  # a loss that has fallen by a smaller share has not fallen


class Loss(NamedTuple):
    """At one validation. step: of the optimiser. train: mean over what was looked at since the one before; NaN if nothing was."""

    step: int
    train: float
    val: float


class Losses(Callback):
    """Keeps them, as numbers, in every checkpoint."""

    def __init__(self) -> None:
        self.kept: list[Loss] = []
        self.seen: list[float] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % EVERY == 0 or trainer.is_last_batch:
            self.look(trainer)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self.seen and not trainer.sanity_checking:
            self.look(trainer)

    def look(self, trainer: L.Trainer) -> None:
        loss = float(trainer.callback_metrics.get("train_loss", math.nan))
        if math.isfinite(loss):
            self.seen.append(loss)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        val = float(trainer.callback_metrics.get("val_loss", math.nan))
        if trainer.sanity_checking or trainer.state.fn != "fit" or not math.isfinite(val):
            return
        self.add(trainer.global_step, val)

    def add(self, step: int, val: float) -> None:
        self.kept.append(Loss(step, mean(self.seen), val))
        self.seen = []
        if len(self.kept) > MOST:
            self.kept = self.kept[1 - len(self.kept) % 2 :: 2]

    def state_dict(self) -> dict[str, Any]:
        return {"losses": [list(one) for one in self.kept]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.kept = [Loss(*one) for one in state_dict["losses"]]


def losses_in(content: Any) -> tuple[Loss, ...]:
    """Those that a checkpoint holds; none if it was kept without, or they are no such numbers."""
    try:
        return tuple(Loss(int(step), float(train), float(val)) for step, train, val in content["callbacks"]["Losses"]["losses"])
    except (LookupError, TypeError, ValueError):
        return ()


def course(losses: Sequence[Loss], *, more: str) -> str | None:
    """What they show, and what to do; None for too few. more: how to go on."""
    return None if len(losses) < FEWEST else next(findings(losses, more))


def findings(losses: Sequence[Loss], more: str) -> Iterator[str]:
    """All that is true of them, the most telling one first."""
    late = [one for one in losses if one.step > losses[-1].step * 2 / 3]
    late = late if len(late) > 1 else list(losses[-2:])
    best = min(losses, key=lambda one: one.val)
    first, last = losses[0], mean([one.val for one in late])
    train = mean([one.train for one in late if math.isfinite(one.train)])
    by_heart = "it learns by heart: take fewer units, with a smaller --model.hidden_size, or train on more data"
    if last > (1 + RISES) * best.val and train < best.train:
        yield (
            f"the loss of validation rises since step {best.step}, {best.val:.3g} to {last:.3g}, while that of training falls to"
            f" {train:.3g}: {by_heart}"
        )
    moves = [after.val - before.val for before, after in pairwise(late)]
    jump = mean([abs(move) for move in moves])
    if jump > JUMPS * last and 4 * sum(move > 0 for move in moves) >= len(moves):
        yield f"the loss goes up and down, by {jump / last:.0%} from one validation to the next: take a smaller --model.learning_rate"
    if late[-1].val < (1 - FALLS) * late[0].val:
        yield f"the loss was still falling at the end, {late[0].val:.3g} to {late[-1].val:.3g} in the last third: {more}"
    if last * first.train > APART * train * max(first.train, first.val):
        yield f"the loss of validation has stayed far above that of training ({last:.3g} against {train:.3g}): {by_heart}"
    if best.val > (1 - LEARNT) * first.val:
        yield f"the loss has not fallen, {first.val:.3g} at first and {best.val:.3g} at best: take another --model.learning_rate"
    yield (
        f"the loss has stayed at {last:.3g} for the last third of the training: take more units, with a larger --model.hidden_size,"
        " or a smaller --model.learning_rate"
    )


def mean(values: Sequence[float]) -> float:
    """NaN of nothing."""
    return sum(values) / len(values) if values else math.nan
