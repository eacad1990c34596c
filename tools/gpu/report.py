"""What all answers say together; and the file of times."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import torch

from byhand.benchmarks import results
from byhand.benchmarks.results import Row
from byhand.engine.triton import tiers
from tools.gpu.journal import Journal
from tools.gpu.machine import INTERPRETED, ROOT, Machine
from tools.gpu.times import claims, table

WARNING = "an interpreter's times mean nothing: no ratio below is a measurement"


def whole(journal: Journal, here: Machine) -> str:
    """All of it, in lines."""
    rows = rows_of(journal)
    lines = [*errors(journal)]
    if rows:
        lines += [
            f"\ntimes: {write(journal, here)}",
            *claims(rows),
            *table(rows, tiers.chip_of(torch.device(here.device)), here.name),
        ]
    return "\n".join(lines)


def rows_of(journal: Journal) -> list[Row]:
    """Every row that was measured."""
    return [row for _, rows in measured(journal) for row in rows]


def measured(journal: Journal) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each case, with when they were measured."""
    for line in journal.lines.values():
        if line.get("rows"):
            yield line["when"], [Row(*values) for values in line["rows"]]


def write(journal: Journal, here: Machine) -> Path:
    """All rows, into the file of this GPU: whole or not at all. An interpreter's lie beside its journal."""
    folder = journal.path.parent if INTERPRETED else ROOT / "benchmarks" / "results"
    name = "-".join(re.findall("[a-z0-9]+", here.name.lower()))
    path = folder / f"cuda-{name}.csv"
    facts = results.facts(here.device) | {"load": f"{os.getloadavg()[0]:.2f}", "triton": here.triton, "commit": here.commit}
    facts |= {"meaningless": WARNING} if INTERPRETED else {}
    results.write(path, [(facts | {"date": when}, rows) for when, rows in measured(journal)])
    return path


def errors(journal: Journal) -> Iterator[str]:
    """A line for each tier and number type: how many checks, and the largest errors, values and gradients."""
    found: dict[tuple[str, str], list[dict]] = {}
    for line in journal.lines.values():
        kind, _, name = line["case"].partition(" / ")
        if kind == "check":
            tier, _, precision, _ = name.split(" / ", 3)
            found.setdefault((tier, precision), []).append(line)
    if found:
        yield "\n| tier | number type | right | wrong | refused | values off | gradients off |\n|---|---|---|---|---|---|---|"
    for (tier, precision), lines in found.items():
        counts = [sum(line["ok"] is kind for line in lines) for kind in (True, False, None)]
        off = [line["numbers"]["ours"] for line in lines if "numbers" in line]
        worst = [f"{float(torch.tensor([pair[place] for pair in off]).max()):.1e}" if off else "" for place in (0, 1)]
        yield f"| {' | '.join([tier, precision, *map(str, counts), *worst])} |"
    for line in journal.lines.values():
        if line["ok"] is False:
            yield f"WRONG {line['case']}: {line['said']}"
