"""Every task and every model of a study, made once, so that what cannot be made is said before anything runs."""

from __future__ import annotations

from typing import Any

import torch

from byhand.study.errors import StudyError, first_line
from byhand.study.specification import Specification
from byhand.tasks import Task
from byhand.train import SequenceModel
from byhand.train.callbacks import Reached

ALWAYS = ("steps", "seconds", "train_loss")  # beside what the task's goal has


def check(specification: Specification) -> None:
    """StudyError for arguments that a task or a model refuses, and for a metric that there will not be. Leaves no trace."""
    searched = specification.search.candidates()[0] if specification.search else {}
    for name, plan in specification.tasks.items():
        where = f"{specification.path}: tasks: {name}"
        cell = specification.cell(name, specification.base, specification.seeds[0], searched)
        try:
            task = plan.made(**cell.config["task"]["arguments"])
        except (Exception, SystemExit) as error:  # whatever a task of anybody's raises
            raise StudyError(f"{where}: init_args: {first_line(error)}") from error
        known = set(ALWAYS)
        for variant in specification.variants:
            cell = specification.cell(name, variant, specification.seeds[0], searched)
            model = _model(task, cell.config["settings"], f"{specification.path}: variants: {variant}, on {name}")
            known |= {f"{part}_{score}" for part in ("val", "test") for score in ("loss", *model.scores[part])}  # type: ignore[arg-type]
        if not plan.training["validate_every"]:
            known = {one for one in known if not one.startswith("val_")}
        _known(plan.metric, known, f"{where}: metric")
        stop = plan.training.get("stop")
        if stop is not None:
            _known(stop["metric"], {one for one in known if one.startswith(("val_", "train_"))}, f"{where}: training: stop")
            Reached(**stop)


def _model(task: Task, settings: dict[str, Any], where: str) -> SequenceModel:
    try:
        with torch.random.fork_rng(devices=[]):
            return SequenceModel(task.form._asdict(), **settings)
    except (Exception, SystemExit) as error:  # whatever a cell of anybody's raises
        raise StudyError(f"{where}: {first_line(error)}") from error


def _known(metric: Any, known: set[str], where: str) -> None:
    if not isinstance(metric, str) or metric not in known:
        raise StudyError(f"{where}: expected one of {', '.join(sorted(known))}; got {metric!r}")
