"""Up to which n each cell counts, trained to n = 10: curve.csv and curve.png.

    python -m experiments.gers2001.curve [--seeds 3] [--draw] [--quick]

Trains with the settings of study.yaml, the first seeds of it, and asks for every n of a list up to 1000. A study keeps numbers, not
networks, so these are trained once more. --draw: only the picture, of curve.csv. --quick: one short training, into runs/studies.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch

from byhand import study
from byhand.tasks import AnBn
from byhand.train import SequenceModel, train
from byhand.train.model.objectives import solved
from experiments.curves import Point, draw
from experiments.program import QUICK, Short, shortened

HERE = Path(__file__).parent
ASKED = [*range(1, 31), *range(32, 100, 4), *range(100, 301, 20), *range(350, 1001, 50)]
TRAINED = 10


class Count(NamedTuple):
    """reached: the last n asked for up to which all were right."""

    cell: str
    seed: int
    reached: int


def reached(model: SequenceModel, asked: Iterable[int] = ASKED) -> int:
    """The last of these n, in order, up to which the model solves every string; 0 if it fails at once."""
    last = 0
    for n in asked:
        batch = AnBn(test_least=n, test_most=n, sequences=1).batch("test", 0, 0, 1)
        with torch.no_grad():
            if not bool(solved(model(batch.input)[0], batch).all()):
                break
        last = n
    return last


def counts(path: Path, seeds: int) -> list[Count]:
    """Every variant of the study in the file, trained with its first seeds."""
    specification, found = study.load(path).specification, []
    for (task, plan), variant in ((one, name) for one in specification.tasks.items() for name in specification.variants):
        for seed in specification.seeds[:seeds]:
            run = specification.run(task, variant, seed, {})
            made = AnBn(**run.config["task"]["arguments"])
            model, _ = train(made, run.config["settings"], seed=seed, **run.config["training"])
            found.append(Count(variant, seed, reached(model.eval())))
            print(f"{plan.made.rpartition('.')[2]}, {variant}, seed {seed}: right up to n = {found[-1].reached}", flush=True)
    return found


def picture(found: list[Count], path: Path) -> None:
    """A line a cell: the share of its runs that are right up to n."""
    runs = {cell: [one.reached for one in found if one.cell == cell] for cell in dict.fromkeys(one.cell for one in found)}
    lines = {cell: [Point(n, sum(last >= n for last in some) / len(some)) for n in ASKED] for cell, some in runs.items()}
    draw(
        lines,
        path,
        title="As many b as a: how far each cell counts",
        x="n",
        y=f"share of {max(map(len, runs.values()))} runs that are right up to n",
        ticks=[1, 3, 10, 30, 100, 300, 1000],
        trained=TRAINED,
    )


def main(words: list[str] | None = None, quick: Short = QUICK) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(words)
    path = shortened(HERE / "study.yaml", quick) if options.quick else HERE / "study.yaml"
    table = (path.parent if options.quick else HERE) / "curve.csv"
    if not options.draw:
        found = counts(path, 1 if options.quick else options.seeds)
        with table.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([Count._fields, *found])
    with table.open(newline="") as file:
        rows = [Count(row["cell"], int(row["seed"]), int(row["reached"])) for row in csv.DictReader(file)]
    picture(rows, table.with_name("curve.png"))
    print(f"{table.with_name('curve.png')} is made of {table}")


if __name__ == "__main__":
    main()
