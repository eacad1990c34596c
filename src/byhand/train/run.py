"""One training from start to end in one call, quietly: what studies and experiments do many times."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import lightning as L
from lightning.pytorch.callbacks import Callback

from byhand.tasks.task import Task
from byhand.train.callbacks.callbacks import Reproducible
from byhand.train.callbacks.interruption import interruptions
from byhand.train.cli.quiet import Unprofiled, without_advice
from byhand.train.model.sequence_model import SequenceModel


class Outcome(NamedTuple):
    """What a training came to.

    Attributes:
        metrics: the metrics of the test part, "test_mse" and the like, and of the last validation.
        steps: optimiser steps.
        seconds: training time, without the test.
    """

    metrics: dict[str, float]
    steps: int
    seconds: float


def train(
    task: Task,
    settings: dict[str, Any],
    *,
    seed: int = 0,
    max_steps: int = -1,
    max_epochs: int | None = None,
    validate_every: int = 1,
    callbacks: Sequence[Callback] = (),
    trainer: dict[str, Any] | None = None,
) -> tuple[SequenceModel, Outcome]:
    """Train a SequenceModel on a task, and test it.

    Writes nothing, prints nothing; runs on the CPU unless `trainer` says otherwise.

    Args:
        task: the task.
        settings: arguments of SequenceModel, but form.
        seed: the seed of weights and dropout; the data have their own.
        max_steps: optimiser steps; -1: no limit.
        max_epochs: training epochs; None: no limit if max_steps is given, else Lightning's own.
        validate_every: epochs from one validation to the next; 0: none.
        callbacks: more of Lightning's callbacks.
        trainer: arguments of Lightning's Trainer, in place of those set here.

    Returns:
        The model, and what the training came to.

    Raises:
        ValueError: a setting is out of range.
    """
    L.seed_everything(seed, verbose=False)
    model = SequenceModel(task.form._asdict(), **settings)
    silent = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    options = dict[str, Any](dict.fromkeys(silent, False))
    options.update(
        accelerator="cpu",
        profiler=Unprofiled(),
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if validate_every else 0,
        check_val_every_n_epoch=max(1, validate_every),
        max_steps=max_steps,
        max_epochs=max_epochs if max_epochs is not None or max_steps < 0 else -1,
        callbacks=[Reproducible(seed), *callbacks],
    )
    options.update(trainer or {})
    with without_advice(), interruptions():
        runner = L.Trainer(**options)
        start = time.perf_counter()
        runner.fit(model, datamodule=task)
        seconds = time.perf_counter() - start
        validated = {name: float(value) for name, value in runner.callback_metrics.items()}
        steps = runner.global_step
        tested = runner.test(model, datamodule=task, verbose=False)[0]
    return model, Outcome(validated | dict(tested), steps, seconds)
