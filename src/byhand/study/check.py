"""Every task and every model of a study, made once, so that what cannot be made is said before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from byhand.cells.names import is_own
from byhand.errors import StudyError
from byhand.study.errors import first_line
from byhand.study.run_state import RunState
from byhand.study.runs import Run, find_task
from byhand.study.specification import Specification
from byhand.study.task_classes import is_ours
from byhand.tasks import Task
from byhand.train import SequenceModel
from byhand.train.callbacks.callbacks import StopWhen

ALWAYS: tuple[str, ...] = ("steps", "seconds", "train_loss")  # beside what the task's goal has


def check(specification: Specification, *, imports: bool = True) -> None:
    """StudyError for arguments that a task or a model refuses, and for a metric that there will not be. Leaves no trace.

    imports: whether classes and cells of one's own are imported for that; what would have to be is passed over otherwise.
    """
    searched = specification.search.candidates()[0] if specification.search else {}
    for name, plan in specification.tasks.items():
        where = f"{specification.path}: tasks: {name}"
        runs = [specification.run(name, one, specification.seeds[0], searched) for one in specification.variants]
        if not imports:
            runs = [one for one in runs if is_ours(plan.made) and not is_own(one.config["settings"]["cell"])]
            if not runs:
                continue
        made = find_task(plan.made, where)
        try:
            task = made(**runs[0].config["task"]["arguments"])
        except (Exception, SystemExit) as error:  # whatever a task of anybody's raises
            raise StudyError(f"{where}: init_args: {first_line(error)}") from error
        known = set(ALWAYS)
        for run in runs:
            model = _model(task, run.config["settings"], f"{specification.path}: variants: {run.variant}, on {name}")
            known |= {f"{part}_{score}" for part in ("val", "test") for score in ("loss", *model.scores[part])}  # type: ignore[arg-type]
        if not plan.training["validate_every"]:
            known = {one for one in known if not one.startswith("val_")}
        _known(plan.metric, known, f"{where}: metric")
        stop = plan.training.get("stop")
        if stop is not None:
            _known(stop["metric"], {one for one in known if one.startswith(("val_", "train_"))}, f"{where}: training: stop")
            StopWhen(**stop)


def check_results(specification: Specification, runs: Iterable[Run], run_states: Mapping[str, RunState]) -> None:
    """StudyError for a metric that results are without, where check could not know which there are."""
    for run in runs:
        run_state = run_states.get(run.key)
        if run_state is not None and run_state.result is not None:
            known = {*ALWAYS[:2], *run_state.result["metrics"]}
            _known(specification.tasks[run.task].metric, known, f"{specification.path}: tasks: {run.task}: metric")


def _model(task: Task, settings: dict[str, Any], where: str) -> SequenceModel:
    try:
        with torch.random.fork_rng(devices=[]):
            return SequenceModel(task.form._asdict(), **settings)
    except (Exception, SystemExit) as error:  # whatever a cell of anybody's raises
        raise StudyError(f"{where}: {first_line(error)}") from error


def _known(metric: Any, known: set[str], where: str) -> None:
    if not isinstance(metric, str) or metric not in known:
        raise StudyError(f"{where}: expected one of {', '.join(sorted(known))}; got {metric!r}")
