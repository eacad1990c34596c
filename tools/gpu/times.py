"""What the times come to: beside what the GPU engine is to be held to, and as a table of tiers."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from byhand.benchmarks.results import Row
from byhand.engine.triton.tiers import Chip, Tier
from tools.gpu.calls import PRECISIONS

STANDARD = ("byhand", "nn.LSTM", "reference", "torch.compile", "torch.compile of a step")  # contenders that are no tier


class Claim(NamedTuple):
    """One line of what is to be shown: of these ratios, by their geometric mean or the least of them, at least so much."""

    words: str
    ratios: Sequence[float]
    least: float
    by_least: bool = False

    def __str__(self) -> str:
        if not self.ratios:
            return f"| {self.words} | {self.least:.3g}x | not measured | |"
        found = min(self.ratios) if self.by_least else statistics.geometric_mean(self.ratios)
        return f"| {self.words} | {self.least:.3g}x | {found:.2f}x of {len(self.ratios)} | {'yes' if found >= self.least else 'no'} |"


def claims(rows: Sequence[Row]) -> Iterator[str]:
    """What the GPU engine is to be held to, beside what was measured."""
    trained = [row for row in rows if row.quantity == "training"]
    flash, memory = [row for row in trained if row.suite == "flashrnn"], [row for row in rows if row.quantity == "memory"]
    low = [row for row in trained if row.precision == "bfloat16" and 192 <= units(row) <= 1024]
    loops = {name: [row for row in trained if row.contender.startswith(name)] for name in ("torch.compile", "reference")}
    yield "\n| training, the best tier | must be | is | |\n|---|---|---|---|"
    yield str(Claim("against cuDNN in tf32, FlashRNN's shapes", best(one for one in flash if one.precision == "tf32"), 1.0))
    yield str(Claim("against cuDNN in tf32, other cells", best(r for r in trained if r.precision == "tf32" and other(r)), 1.0))
    yield str(Claim("against cuDNN in bfloat16, 192 to 1024 units", best(low), 2.0))
    for name, least in (("torch.compile", 10.0), ("reference", 20.0)):
        yield str(Claim(f"against {name}'s loop", against(trained, loops[name]), least))
    yield str(Claim("memory of cuDNN's training, of ours", best(memory), 1 / 0.6))
    standard = [
        row.faster for row in rows if row.contender == "byhand" and row.quantity in ("forward", "training") and not other(row)
    ]
    yield str(Claim("standard cells as byhand chooses, against nn.LSTM, the least", standard, 0.98, by_least=True))


def other(row: Row) -> bool:
    """Whether it is of a cell that torch has not."""
    return row.case.split()[-1] in ("peephole", "slstm", "cifg")


def units(row: Row) -> int:
    return int(row.case.split()[0].split("x")[3])


def batch(row: Row) -> int:
    return int(row.case.split()[0].split("x")[1])


def best(rows: Iterable[Row]) -> list[float]:
    """Of each case in each number type the fastest tier's ratio."""
    found: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.contender not in STANDARD and row.contender != row.baseline:
            key = (row.case, row.precision)
            found[key] = max(row.faster, found.get(key, 0.0))
    return list(found.values())


def against(rows: Sequence[Row], loops: Sequence[Row]) -> list[float]:
    """Of each case that a loop ran, too, its time by that of the fastest tier."""
    made = []
    for loop in loops:
        there = [
            row.median
            for row in rows
            if (row.case, row.precision) == (loop.case, loop.precision) and row.contender not in STANDARD
        ]
        if there:
            made.append(loop.median / min(there))
    return made


def table(rows: Sequence[Row], chip: Chip, name: str) -> Iterator[str]:
    """Entries for the top of byhand.engine.triton.tiers.TABLE: of each number type, width and batch the tier that trains fastest."""
    names = {tier.value for tier in Tier}
    fastest: dict[str, dict[tuple[int, int], Row]] = {}
    for row in rows:
        plain = len(row.case.split()) == 1
        if plain and row.quantity == "training" and row.contender in names:
            of_number = fastest.setdefault(row.precision, {})
            key = units(row), batch(row)
            if key not in of_number or per_step(row) < per_step(of_number[key]):
                of_number[key] = row
    if fastest:
        yield f"\nfor byhand.engine.triton.tiers.TABLE, as measured on {name}:"
    for number in (one for one in PRECISIONS if one in fastest):
        for width, most, tier in merged(fastest[number]):
            words = f'"{number}", {width}, {most or "ANY"}, {chip.capability}, {chip.processors}, Tier.{tier}'
            yield f"    Entry({words}),"


def per_step(row: Row) -> float:
    """Of one step: a width and batch may have been measured at several lengths."""
    return row.median / int(row.case.split("x")[0])


def merged(fastest: dict[tuple[int, int], Row]) -> list[tuple[int, int, str]]:
    """Units at most, sequences at most (0: any number), tier: of sizes in between the next larger one's that was measured, and one entry
    where several agree.
    """
    widths = sorted({width for width, _ in fastest})
    made: list[list[tuple[int, int, str]]] = []
    for width in widths:
        of_width = sorted((size, row.contender) for (one, size), row in fastest.items() if one == width)
        kept = [pair for place, pair in enumerate(of_width) if place + 1 == len(of_width) or of_width[place + 1][1] != pair[1]]
        kept[-1] = (0, kept[-1][1])
        if made and [(size, tier) for _, size, tier in made[-1]] == kept:
            made.pop()
        made.append([(width, size, tier) for size, tier in kept])
    return [one for entries in made for one in entries]
