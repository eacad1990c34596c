"""The run: phase after phase, every answer into the journal as it comes, and what they say together at the end."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType

from tools.gpu import report, sanitizer
from tools.gpu.journal import BusyError, Journal
from tools.gpu.machine import INTERPRETED, Machine, machine, processes, refuses
from tools.gpu.options import parse
from tools.gpu.plan import Phase, case, phases
from tools.gpu.pool import Answer, Task, answers

WORDS = {True: "right", False: "WRONG", None: "not done"}
EVERY = 5.0  # seconds from one line of progress to the next


def run(arguments: list[str]) -> int:
    """0; 1 if something is wrong; 2 for what cannot be done; 130 after Ctrl-C. What was found until then is kept in each case."""
    options = parse(arguments)
    reason = refuses()
    if reason is not None:
        print(f"gpu: {reason}", file=sys.stderr)
        return 2
    if not any(options.only in case(task) for phase in phases() for task in phase.tasks):
        print(f"gpu: --only expected a part of a case's name, got {options.only!r}; --list prints all names", file=sys.stderr)
        return 2
    here = machine()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="byhand-gpu-"))
    try:
        with Journal(folder / "journal.jsonl", here.key, commit=here.commit) as journal:
            return listed(journal, options) if options.list else worked(journal, here, options)
    except (BusyError, OSError) as problem:
        print(f"gpu: {problem}", file=sys.stderr)
        return 2


def worked(journal: Journal, here: Machine, options: argparse.Namespace) -> int:
    """Do what is left, as long as there is time."""
    signal.signal(signal.SIGTERM, stopped)
    until = time.monotonic() + 60 * options.minutes
    todo = chosen(journal, options)
    total = sum(len(phase.tasks) for phase in todo)
    print(
        f"{here}\n{journal.path}: {len(journal.lines)} cases are done, {total} to do, {options.minutes:g} minutes", flush=True
    )
    if INTERPRETED:
        print(f"{report.WARNING}; nothing is written to benchmarks/results")
    if sanitizer.program() is None:
        print("compute-sanitizer is not here (NVIDIA's CUDA toolkit has it): accesses and races go unchecked", flush=True)
    code = 0
    try:
        for phase in todo:
            done(phase, journal, here, until, options.processes or processes())
    except KeyboardInterrupt:
        code = 130
        print("\nstopped: every case that was answered is kept", flush=True)
    print(report.whole(journal, here), flush=True)
    left = sum(options.only in case(task) and case(task) not in journal.lines for phase in phases() for task in phase.tasks)
    if left:
        print(f"{left} cases are left: the same command goes on with them{again(options)}")
    wrong = [one for one in journal.lines.values() if one["ok"] is False and options.only in one["case"]]
    return code or bool(wrong)


def again(options: argparse.Namespace) -> str:
    return f" (--folder {options.folder})" if INTERPRETED and options.folder else ""


def chosen(journal: Journal, options: argparse.Namespace) -> list[Phase]:
    """What is not answered yet; with --again what was wrong, too."""

    def wanted(task: Task) -> bool:
        line = journal.lines.get(case(task))
        return options.only in case(task) and (line is None or (options.again and line["ok"] is False))

    made = [phase._replace(tasks=[task for task in phase.tasks if wanted(task)]) for phase in phases()]
    return [phase for phase in made if phase.tasks]


def done(phase: Phase, journal: Journal, here: Machine, until: float, count: int) -> None:
    """One phase: what is wrong is printed at once, how far it is every few seconds."""
    if time.monotonic() >= until:
        return
    counts, began, last = Counter[str](), time.monotonic(), time.monotonic()
    print(f"{phase.title}: {len(phase.tasks)}{f', {count} at a time' if not phase.alone and count > 1 else ''}", flush=True)
    with closing(found(phase, until, count)) as arriving:
        for task, answer in arriving:
            journal.add(case(task), answer)
            counts[WORDS[answer["ok"]]] += 1
            if answer["ok"] is False or task.kind in ("bench", "sanitizer"):
                print(f"  {'WRONG ' if answer['ok'] is False else ''}{task.name}: {answer['said']}", flush=True)
            elif time.monotonic() - last > EVERY:
                last = time.monotonic()
                print(f"  {counts.total()} of {len(phase.tasks)}, {last - began:.0f} s", flush=True)
            if task.kind == "bench":
                report.write(journal, here)
    words = ", ".join(f"{number} {word}" for word, number in counts.items()) or "none"
    print(f"{phase.title}: {words}, {time.monotonic() - began:.0f} s", flush=True)


def found(phase: Phase, until: float, count: int) -> Generator[tuple[Task, Answer], None, None]:
    """The answers of a phase. What is to be timed is compiled before, by all processes, a few cases at a time."""
    kind = phase.tasks[0].kind
    if kind == "sanitizer":
        yield from sanitized(phase.tasks, until)
    elif kind == "bench" and count > 1:
        for first in range(0, len(phase.tasks), count):
            tasks = phase.tasks[first : first + count]
            for _ in answers([task._replace(kind="warm") for task in tasks], count, until):
                pass  # what does not compile says so when it is timed
            yield from answers(tasks, 1, until)
    else:
        yield from answers(phase.tasks, 1 if phase.alone else count, until)


def sanitized(tasks: Sequence[Task], until: float) -> Generator[tuple[Task, Answer], None, None]:
    program = sanitizer.program()
    for task in tasks:
        if program is None or time.monotonic() >= until:
            return
        began = time.monotonic()
        answer = sanitizer.answer(task.name, program)
        yield task, answer | {"seconds": round(time.monotonic() - began, 3)}


def listed(journal: Journal, options: argparse.Namespace) -> int:
    """Every case, with what is known of it."""
    for phase in phases():
        for task in phase.tasks:
            if options.only in case(task):
                line = journal.lines.get(case(task))
                print(case(task) if line is None else f"{case(task)}: {WORDS[line['ok']]}: {line['said']}")
    return 0


def stopped(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
