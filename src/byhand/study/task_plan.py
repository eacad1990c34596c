"""A task as a study plans it: its class and arguments, the model's settings and the training that go with it, what counts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L

from byhand.errors import StudyError
from byhand.study.arguments import complete, parameters
from byhand.study.errors import refuse_unknown
from byhand.study.task_classes import Look
from byhand.train import SequenceModel, train

KEYS = ("class_path", "init_args", "model", "training", "metric", "goal")
GOALS = ("minimise", "maximise")
NOT_TRAINING = ("task", "settings", "seed", "callbacks")  # arguments of train that the study itself gives


@dataclass(frozen=True)
class TaskPlan:
    """A task and how it is trained on. made, arguments: its class, as module.Class, and all its arguments but the seed. files: the
    digests of those of its arguments that name files, which decide a result as much as the arguments do. metric: what counts.
    """

    made: str
    arguments: Mapping[str, Any]
    files: Mapping[str, str]
    seeded: bool
    model: Mapping[str, Any]
    training: Mapping[str, Any]
    metric: str
    goal: str


def read(name: str, content: dict[str, Any], study: Mapping[str, Any], path: Path, look: Look) -> TaskPlan:
    """What the file says of one task, over what the study says of all. look: for its class. StudyError for what it cannot mean."""
    where = f"{path}: tasks: {name}"
    refuse_unknown(where, content, KEYS)
    if "class_path" not in content:
        raise StudyError(f"{where}: expected class_path, the name of a class of byhand.tasks")
    given = mapping(content, "init_args", where)
    if "seed" in given:
        raise StudyError(f"{where}: init_args: expected no seed, for each run's own is the task's; got {given['seed']!r}")
    found = look(str(content["class_path"]), given, where)
    model: dict[str, Any] = {}
    for at, source in ((str(path), study), (where, content)):
        part = mapping(source, "model", at)
        refuse_unknown(f"{at}: model", part, parameters(SequenceModel, apart=("form",)))
        model |= part
    training = _training(mapping(study, "training", str(path)) | mapping(content, "training", where), where)
    metric, goal = (content.get(key, study.get(key, default)) for key, default in (("metric", "test_loss"), ("goal", GOALS[0])))
    if not isinstance(metric, str):
        raise StudyError(f"{where}: metric: expected a name, such as test_mse; got {metric!r}")
    if goal not in GOALS:
        raise StudyError(f"{where}: goal: expected {' or '.join(GOALS)}, got {goal!r}")
    files = {name: digest(Path(found.arguments[name])) for name in found.files if found.arguments[name] is not None}
    return TaskPlan(found.name, found.arguments, files, found.seeded, model, training, metric, goal)


def digest(path: Path) -> str:
    """Of a file, or of all files in a folder; none where there is nothing, which the task will say."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    parts = [(str(one.relative_to(path)), hashlib.sha256(one.read_bytes()).hexdigest()) for one in files if one.is_file()]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20] if parts else ""


def mapping(content: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    found = content.get(key)
    if found is not None and not isinstance(found, dict):
        raise StudyError(f"{where}: {key}: expected a mapping, got {found!r}")
    return dict(found or {})


def _training(given: dict[str, Any], where: str) -> dict[str, Any]:
    at = f"{where}: training"
    stop = given.pop("stop", None)
    known = parameters(train, apart=NOT_TRAINING)
    refuse_unknown(at, given, (*known, "stop"))
    if "max_steps" not in given and "max_epochs" not in given:
        raise StudyError(f"{at}: expected max_steps or max_epochs, got neither")
    training = complete(train, given, at, apart=NOT_TRAINING)
    for name, least in (("max_steps", 1), ("max_epochs", 1), ("validate_every", 0)):
        if name in given and training[name] is not None and training[name] < least:
            raise StudyError(f"{at}: {name}: expected at least {least}, got {training[name]}")
    refuse_unknown(f"{at}: trainer", mapping(given, "trainer", at), parameters(L.Trainer))
    if stop is not None:
        training["stop"] = _stop(stop, at)
        if not training["validate_every"]:
            raise StudyError(f"{at}: stop: expected validate_every of at least 1, for it goes by validation; got 0")
    return training


def _stop(given: Any, at: str) -> dict[str, Any]:
    """A metric, and what ends the training."""
    if not isinstance(given, dict) or set(given) - {"times"} not in ({"metric", "at_least"}, {"metric", "at_most"}):
        raise StudyError(
            f"{at}: stop: expected metric and at_least or at_most, as in {{metric: val_mse, at_most: 0.01}}; got {given!r}"
        )
    number = next(value for name, value in given.items() if name.startswith("at_"))
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise StudyError(f"{at}: stop: expected a number, got {number!r}")
    times = given.get("times", 1)
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise StudyError(f"{at}: stop: times: expected a whole number of at least 1, got {times!r}")
    return given
