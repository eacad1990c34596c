"""What may help a model that a baseline beats, in one line that follows from the numbers."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from byhand.tasks.generated import Indexed
from byhand.tasks.task import Task
from byhand.train.callbacks.losses import Loss, course
from byhand.train.cli.resume import Kept, read_kept

# By the first of these that a baseline has; -1: the more the better.
JUDGED = {"solved": -1, "mse": 1, "bits": 1, "mae": 1, "accuracy": -1}
FEW = 200  # steps, in which little can be learnt


class Trained(NamedTuple):
    """How a model was trained. steps: all of them. improving: whether the last epoch was the best. last: the checkpoint to go on from.
    losses: of the whole training, where it has kept them.
    """

    steps: int
    epochs: int
    improving: bool
    last: Path
    losses: tuple[Loss, ...] = ()


def advised(task: Task, metrics: Mapping[str, float], kept: Kept, model: Any, max_steps: int = -1) -> str | None:
    """One line for a model that gets these on the test part, by their names without it; None for one that beats all baselines.

    max_steps: of its configuration; -1: none.
    """
    beaten = beaten_by(task, metrics)
    if beaten is None:
        return None
    trained = trained_as(kept)
    short = trained.improving and trained.steps < FEW
    more = f"go on with {longer(trained, max_steps)}"
    too_few = f"{trained.steps} steps were too few, the last epoch was the best: {more}" if trained.improving else None
    reason = task.advice(short=short) or (too_few if short else course(trained.losses, more=more))
    return f"worse than {beaten}: {reason or too_few or otherwise(task, trained, model)}"


def beaten_by(task: Task, metrics: Mapping[str, float]) -> str | None:
    """The baseline that is best, and better than the model, with the measure of both."""
    for name, sign in JUDGED.items():
        known = {who: sign * guess[name] for who, guess in task.baselines.items() if name in guess}
        if name in metrics and known:
            best = min(known, key=lambda who: known[who])
            numbers = f"({name} {metrics[name]:.4g} against {task.baselines[best][name]:.4g})"
            return f"{best} {numbers}" if sign * metrics[name] > known[best] else None
    return None


def trained_as(kept: Kept) -> Trained:
    """What the checkpoint says of its training, and the one beside it: of best.ckpt last.ckpt, and the other way round."""
    path = Path(kept.path)
    try:
        other = read_kept(
            str(path.with_name("best.ckpt" if path.name == "last.ckpt" else "last.ckpt")), kept.settings.get("cell")
        )
    except (ValueError, OSError):  # there is none
        return Trained(kept.steps, kept.epochs, kept.steps < FEW, path, kept.losses)
    last = max(kept, other, key=lambda one: one.steps)
    return Trained(last.steps, last.epochs, kept.steps == other.steps, path.with_name("last.ckpt"), last.losses)


def longer(trained: Trained, max_steps: int) -> str:
    """What goes on with more of what the training was ended by."""
    config = trained.last.absolute().parents[1] / "config.yaml"
    words = ["byhand", "fit", "--config", str(config), "--ckpt_path", str(trained.last)]
    words += (
        ["--trainer.max_steps", str(3 * trained.steps)]
        if 0 < max_steps <= trained.steps
        else ["--trainer.max_epochs", str(3 * max(1, trained.epochs))]
    )
    return shlex.join(words)


def otherwise(task: Task, trained: Trained, model: Any) -> str:
    """By how much there is to learn from, and what learns it."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    answers = task.total("train") * task.form.output_size if isinstance(task, Indexed) else None
    if answers is not None and weights > answers:
        return f"{weights} weights learn from {answers} answers, by heart: take fewer, with a smaller --model.hidden_size"
    return f"it did not get better to the end of {trained.steps} steps: take another --model.learning_rate, or a larger --model.hidden_size"
