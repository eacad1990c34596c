"""What a study is: what its file says, completed and checked before anything is run or written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byhand.doctor import version
from byhand.errors import StudyError
from byhand.study import search, task_plan, yaml
from byhand.study.arguments import complete, parameters
from byhand.study.errors import refuse_unknown
from byhand.study.runs import Run
from byhand.study.search import Search
from byhand.study.task_classes import Look, imported
from byhand.study.task_plan import TaskPlan
from byhand.train import SequenceModel

KEYS = (
    *("name", "storage", "tasks", "variants", "model", "training", "seeds", "search"),
    *("base", "metric", "goal", "retries", "lost_after"),
)
LOST_AFTER = 60  # seconds without a sign of life, unless the file says otherwise


@dataclass(frozen=True)
class Specification:
    """A study, checked. folder: None for runs/studies/NAME. retries: of a run that failed, one each time it is run. lost_after: seconds
    without a sign of life after which a worker counts as lost.
    """

    path: Path
    name: str
    storage: str | None
    tasks: Mapping[str, TaskPlan]
    variants: Mapping[str, Mapping[str, Any]]
    seeds: tuple[int, ...]
    search: Search | None
    base: str
    retries: int
    lost_after: int

    def run(self, task: str, variant: str, seed: int, searched: Mapping[str, Any] | None = None) -> Run:
        plan, values = self.tasks[task], dict(searched or {})
        where = f"{self.path}: variants: {variant}"
        arguments = dict(plan.arguments) | ({"seed": seed} if plan.seeded else {})
        files = {"files": dict(plan.files)} if plan.files else {}
        config = {
            "task": {"class": plan.made, "arguments": arguments} | files,
            "settings": complete(SequenceModel, {**plan.model, **self.variants[variant], **values}, where, apart=("form",)),
            "training": dict(plan.training),
            "seed": seed,
            "byhand": version(),
        }
        return Run(task, variant, seed, values, config)


def read(path: Path, looking: Callable[[str, str | None], Look] = lambda name, storage: imported) -> Specification:
    """The study in this file. StudyError for what it cannot mean; nothing is made yet: see check.

    looking: how to look for the classes of its tasks, by the study's name and storage; they are imported if not given.
    """
    content = yaml.read(path)
    refuse_unknown(str(path), content, KEYS)
    name = content.get("name", path.stem)
    if not isinstance(name, str) or not re.fullmatch(r"[\w][\w.-]*", name):
        raise StudyError(f"{path}: name: expected letters, digits and - _ . only, for a folder is named so; got {name!r}")
    storage = content.get("storage")
    if storage is not None and not isinstance(storage, str):
        raise StudyError(f"{path}: storage: expected null or a database's address, got {storage!r}")
    variants = _variants(content, path)
    base = content.get("base", next(iter(variants)))
    if not isinstance(base, str) or base not in variants:
        raise StudyError(f"{path}: base: expected one of the variants {', '.join(variants)}; got {base!r}")
    look = looking(name, storage)
    tasks = {one: task_plan.read(one, its, content, path, look) for one, its in _named(content, "tasks", path).items()}
    searched = None if content.get("search") is None else search.read(content["search"], f"{path}: search")
    seeds = _seeds(content.get("seeds", 1), path)
    if searched is not None:
        _check_search(searched, seeds, variants, tasks, path)
    numbers = {key: _number(content, key, default, path) for key, default in (("retries", 2), ("lost_after", LOST_AFTER))}
    return Specification(path, name, storage, tasks, variants, seeds, searched, base, **numbers)


def _named(content: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    """A mapping from names to mappings."""
    found = content.get(key)
    if not isinstance(found, dict) or not found:
        raise StudyError(f"{path}: {key}: expected at least one, as in {key}: {{name: {{...}}}}; got {found!r}")
    for name, one in found.items():
        if not isinstance(name, str):
            raise StudyError(f"{path}: {key}: expected names, got {name!r}: put it in quotes")
        if not isinstance(one, dict):
            raise StudyError(f"{path}: {key}: {name}: expected a mapping, got {one!r}")
    return found


def _variants(content: Mapping[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    found = _named(content, "variants", path)
    for name, settings in found.items():
        refuse_unknown(f"{path}: variants: {name}", settings, parameters(SequenceModel, apart=("form",)))
    return found


def _seeds(given: Any, path: Path) -> tuple[int, ...]:
    seeds = list(range(given)) if type(given) is int else given
    if not isinstance(seeds, list) or not seeds or any(type(one) is not int or not 0 <= one < 2**32 for one in seeds):
        raise StudyError(f"{path}: seeds: expected how many, or a list of whole numbers from 0 to 2^32 - 1; got {given!r}")
    if len(set(seeds)) < len(seeds):
        raise StudyError(f"{path}: seeds: expected each once, got {given!r}")
    return tuple(seeds)


def _number(content: Mapping[str, Any], key: str, default: int, path: Path) -> int:
    value, least = content.get(key, default), {"retries": 0, "lost_after": 2}[key]
    if type(value) is not int or value < least:
        raise StudyError(f"{path}: {key}: expected a whole number of at least {least}, got {value!r}")
    return value


def _check_search(
    searched: Search, seeds: tuple[int, ...], variants: Mapping[str, Any], tasks: Mapping[str, TaskPlan], path: Path
) -> None:
    if searched.seed in seeds:
        raise StudyError(
            f"{path}: search: seed: expected one that is not among the seeds, which are to judge; got {searched.seed}"
        )
    settings = {f"variants: {name}": one for name, one in variants.items()}
    settings |= {f"model, or tasks: {name}: model": one.model for name, one in tasks.items()}
    for where, one in settings.items():
        twice = [name for name in searched.ranges if name in one]
        if twice:
            raise StudyError(f"{path}: search: expected settings that nothing else sets; got {twice[0]}, set in {where}, too")
    for name, plan in tasks.items():
        if not plan.training["validate_every"]:
            raise StudyError(
                f"{path}: tasks: {name}: training: validate_every: expected at least 1, for search goes by validation; got 0"
            )
