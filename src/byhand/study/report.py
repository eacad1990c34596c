"""byhand study report: tables on the terminal, results.csv, report.md and pictures."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from byhand.files.atomic import write_whole
from byhand.study.compare import Row, compare
from byhand.study.figures import draw
from byhand.study.metric_labels import in_words
from byhand.study.plan import Plan, value_of
from byhand.study.run_state import RunState
from byhand.study.runs import Run
from byhand.study.status import Status
from byhand.study.task_plan import TaskPlan

HEADS = ("variant", "n", "median", "quartiles", "difference", "p", "p, Holm")
Record = dict[str, Any]


def records(plan: Plan, run_states: Mapping[str, RunState], *, search: bool = False) -> list[Record]:
    """One for every run that is done: task, variant, seed, searched values, every metric, steps, seconds, settings, key."""
    runs = [run for some in (plan.searching if search else plan.final(run_states)).values() for run in some]
    results = {run.key: run_states[run.key].result for run in runs if run.key in run_states}
    return [record(run, result) for run in runs if (result := results.get(run.key)) is not None]


def record(run: Run, result: Mapping[str, Any]) -> Record:
    whose = {"task": run.task, "variant": run.variant, "seed": run.seed, **run.searched}
    found = {**result["metrics"], "steps": result["steps"], "seconds": result["seconds"]}
    where = {name: result[name] for name in ("host", "torch", "threads")}
    return whose | found | where | {"settings": dict(run.config["settings"]), "key": run.key}


def values(plan: Plan, run_states: Mapping[str, RunState]) -> dict[str, dict[str, dict[int, float]]]:
    """The metric that counts, by task, variant and seed."""
    found: dict[str, dict[str, dict[int, float]]] = {task: {} for task in plan.specification.tasks}
    for (task, variant), runs in plan.final(run_states).items():
        results = [(run.seed, run_states[run.key].result) for run in runs if run.key in run_states]
        some = {seed: value_of(result, plan.specification.tasks[task]) for seed, result in results if result is not None}
        found[task][variant] = some
    return found


def compared(plan: Plan, run_states: Mapping[str, RunState]) -> dict[str, list[Row]]:
    """The comparison within each task."""
    return {task: compare(some, plan.specification.base) for task, some in values(plan, run_states).items()}


def table(task: str, rows: list[Row], plan: TaskPlan) -> Table:
    """For the terminal."""
    shown = Table(*HEADS, title=Text(f"{task}: {in_words(plan.metric)}"), title_justify="left")
    for row in rows:
        shown.add_row(*map(Text, cells_of(row)))
    return shown


def cells_of(row: Row) -> tuple[str, ...]:
    """A row in words. The base has no difference to itself."""
    of = f" ({count_of(row.pairs, 'pair')})" if row.pairs != row.n else ""
    tested = [number(row.effect) + of, probability(row.p), probability(row.holm)] if row.p is not None else ["", "", ""]
    n = f"{row.n} ({row.lost} diverged)" if row.lost else str(row.n)
    return (row.variant, n, number(row.median), f"{number(row.low)} … {number(row.high)}", *tested)


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def count_of(many: int, what: str) -> str:
    return f"{many} {what}{'s' * (many != 1)}"


def probability(p: float | None) -> str:
    return "" if p is None else "< .0001" if p < 0.0001 else f"{p:.2g}".removeprefix("0")


def write(plan: Plan, run_states: Mapping[str, RunState], now: Status, folder: Path) -> list[Path]:
    """All files of the report, each whole or not at all; gives their paths. OSError if the folder cannot be written to."""
    pages = {"results.csv": table_file(records(plan, run_states))}
    if plan.searching:
        pages["search.csv"] = table_file(records(plan, run_states, search=True))
    pictures: dict[str, str] = {}
    written = []
    for at, (task, rows) in enumerate(compared(plan, run_states).items()):
        if rows:
            name = f"{plan.specification.name}-{at + 1}-{re.sub(r'[^a-z0-9]+', '-', task.lower()).strip('-')}"
            pictures[task] = f"{name}.svg"
            written += draw(task, values(plan, run_states)[task], rows, plan.specification, folder / name)
    pages["report.md"] = page(plan, run_states, now, pictures)
    for name, text in pages.items():
        write_whole(folder / name, text.encode())
        written.append(folder / name)
    return written


def table_file(rows: list[Record]) -> str:
    """CSV, a column for everything that any record has; settings as JSON."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["task", "variant", "seed"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"settings": json.dumps(row["settings"], sort_keys=True)} for row in rows)
    return text.getvalue()


def page(plan: Plan, run_states: Mapping[str, RunState], now: Status, pictures: Mapping[str, str]) -> str:
    """report.md."""
    study = plan.specification
    lines = [f"# {study.name}", "", f"{now.line}.", ""]
    for task, rows in compared(plan, run_states).items():
        its = study.tasks[task]
        if not rows:
            lines += [f"## {task}", "", "Nothing is done yet.", ""]
            continue
        lines += [f"## {task}", "", f"{in_words(its.metric).capitalize()} (`{its.metric}`), to be {its.goal}d.", ""]
        lines += ["| " + " | ".join(HEADS) + " |", "|---|" + "---:|" * (len(HEADS) - 1)]
        lines += ["| " + " | ".join(one.replace("|", "\\|") for one in cells_of(row)) + " |" for row in rows]
        lines += ["", f"![{task}]({pictures[task]})", ""] if task in pictures else [""]
        comparisons = [row for row in rows if row.p is not None]
        if comparisons:
            lines += [method(study.base, comparisons), ""]
    if study.search is not None:
        lines += ["## Search", "", _searched(plan, run_states), ""]
    if now.failed:
        lines += ["## Failed", "", *(f"- {label}: {message} ({times} times)" for label, message, times in now.failed), ""]
    return "\n".join(lines)


def method(base: str, rows: list[Row]) -> str:
    """How the columns came about."""
    numbers = sorted({row.pairs for row in rows})
    least = " ".join(f"With {count_of(pairs, 'pair')} no p can be less than {2.0 ** (1 - pairs):.2g}." for pairs in numbers)
    return (
        f"Quartiles by linear interpolation. Difference: the median over the seeds of (variant − {base}) with equal seeds. "
        f"p: Wilcoxon's signed-rank test on these differences, two-sided; beside it with Holm's correction for the "
        f"{count_of(len(rows), 'comparison')} of this task. {least} A training that diverged counts as the worst."
    )


def _searched(plan: Plan, run_states: Mapping[str, RunState]) -> str:
    search = plan.specification.search
    assert search is not None
    chosen = {pair: plan.chosen(*pair, run_states) for pair in plan.pairs}
    lines = [
        f"The same {count_of(len(search.candidates()), 'value')}, spread over the ranges, for every variant of every task, seed"
        f" {search.seed}, which is none of those above;"
        " the best by validation went on:",
        "",
        *(
            f"- {task}, {variant}: " + (", ".join(f"{name} {value}" for name, value in one.items()) if one else "not settled")
            for (task, variant), one in chosen.items()
        ),
    ]
    return "\n".join(lines)
