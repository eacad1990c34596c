"""Tables of numbers that were measured: benchmarks/results as pages, and those of the experiments at the foot of theirs."""

from __future__ import annotations

import csv
import re
import statistics
from pathlib import Path

from tools.website.places import ROOT

RESULTS = ROOT / "benchmarks" / "results"
SUITES = {
    "grid": "A grid of shapes",
    "kinds": "Kinds of layers and inputs",
    "step": "A single step",
    "cells": "Cells",
    "engines": "Engines",
    "compilers": "Compilers and runtimes",
    "layers": "Layers of others",
    "frozen": "Frozen layers",
    "cuda": "On a GPU",
}
DATA = {"results": "Ours beside what was published", "runs": "Every run", "curve": "The curve", "appendix": "The appendix"}
LONGEST = 400  # rows of a table on a page


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> str:
    """A number in four digits; all else as it is."""
    if not re.fullmatch(r"-?\d+\.\d+(e[+-]?\d+)?", text):
        return text
    return f"{float(text):.4g}".replace("-", "\N{MINUS SIGN}")


def table(rows: list[list[str]]) -> str:
    """GitHub's Markdown; the first row is its head."""
    cells = [[number(one).replace("|", "\\|") or " " for one in row] for row in rows]
    return "\n".join(["| " + " | ".join(row) + " |" for row in [cells[0], ["---"] * len(cells[0]), *cells[1:]]])


def benchmarks() -> dict[str, str]:
    """benchmarks/index, and a page for each suite that was measured, a table for each processor and number of threads."""
    suites: dict[str, list[Path]] = {}
    for path in sorted(RESULTS.rglob("*.csv")):
        suites.setdefault(suite_of(path), []).append(path)
    ordered = sorted(suites, key=lambda name: (list(SUITES).index(name) if name in SUITES else len(SUITES), name))
    made = {f"benchmarks/{name}": suite(name, suites[name]) for name in ordered}
    rows = [["suite", "processor", "threads", "measured", "rows"]]
    for name in ordered:
        for path in suites[name]:
            found = rows_of(path)
            rows.append(
                [
                    f"{{doc}}`/benchmarks/{name}`",
                    found[0].get("gpu") or found[0]["cpu"],
                    found[0]["threads"],
                    found[0]["date"][:10],
                    str(len(found)),
                ]
            )
    listed = "\n".join(["```{toctree}", ":hidden:", "", "speed", *ordered, "```"])
    opening = (
        "Every number here was written by `byhand bench`, or on a GPU by `make gpu`, which measure byhand and its baseline in the same"
        " process, in turn."
        " A ratio above 1 is faster than the baseline. What they come to: {doc}`speed`."
    )
    made["benchmarks/index"] = "\n\n".join(["# Benchmarks", opening, table(rows), listed]) + "\n"
    return made


def suite_of(path: Path) -> str:
    """The name of the page of a file: grid-2threads.csv, cuda-nvidia-h200.csv."""
    return "cuda" if path.stem.startswith("cuda-") else path.stem.rpartition("-")[0]


def suite(name: str, files: list[Path]) -> str:
    command = "make gpu" if name == "cuda" else f"byhand bench {name}"
    blocks = [f"# {SUITES.get(name, name)}", f"`{command}`; medians, with the least and the most of all rounds."]
    for path in files:
        found = rows_of(path)
        first = found[0]
        blocks += [
            f"## {first.get('gpu') or first['cpu']}, {first['threads']} thread{'s' if first['threads'] != '1' else ''}",
            f"torch {first['torch']}, Python {first['python']}, {first['cpu_capability']}, {first['cores']} cores; {first['date'][:10]};"
            f" load {number(first['load'])}. `{path.relative_to(ROOT).as_posix()}`",
        ]
        shown = [["case", "what", "layer", "engine", "type", "median", "least", "most", "against the baseline"]]
        for one in found:
            if one["contender"] == one["baseline"]:
                continue
            unit = one["unit"]
            values = [f"{number(one[part])} {unit}" for part in ("median", "least", "most")]
            faster = f"{float(one['faster']):.2f}x {one['baseline']}" if one["faster"] else ""
            shown.append([one["case"], one["quantity"], one["contender"], one["engine"], one["precision"], *values, faster])
        blocks += [table(summary(found)), *folded(shown)]
    return "\n\n".join(blocks) + "\n"


def summary(found: list[dict[str, str]]) -> list[list[str]]:
    """What the rows come to, of each layer and quantity: the geometric mean of its ratios to the baseline, and the worst."""
    ratios: dict[tuple[str, str], list[float]] = {}
    for one in found:
        if one["contender"] != one["baseline"] and one["faster"]:
            ratios.setdefault((one["quantity"], one["contender"]), []).append(float(one["faster"]))
    head = ["what", "layer", "cases", "geometric mean", "worst", "best"]
    return [
        head,
        *(
            [
                what,
                layer,
                str(len(those)),
                *(f"{value:.2f}x" for value in (statistics.geometric_mean(those), min(those), max(those))),
            ]
            for (what, layer), those in ratios.items()
        ),
    ]


def folded(rows: list[list[str]]) -> list[str]:
    """A table; a long one folded in, so that what stands below it is found."""
    if len(rows) <= 40:
        return [table(rows)]
    return [f"<details><summary>{len(rows) - 1} rows</summary>", table(rows[: LONGEST + 1]), *more(rows), "</details>"]


def more(rows: list[list[str]]) -> list[str]:
    left = len(rows) - 1 - LONGEST
    return [f"And {left} rows more in the file."] if left > 0 else []


def experiment(folder: Path) -> str:
    """The tables of an experiment's folder, to stand at the foot of its page; nothing if there is none."""
    blocks = []
    for name, title in DATA.items():
        path = folder / f"{name}.csv"
        if path.is_file() and (found := rows_of(path)):
            rows = [list(found[0]), *(list(row.values()) for row in found)]
            blocks += [f"### {title}", f"`{path.relative_to(ROOT).as_posix()}`:", *folded(rows)]
    return "\n\n".join(["## The numbers", *blocks]) if blocks else ""
