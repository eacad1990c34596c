"""All that there is to do, in the order in which it is done: what matters most first, and what is timed never beside other work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tools.gpu import bench, checks, sanitizer, uses
from tools.gpu.pool import Task

CHECK_SECONDS, BENCH_SECONDS = 180.0, 180.0


class Phase(NamedTuple):
    """Tasks that are done side by side; alone: one after the other."""

    title: str
    tasks: Sequence[Task]
    alone: bool = False


def phases() -> list[Phase]:
    """Level by level: right, then how fast."""
    made = []
    for level, words in enumerate(("first", "then", "last")):
        of_level = [Task("check", str(one), CHECK_SECONDS) for one in checks.every_check() if one.level == level]
        if level == 0:
            of_level += [Task("use", name, CHECK_SECONDS) for name in uses.every_use()]
        made.append(Phase(f"checks, {words}", of_level))
        if level == 1:
            names = sanitizer.runs() if sanitizer.program() else []
            made.append(Phase("compute-sanitizer", [Task("sanitizer", name) for name in names], alone=True))
        units = [Task("bench", str(unit), BENCH_SECONDS) for unit in bench.by_name().values() if unit.level == level]
        made.append(Phase(f"times, {words}", units, alone=True))
    return made


def case(task: Task) -> str:
    """What the journal calls it."""
    return f"{task.kind} / {task.name}"
