"""What the analysis of every experiment does: run its study, hold our numbers against the published ones, write results.csv.

    python -m experiments.hochreiter1997.analysis [--quick] [--workers 2]

results.csv has a row a number: quantity, published (with its mark: V read in the source, 2 quoted from it by others, C recomputed, M
from memory), ours, and of how many runs. runs.csv has a row a run: all that it came to. Where the experiment has a picture, curve.png
is made of them; --draw redraws it from results.csv and runs nothing. --quick: two seeds and short trainings, to see that all works;
its numbers say nothing.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import yaml

from byhand import study
from byhand.study.compare import compare

Records = list[dict[str, Any]]


class Short(NamedTuple):
    """What --quick leaves of a study. trials: of its search; 0: it has none. most: of the options of trainings and tasks that have
    these names.
    """

    seeds: int
    trials: int
    most: dict[str, int]


QUICK = Short(seeds=2, trials=2, most={"max_steps": 200, "max_epochs": 1})


class Number(NamedTuple):
    """One of ours. runs: that it is made of."""

    quantity: str
    ours: float
    runs: int


def main(
    folder: Path,
    numbers: Callable[[Records], list[Number]],
    picture: Callable[[list[Number], Path], None] | None = None,
    *,
    words: Sequence[str] | None = None,
    quick: Short = QUICK,
) -> None:
    """Run the study of the folder, as far as it is not done, and write what comes out of it. words: instead of those typed."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{folder.name}.analysis", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds and short trainings, into runs/studies")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    if picture:
        parser.add_argument("--draw", action="store_true", help="only redraw the picture, from results.csv")
    options = parser.parse_args(words)
    if picture and options.draw and options.quick:
        parser.error("expected --draw, of the whole, or --quick, which draws by itself; got both")
    if picture and options.draw:
        picture(stored(folder / "results.csv"), folder / "curve.png")
        return
    path = shortened(folder / "study.yaml", quick) if options.quick else folder / "study.yaml"
    try:
        this = study.load(path)
        now = this.run(workers=options.workers)
    except study.StudyError as error:
        sys.exit(f"{parser.prog}: {error}")
    if not now.complete:
        print(f"\n{now.line}; nothing was written. The same command goes on; more of it: {this.command('status')}")
        sys.exit(130 if this.stopped else 1)
    this.report()
    target = this.folder / "compared.csv" if options.quick else folder / "results.csv"
    found = numbers(this.table())
    runs(target.with_name("runs.csv"), this.table())
    write(target, found, expected(folder / "expected.csv"))
    if picture:
        picture(found, target.with_name("curve.png"))
    print(f"\nour numbers beside the published ones are in {target}; tables and pictures in {this.folder}")


def shortened(path: Path, quick: Short) -> Path:
    """A study that takes a minute or two, in a file of its own."""
    content = yaml.safe_load(path.read_text())
    content |= {"name": f"{content['name']}-quick", "seeds": quick.seeds}
    if "search" in content:
        content["search"] = content["search"] | {"trials": quick.trials} if quick.trials else None
    for part in (content, *content["tasks"].values()):
        for options in (part.get("training", {}), part.get("init_args", {})):
            options |= {name: min(most, options[name]) for name, most in quick.most.items() if name in options}
    to = Path("runs/studies/quick") / f"{content['name']}.yaml"
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(yaml.safe_dump(content, sort_keys=False))
    return to


def stored(path: Path) -> list[Number]:
    """The numbers of a results.csv."""
    with path.open(newline="") as file:
        return [Number(row["quantity"], float(row["ours"]), int(row["runs"])) for row in csv.DictReader(file)]


def expected(path: Path) -> dict[str, tuple[str, str]]:
    """Quantity -> published value and its mark."""
    with path.open(newline="") as file:
        return {row["quantity"]: (row["value"], row["mark"]) for row in csv.DictReader(file)}


def runs(path: Path, records: Records) -> None:
    """A row a run: task, variant, seed, what was searched, every metric of the test, steps and seconds."""
    apart = ("host", "torch", "threads", "settings", "key")
    names = dict.fromkeys(
        name for one in records for name in one if name not in apart and not name.startswith(("val_", "train_"))
    )
    with path.open("w", newline="") as file:
        rows = csv.DictWriter(file, list(names), extrasaction="ignore", lineterminator="\n")
        rows.writeheader()
        rows.writerows(
            {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in one.items()} for one in records
        )


def write(path: Path, numbers: list[Number], published: dict[str, tuple[str, str]]) -> None:
    """The table, in a file and on the terminal."""
    rows = [["quantity", "published", "mark", "ours", "runs"]]
    rows += [[one.quantity, *published.get(one.quantity, ("", "")), f"{one.ours:.6g}", str(one.runs)] for one in numbers]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def of(records: Records, **which: str) -> Records:
    """Those with this task and variant."""
    return [one for one in records if all(one[name] == value for name, value in which.items())]


def middle(records: Records, metric: str) -> float:
    """The median of a metric; NaN if there is nothing."""
    return median(one[metric] for one in records) if records else float("nan")


def against(records: Records, base: str, metric: Callable[[str], str]) -> list[Number]:
    """For each task and variant but the base: the median of its differences from the base over the seeds, and how likely differences as
    great are if there is none: Wilcoxon's signed-rank test, with Holm's correction for all variants of a task. metric: of a task.
    """
    found = []
    for task in dict.fromkeys(one["task"] for one in records):
        values: dict[str, dict[int, float]] = {}
        for one in of(records, task=task):
            values.setdefault(one["variant"], {})[one["seed"]] = one[metric(task)]
        for row in compare(values, base):
            if row.effect is not None and row.holm is not None:
                name = f"{task}: {row.variant}"
                found.append(Number(f"{name}: difference from {base}, median", row.effect, row.pairs))
                found.append(Number(f"{name}: p, Wilcoxon and Holm", row.holm, row.pairs))
    return found


def pairs(records: Records) -> list[tuple[str, str]]:
    """Every task and variant, in order."""
    return list(dict.fromkeys((one["task"], one["variant"]) for one in records))


def judged(
    records: Records, metric: str, good: float, *, median_of: str, solved_by: str, by_task: bool = False
) -> list[Number]:
    """For each network, on each task: the median of a metric, and the share of runs in which it is at least `good`."""
    found = []
    for task, variant in pairs(records):
        runs, name = of(records, task=task, variant=variant), f"{task}: {variant}" if by_task else variant
        solved = sum(one[metric] >= good for one in runs) / len(runs)
        found += [
            Number(f"{name}: {median_of}", middle(runs, metric), len(runs)),
            Number(f"{name}: {solved_by}", solved, len(runs)),
        ]
    return found
