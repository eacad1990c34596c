"""What layers.py reports: its quantities, the tables on the screen, and a CSV file."""

import csv
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

Round = dict[tuple[str, str], float]  # (quantity, contender) -> what one round measured


class Quantity(NamedTuple):
    """subject: whose ratio to each of the others is asked for."""

    title: str
    others: tuple[str, ...]
    subject: str = "byhand"
    unit: str = "ms"


QUANTITIES = {
    "forward": Quantity("forward", ("nn.LSTM", "naive")),
    "training": Quantity("forward and backward", ("nn.LSTM", "naive")),
    "memory": Quantity("memory of training", ("nn.LSTM", "naive"), unit="kB"),
    "recording": Quantity("forward, recorded", ("byhand",), subject="recorded"),
    "off": Quantity("forward, not recorded", ("engine",)),
}


class Row(NamedTuple):
    """ratio: the quantity's subject / this contender."""

    engine: str
    rounds: int
    quantity: str
    case: str
    contender: str
    unit: str
    median: float
    least: float
    most: float
    ratio: float


def summary(case: str, engine: str, rounds: list[Round]) -> Iterator[Row]:
    for quantity, (_, others, subject, unit) in QUANTITIES.items():
        for contender in (*others, subject) if (quantity, others[0]) in rounds[0] else ():
            values = [taken[quantity, contender] for taken in rounds]
            ratio = statistics.median(taken[quantity, subject] / taken[quantity, contender] for taken in rounds)
            spread = statistics.median(values), min(values), max(values)
            yield Row(engine, len(rounds), quantity, case, contender, unit, *spread, ratio)


def print_table(quantity: str, rows: list[Row]) -> None:
    title, others, subject, unit = QUANTITIES[quantity]
    names, empty = (*others, subject), [""] * (len(others) + 1)
    print_line(f"{title}, {unit}", names, [f"{subject}/{name}" for name in others], before="\n")
    for case in dict.fromkeys(row.case for row in rows):
        found = {row.contender: row for row in rows if row.case == case}
        print_line(case, [f"{found[name].median:.3f}" for name in names], [f"{found[name].ratio:#.3g}" for name in others])
    ratios = [[row.ratio for row in rows if row.contender == name] for name in others]
    print_line("geometric mean", empty, [f"{statistics.geometric_mean(some):#.3g}" for some in ratios])
    print_line("below 1", empty, [f"{sum(ratio < 1 for ratio in some)} of {len(some)}" for some in ratios])


def print_line(first: str, medians: Sequence[str], ratios: Sequence[str], before: str = "") -> None:
    print(before + f"{first:26}" + "".join(f"{text:>12}" for text in medians) + "".join(f"{text:>17}" for text in ratios))


def facts() -> dict[str, str]:
    """What the numbers depend on, as far as it has no name of its own."""
    capability = torch.backends.cpu.get_cpu_capability()
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    return versions | {"threads": str(torch.get_num_threads()), "cpu_capability": capability}


def write(path: Path, rows: list[Row]) -> None:
    """Whole or not at all: into a file beside it, which then takes its name."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow((*facts(), *Row._fields))
            writer.writerows((*facts().values(), *(f"{x:.6g}" if isinstance(x, float) else x for x in row)) for row in rows)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
