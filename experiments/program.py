"""What the analysis of every experiment does: run its study, hold our numbers against the published ones, write results.csv.

    python -m experiments.hochreiter1997.analysis [--quick] [--workers 2]

results.csv has a row a number: quantity, published (with its mark: V read in the source, 2 quoted from it by others, C recomputed, M
from memory), ours, and of how many runs. --quick: two seeds and short trainings, to see that all works; its numbers say nothing.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import yaml

from byhand import study

Records = list[dict[str, Any]]
QUICK = {"max_steps": 200, "max_epochs": 1}


class Number(NamedTuple):
    """One of ours. runs: that it is made of."""

    quantity: str
    ours: float
    runs: int


def main(folder: Path, numbers: Callable[[Records], list[Number]]) -> None:
    """Run the study of the folder, as far as it is not done, and write what comes out of it."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{folder.name}.analysis", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds and short trainings, into runs/studies/quick")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    options = parser.parse_args()
    path = shortened(folder / "study.yaml") if options.quick else folder / "study.yaml"
    this = study.load(path)
    this.run(workers=options.workers)
    if this.stopped:
        print(f"\nstopped; the same command goes on. How far it is: {this.command('status')}")
        sys.exit(130)
    this.report()
    target = this.folder / "compared.csv" if options.quick else folder / "results.csv"
    write(target, numbers(this.table()), expected(folder / "expected.csv"))
    print(f"\nour numbers beside the published ones are in {target}; tables and pictures in {this.folder}")


def shortened(path: Path) -> Path:
    """A study that takes a minute or two, in a file of its own."""
    content = yaml.safe_load(path.read_text())
    content |= {"name": f"{content['name']}-quick", "seeds": 2}
    if "search" in content:
        content["search"]["trials"] = 2
    for part in (content, *content["tasks"].values()):
        for key, most in QUICK.items():
            if key in part.get("training", {}):
                part["training"][key] = min(most, part["training"][key])
    to = Path("runs/studies/quick") / f"{content['name']}.yaml"
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(yaml.safe_dump(content, sort_keys=False))
    return to


def expected(path: Path) -> dict[str, tuple[str, str]]:
    """Quantity -> published value and its mark."""
    with path.open(newline="") as file:
        return {row["quantity"]: (row["value"], row["mark"]) for row in csv.DictReader(file)}


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


def pairs(records: Records) -> list[tuple[str, str]]:
    """Every task and variant, in order."""
    return list(dict.fromkeys((one["task"], one["variant"]) for one in records))
