"""A run: one training with all that determines its result, and the digest that it is known by."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from byhand.errors import StudyError
from byhand.study.errors import first_line
from byhand.tasks import TASKS, Task
from byhand.train import train
from byhand.train.callbacks.callbacks import StopWhen


@dataclass(frozen=True)
class Run:
    """task, variant: what the study calls them. searched: the values that came from its search.

    config: all that determines the result: the task's class, its arguments and what is in the files that they name, the model's
        settings, the training, the seed, the release of byhand. Plain data, so that a database can hold it.
    """

    task: str
    variant: str
    seed: int
    searched: Mapping[str, Any]
    config: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """Equal for equal configurations, whatever they are called; any change of one makes another."""
        return hashlib.sha256(json.dumps(self.config, sort_keys=True).encode()).hexdigest()[:20]

    @property
    def label(self) -> str:
        values = "".join(f", {name} {value}" for name, value in self.searched.items())
        return f"{self.task}, {self.variant}, seed {self.seed}{values}"


def perform(config: Mapping[str, Any]) -> dict[str, Any]:
    """Train and test what a configuration says: metrics, steps, seconds. Whatever the task or the training raises."""
    task = find_task(config["task"]["class"], "task")(**config["task"]["arguments"])
    training = dict(config["training"])
    stop = training.pop("stop", None)
    callbacks = [StopWhen(**stop)] if stop else []
    _, outcome = train(task, config["settings"], seed=config["seed"], callbacks=callbacks, **training)
    return {"metrics": outcome.metrics, "steps": outcome.steps, "seconds": outcome.seconds}


def find_task(name: Any, where: str) -> type[Task]:
    """A class of byhand.tasks by its name, or any other by module.name. StudyError if there is none."""
    module, _, attribute = str(name).rpartition(".")
    try:
        found = getattr(importlib.import_module(module or "byhand.tasks"), attribute, None)
    except (Exception, SystemExit) as error:  # whatever a module of anybody's raises
        got = f"{type(error).__name__}: {first_line(error)}"
        raise StudyError(f"{where}: class_path {name}: expected a module that can be imported, got {got}") from error
    if isinstance(found, type) and issubclass(found, Task) and found is not Task:
        return found
    raise StudyError(f"{where}: expected class_path to be one of {', '.join(TASKS)}, or module.Class of your own; got {name!r}")
