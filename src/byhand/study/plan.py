"""Which cells a study has: those of its search, and, for what the search has settled, one for every seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from byhand.study.run_state import Standing
from byhand.study.runs import Cell
from byhand.study.specification import Specification
from byhand.study.task_plan import TaskPlan

NEW = Standing("new")


class Plan:
    """Cells by what is known of others; the same for the same knowledge, whoever asks."""

    def __init__(self, specification: Specification) -> None:
        self.specification = specification
        self.pairs = [(task, variant) for task in specification.tasks for variant in specification.variants]
        search = specification.search
        candidates = search.candidates() if search else []
        self.searching: dict[tuple[str, str], list[Cell]] = {
            (task, variant): [specification.cell(task, variant, search.seed, values) for values in candidates]
            for task, variant in self.pairs
            if search
        }
        self._final: dict[tuple[str, str, str], list[Cell]] = {}

    def final(self, standings: Mapping[str, Standing]) -> dict[tuple[str, str], list[Cell]]:
        """Of each task and variant a cell for every seed; none yet where the search is not over."""
        found: dict[tuple[str, str], list[Cell]] = {}
        for task, variant in self.pairs:
            chosen = self.chosen(task, variant, standings)
            key = (task, variant, repr(chosen))
            if chosen is not None and key not in self._final:
                seeds = self.specification.seeds
                self._final[key] = [self.specification.cell(task, variant, seed, chosen) for seed in seeds]
            found[task, variant] = [] if chosen is None else self._final[key]
        return found

    def chosen(self, task: str, variant: str, standings: Mapping[str, Standing]) -> dict[str, Any] | None:
        """The values that did best in validation, the first of equals; None while that is open, and if all trials failed."""
        cells = self.searching.get((task, variant))
        if cells is None:
            return {}
        if any(standings.get(cell.key, NEW).state not in ("done", "failed") for cell in cells):
            return None
        plan = self.specification.tasks[task]
        results = [(cell, standings[cell.key].result) for cell in cells]
        judged = [(badness(result, validated(plan.metric), plan.goal), cell) for cell, result in results if result is not None]
        return dict(min(judged, key=lambda pair: pair[0])[1].searched) if judged else None

    def cells(self, standings: Mapping[str, Standing]) -> list[Cell]:
        """All that can be run by now: those of the search first, then seed after seed, so that all variants advance together."""
        final = self.final(standings)
        by_seed = [final[pair][at] for at in range(len(self.specification.seeds)) for pair in self.pairs if final[pair]]
        return [cell for trial in zip(*self.searching.values(), strict=True) for cell in trial] + by_seed


def metric(result: Mapping[str, Any], name: str) -> float:
    """Of what a cell came to; NaN if it has none of that name."""
    return float(result[name] if name in ("steps", "seconds") else result["metrics"].get(name, math.nan))


def validated(name: str) -> str:
    """The metric of the validation that stands for one of the test, which choosing must not see."""
    return f"val_{name.removeprefix('test_')}" if name.startswith("test_") else name


def badness(result: Mapping[str, Any], name: str, goal: str) -> float:
    """Of a cell's metric, the less the better; infinite if it is no number, or comes from a training that diverged."""
    value = metric(result, name)
    loss = result["metrics"].get("val_loss" if name.startswith("val_") else "test_loss", 0.0)
    return math.inf if math.isnan(value) or not math.isfinite(loss) else value if goal == "minimise" else -value


def value_of(result: Mapping[str, Any], plan: TaskPlan) -> float:
    """A cell's metric as the study counts it: what is no number counts as the worst."""
    value = badness(result, plan.metric, plan.goal)
    return value if plan.goal == "minimise" else -value
