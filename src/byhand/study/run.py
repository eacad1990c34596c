"""byhand study run: workers at work, what they do shown, Ctrl-C answered."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from rich.console import Console
from rich.live import Live

from byhand.study.database import patiently
from byhand.study.plan import Plan, metric
from byhand.study.pool import Pool
from byhand.study.queue import Queue
from byhand.study.run_state import RunState
from byhand.study.status import Status, duration, status, view
from byhand.study.trouble import PATIENCE, reason

LOOK = 1.0  # seconds between looks at the queue
OFTEN = 10.0  # seconds at least between two lines of how far it is, in a log
Tell = Callable[..., None]
TRYING = f"trying on for up to {PATIENCE / 60:.0f} minutes, Ctrl-C twice to stop"
FINISHING = "finishing the runs under way; Ctrl-C again to drop them"


class Asked:
    """How often the user, or the system, has asked to stop: once to finish what is under way, twice to drop it."""

    times = 0

    def note(self, number: int, frame: Any) -> None:
        self.times += 1 if number == signal.SIGINT else 2


def watch(plan: Plan, queue: Queue, pool: Pool, *, workers: int, show: bool = True) -> tuple[Status, bool]:
    """Carry out the runs of the plan in `workers` processes. Gives where the study stands then, and whether it was asked to stop."""
    early = partial(patiently, waiting=lambda error: print(f"{reason(error)}; {TRYING}", flush=True) if show else None)
    before = early(queue.run_states)
    queue.fill(plan.runs(before), before, retries=plan.specification.retries)
    before = early(queue.run_states)
    now, announced = status(plan, before), False
    with _asked() as asked, _shown(now) if show else _quietly() as tell:
        if now.total["waiting"] or now.total["running"]:
            pool.start(workers)
        pool.ask = ask = partial(
            patiently, waiting=lambda error: tell(now, f"{reason(error)}; {TRYING}"), over=lambda: asked.times >= 2
        )
        waited = set[str]()  # what workers said that they wait for, since a run was done
        try:
            while pool.members:
                _wait(pool, asked)
                if asked.times >= 2:
                    pool.stop()
                elif asked.times and not announced:
                    announced = True
                    pool.finish()
                    tell(now, FINISHING)
                pool.look(replace=not asked.times and not pool.broken)
                after = ask(queue.run_states)
                now = status(plan, after)
                lines = news(plan, before, after)
                if lines:
                    pool.deaths = 0
                    waited.clear()
                tell(now, *deaths(plan, after, pool), *waits(pool, waited), *lines)
                before = after
        finally:
            pool.stop()
    return status(plan, ask(queue.run_states)), asked.times > 0


def news(plan: Plan, before: Mapping[str, RunState], after: Mapping[str, RunState]) -> list[str]:
    """A line for every run that was done or failed between two looks."""
    lines = []
    for run in plan.runs(after):
        now, then = after.get(run.key), before.get(run.key)
        if now is None or (then is not None and (then.state, then.failures) == (now.state, now.failures)):
            continue
        if now.state == "done" and now.result is not None:
            name = plan.specification.tasks[run.task].metric
            found = (
                f"{name} {metric(now.result, name):.4g} after {now.result['steps']} steps, {duration(now.result['seconds'])}"
            )
            lines.append(f"done    {run.label}: {found}")
        elif now.state == "failed":
            lines.append(f"failed  {run.label}: {now.message}")
    return lines


def deaths(plan: Plan, run_states: Mapping[str, RunState], pool: Pool) -> list[str]:
    """A line for every worker that has died since this was asked last."""
    labels = {run.key: run.label for run in plan.runs(run_states)}
    lines = [
        f"worker death {one.number} of this run: {one.cause}"
        + "".join(f", with {labels.get(key, key)} under way" for key in one.keys)
        for one in pool.died[pool.reported :]
    ]
    pool.reported = len(pool.died)
    return lines


def waits(pool: Pool, waited: set[str]) -> list[str]:
    """A line for everything that workers wait for and have not said yet."""
    lines = [f"{said}; {TRYING}" for said in dict.fromkeys(pool.heard) if said not in waited]
    waited.update(pool.heard)
    return lines


def _wait(pool: Pool, asked: Asked) -> None:
    """Until it is time for another look, a worker ends, or someone asks to stop."""
    end, times = time.monotonic() + LOOK, asked.times
    while time.monotonic() < end and asked.times == times and all(one.process.is_alive() for one in pool.members):
        time.sleep(0.05)


@contextmanager
def _asked() -> Iterator[Asked]:
    """Takes note of Ctrl-C and of SIGTERM, which batch systems send; outside the main thread of none."""
    asked, before = Asked(), {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, asked.note)
    except ValueError:
        pass
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(now: Status) -> Iterator[Tell]:
    """On a terminal a table that keeps up, lines above it; elsewhere the lines, and now and then how far it is."""
    console = Console()
    if not console.is_terminal:
        yield _written(now)
        return
    with Live(view(now), console=console, refresh_per_second=2) as live:

        def update(now: Status, *lines: str) -> None:
            for line in lines:
                live.console.print(line, markup=False, highlight=False)
            live.update(view(now))

        yield update


def _written(now: Status) -> Tell:
    said = time.monotonic()

    def write(now: Status, *lines: str) -> None:
        nonlocal said
        far = [now.line] if lines and time.monotonic() - said > OFTEN else []
        said = time.monotonic() if far else said
        for line in (*lines, *far):
            print(line, flush=True)

    print(now.line, flush=True)
    return write


@contextmanager
def _quietly() -> Iterator[Tell]:
    yield lambda now, *lines: None
