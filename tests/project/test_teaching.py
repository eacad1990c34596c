"""docs/teaching.md: its minutes add up, and every number in it is what the library finds."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
import torch
from conftest import ROOT
from torch import nn

import byhand
from byhand.tasks.companies import PRICES
from LSTM import LSTMbyHand
from tools import companies_document

TEXT = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
QUESTIONS = TEXT[TEXT.index("## Questions") :]
EXAMPLE = (
    "2EYS-17CR",
    "2026-12-01",
)  # which frontend/test/class.test.ts and tests/browser/test_explorer_class.py hold up to the page


def values(company: int, held: dict[str, Any] | None = None) -> dict[str, list[float]]:
    """Of the published unit, day by day."""
    lstm, x = companies_document.unit(), torch.tensor(PRICES[company], dtype=torch.float64).reshape(-1, 1, 1)
    with torch.no_grad(), byhand.edit(lstm, held or {}), byhand.record(lstm) as trace:
        lstm(x)
    return {site: trace[f"l0.{site}"][:, 0, 0].tolist() for site in "fgioch"}


def shut(site: str, day: int) -> dict[str, Any]:
    return {f"l0.{site}": byhand.at(0.0, time=day - 1)}


def written(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def found() -> list[tuple[str, list[str]]]:
    """For each sentence with numbers, what the library finds for them, in their order."""
    a, b = values(0), values(1)
    wiped = [values(company, shut("f", 2))["h"][3] for company in (0, 1)]
    late = [values(company, shut("i", 1))["h"][3] for company in (0, 1)]
    silent = values(1, shut("o", 4))
    assert late[0] == late[1]
    assert silent["h"][3] == 0 and silent["c"][3] == b["c"][3]
    half = 0.5**0.01
    return [
        (r"Why does B still answer (\S+), and A (\S+)\?", [written(wiped[1]), written(wiped[0])]),
        (r"short memory of day 1: (\S+) for B, (\S+) for A\.", [written(b["h"][0]), written(a["h"][0])]),
        (r"The answer is 0, but c is (\S+) as before", [written(silent["c"][3])]),
        (r"The same, (\S+)\. Nothing of day 1", [written(late[0])]),
        (r"On day 1 it is (\S+) for A and (\S+) for B\.", [written(a["g"][0]), written(b["g"][0])]),
        (r"(0\.99) to the power of 100 is (\d+ %)", ["0.99", f"{0.99**100:.0%}".replace("%", " %")]),
        (
            r"For half it takes (\S+); with (0\.995) it is (\d+ %)",
            [f"{half:.4f}", "0.995", f"{0.995**100:.0%}".replace("%", " %")],
        ),
        (r"\n   (\d+): each of three gates", [str(sum(one.numel() for one in LSTMbyHand().parameters()))]),
        (r"`nn.LSTM\(1, 1\)` has (\d+),", [str(sum(one.numel() for one in nn.LSTM(1, 1).parameters()))]),
    ]


@pytest.mark.parametrize(("sentence", "expected"), found())
def test_what_it_says_is_what_the_library_finds(sentence: str, expected: list[str]) -> None:
    (match,) = re.finditer(sentence, QUESTIONS)
    assert list(match.groups()) == expected


def test_no_other_number_stands_in_the_questions() -> None:
    checked = {number for _, expected in found() for number in expected}
    stand = set(re.findall(r"−?\d+\.\d+|\d+(?= %)", QUESTIONS))
    assert stand <= {one.removesuffix(" %") for one in checked} | {"99"}


def test_the_companies_and_the_example_are_the_right_ones() -> None:
    prices = [", ".join(f"{price:g}" for price in company) for company in PRICES]
    assert f"A {prices[0]} and B {prices[1]}" in TEXT
    assert all(one in TEXT for one in EXAMPLE)
    assert float(re.search(r"has to be beyond (\S+)\. ", TEXT)[1]) ** 100 < 0.5 < 0.994**100  # type: ignore[index]


@pytest.mark.parametrize("length", [45, 90])
def test_the_minutes_add_up(length: int) -> None:
    part = TEXT[TEXT.index(f"## {length} minutes") :]
    spans = [tuple(map(int, span)) for span in re.findall(r"^\| (\d+)–(\d+) \|", part[: part.index("\n## ", 3)], re.MULTILINE)]
    assert spans[0][0] == 0 and spans[-1][1] == length
    assert all(before[1] == after[0] for before, after in pairwise(spans))


def test_sections_and_exercises_are_where_it_says() -> None:
    notebook = (ROOT / "main.ipynb").read_text(encoding="utf-8")
    for section, title in (
        (2, "Two memories"),
        (3, "The unit as code"),
        (6, "Training"),
        (10, "Holding a gate"),
        (14, "A puzzle"),
    ):
        assert f"## {section}. {title}" in notebook
    assert all(f"**Exercise {number}, " in notebook for number in (1, 2, 4))
    unit = (ROOT / "LSTM.py").read_text(encoding="utf-8")
    lines = unit[unit.index("def lstm_unit") : unit.index("if record is not None")].splitlines()
    assert sum(" = " in line and not line.strip().startswith("#") for line in lines[1:]) == 6
