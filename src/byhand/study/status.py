"""How far a study is: what is done, running, waiting and failed, how fast it goes, how long it will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from byhand.study.plan import NEW, Plan
from byhand.study.run_state import RunState
from byhand.study.runs import Run

SHOWN = 5  # failed runs that are named


@dataclass(frozen=True)
class Status:
    """counts: of each task and variant, how many runs are done, running, waiting, failed. searching: the same of its search.

    rate: runs a minute, and left: seconds that the rest may take; None while nothing runs or nothing is done.
    failed: what a failed run is called, its error, how often it failed. others: runs of other configurations in the queue.
    """

    name: str
    counts: Mapping[tuple[str, str], Mapping[str, int]]
    searching: Mapping[tuple[str, str], Mapping[str, int]]
    rate: float | None
    left: float | None
    failed: list[tuple[str, str, int]] = field(default_factory=list)
    others: int = 0

    @property
    def total(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        for one in (*self.counts.values(), *self.searching.values()):
            counted.update(one)
        return counted

    @property
    def hopeless(self) -> list[tuple[str, str]]:
        """Tasks and variants whose search has failed altogether, so that nothing comes after it."""
        return [pair for pair, found in self.searching.items() if found.get("failed", 0) == sum(found.values()) > 0]

    @property
    def complete(self) -> bool:
        return self.total["done"] == self.total.total()

    @property
    def line(self) -> str:
        """All in one line."""
        total = self.total
        parts = [f"{total['done']} of {total.total()} runs done"]
        parts += [f"{total[state]} {state}" for state in ("running", "waiting", "failed") if total[state]]
        if self.rate is not None and self.left is not None:
            parts.append(f"{self.rate:.3g} runs a minute, about {duration(self.left)} left")
        return ", ".join(parts)


def status(plan: Plan, run_states: Mapping[str, RunState]) -> Status:
    """The study's, by what is known of its runs."""
    final, seeds = plan.final(run_states), len(plan.specification.seeds)
    counts = {pair: _count(runs, run_states) for pair, runs in final.items()}
    for pair, runs in final.items():
        if not runs:  # the search is not over
            counts[pair]["waiting"] += seeds
    searching = {pair: _count(runs, run_states) for pair, runs in plan.searching.items()}
    wanted = {run.key: run for run in plan.runs(run_states)}
    failed = [
        (run.label, run_states[key].message, run_states[key].failures)
        for key, run in wanted.items()
        if key in run_states and run_states[key].state == "failed"
    ]
    rate, left = _pace(plan, run_states, counts, searching)
    return Status(plan.specification.name, counts, searching, rate, left, failed, len(run_states.keys() - wanted.keys()))


def _count(runs: Iterable[Run], run_states: Mapping[str, RunState]) -> Counter[str]:
    states = (run_states.get(run.key, NEW).state for run in runs)
    return Counter("waiting" if state == "new" else state for state in states)


def _pace(
    plan: Plan,
    run_states: Mapping[str, RunState],
    counts: Mapping[tuple[str, str], Mapping[str, int]],
    searching: Mapping[tuple[str, str], Mapping[str, int]],
) -> tuple[float | None, float | None]:
    """Each run takes the mean time of its task and variant, or of all; those running are half through."""
    took: dict[tuple[str, str], list[float]] = {}
    for run in plan.runs(run_states):
        result = run_states.get(run.key, NEW).result
        if result is not None:
            took.setdefault((run.task, run.variant), []).append(result["took"])
    every = [seconds for some in took.values() for seconds in some]
    running, work, runs = 0, 0.0, 0.0
    for pair in plan.pairs:
        some = took.get(pair, every)
        for count in (counts[pair], searching.get(pair, Counter[str]())):
            running += count.get("running", 0)
            rest = count.get("waiting", 0) + count.get("running", 0) / 2
            runs += rest
            work += rest * (sum(some) / len(some) if some else 0.0)
    if not running or not every:
        return None, None
    left = work / running
    return (60 * runs / left if left else None), left


def duration(seconds: float) -> str:
    """As people say it: 0.4 s, 40 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def view(now: Status) -> Group:
    """For a terminal: variants down, tasks across, each done of all, with what is not as it should be."""
    table = Table("", *map(escape, dict.fromkeys(task for task, _ in now.counts)))
    for variant in dict.fromkeys(variant for _, variant in now.counts):
        table.add_row(Text(variant), *(Text(_progress(now, pair)) for pair in now.counts if pair[1] == variant))
    lines = [now.line]
    lines += [f"failed {times} time{'s' * (times > 1)}: {label}: {message}" for label, message, times in now.failed[:SHOWN]]
    if len(now.failed) > SHOWN:
        lines.append(f"and {len(now.failed) - SHOWN} more failed")
    if now.others:
        lines.append(f"{now.others} runs of other configurations are kept in the queue")
    return Group(table, *(Text(line) for line in lines))


def _progress(now: Status, pair: tuple[str, str]) -> str:
    """done/all, and what runs or has failed; of the search as long as it goes on or something of it failed."""
    text = _counted(now.counts[pair])
    search = now.searching.get(pair)
    if search is None or search.get("done", 0) == sum(search.values()):
        return text
    return f"search {_counted(search)}; {text}"


def _counted(counts: Mapping[str, int]) -> str:
    text = f"{counts.get('done', 0)}/{sum(counts.values())}"
    return text + "".join(f", {counts[state]} {state}" for state in ("running", "failed") if counts.get(state))
