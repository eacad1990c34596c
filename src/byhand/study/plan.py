"""Which runs a study has: those of its search, and, for what the search has settled, one for every seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from byhand.study.run_state import RunState
from byhand.study.runs import Run
from byhand.study.specification import Specification
from byhand.study.task_plan import TaskPlan

NEW = RunState("new")


class Plan:
    """Runs by what is known of others; the same for the same knowledge, whoever asks."""

    def __init__(self, specification: Specification) -> None:
        self.specification = specification
        self.pairs = [(task, variant) for task in specification.tasks for variant in specification.variants]
        search = specification.search
        candidates = search.candidates() if search else []
        self.searching: dict[tuple[str, str], list[Run]] = {
            (task, variant): [specification.run(task, variant, search.seed, values) for values in candidates]
            for task, variant in self.pairs
            if search
        }
        self._final: dict[tuple[str, str, str], list[Run]] = {}

    def final(self, run_states: Mapping[str, RunState]) -> dict[tuple[str, str], list[Run]]:
        """Of each task and variant a run for every seed; none yet where the search is not over."""
        found: dict[tuple[str, str], list[Run]] = {}
        for task, variant in self.pairs:
            chosen = self.chosen(task, variant, run_states)
            key = (task, variant, repr(chosen))
            if chosen is not None and key not in self._final:
                seeds = self.specification.seeds
                self._final[key] = [self.specification.run(task, variant, seed, chosen) for seed in seeds]
            found[task, variant] = [] if chosen is None else self._final[key]
        return found

    def chosen(self, task: str, variant: str, run_states: Mapping[str, RunState]) -> dict[str, Any] | None:
        """The values that did best in validation, the first of equals; None while that is open, and if all trials failed."""
        runs = self.searching.get((task, variant))
        if runs is None:
            return {}
        if any(run_states.get(run.key, NEW).state not in ("done", "failed") for run in runs):
            return None
        plan = self.specification.tasks[task]
        results = [(run, run_states[run.key].result) for run in runs]
        judged = [(loss_of(result, validated(plan.metric), plan.goal), run) for run, result in results if result is not None]
        return dict(min(judged, key=lambda pair: pair[0])[1].searched) if judged else None

    def runs(self, run_states: Mapping[str, RunState]) -> list[Run]:
        """All that can be run by now: those of the search first, then seed after seed, so that all variants advance together."""
        final = self.final(run_states)
        by_seed = [final[pair][at] for at in range(len(self.specification.seeds)) for pair in self.pairs if final[pair]]
        return [run for trial in zip(*self.searching.values(), strict=True) for run in trial] + by_seed


def metric(result: Mapping[str, Any], name: str) -> float:
    """Of what a run came to; NaN if it has none of that name."""
    return float(result[name] if name in ("steps", "seconds") else result["metrics"].get(name, math.nan))


def validated(name: str) -> str:
    """The metric of the validation that stands for one of the test, which choosing must not see."""
    return f"val_{name.removeprefix('test_')}" if name.startswith("test_") else name


def loss_of(result: Mapping[str, Any], name: str, goal: str) -> float:
    """Of a run's metric, the less the better; infinite if it is no number, or comes from a training that diverged."""
    value = metric(result, name)
    loss = result["metrics"].get("val_loss" if name.startswith("val_") else "test_loss", 0.0)
    return math.inf if math.isnan(value) or not math.isfinite(loss) else value if goal == "minimise" else -value


def value_of(result: Mapping[str, Any], plan: TaskPlan) -> float:
    """A run's metric as the study counts it: what is no number counts as the worst."""
    value = loss_of(result, plan.metric, plan.goal)
    return value if plan.goal == "minimise" else -value
