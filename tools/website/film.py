"""The moving picture of the first page: one unit reads four prices. Every number in it is byhand's own.

The picture is complete as it stands, and moves once the site's script lets it: not for those who ask for reduced motion.
"""

from __future__ import annotations

from itertools import pairwise

import torch

import byhand
from byhand.plots.style import CANDIDATE, FORGET, INPUT, OUTPUT
from byhand.tasks.companies import PRICES
from tools.companies_document import unit

GATES = {"f": ("forget", FORGET), "i": ("input", INPUT), "g": ("candidate", CANDIDATE), "o": ("output", OUTPUT)}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday")
WIDTH, HEIGHT = 880, 396
LEFT, COLUMN = 80, 200
CURVE, GAUGES, TALL = (36, 150), 190, 110  # the curve's top and foot; the gauges' top and height
WIDE, GAP = 24, 38


def values() -> dict[str, list[float]]:
    """Site -> its value on each day, of company A."""
    prices = torch.tensor(PRICES[0], dtype=torch.float64).view(-1, 1, 1)
    lstm = unit()
    with byhand.use_engine("reference"), byhand.record(lstm) as trace, torch.no_grad():
        lstm(prices)
    return {site: trace[f"l0.{site}"].flatten().tolist() for site in (*GATES, "c", "h")}


def svg() -> str:
    """The picture, to stand in a page."""
    seen = values()
    days = "\n".join(day(number, seen) for number in range(len(DAYS)))
    words = "; ".join(f"{name}: cell state {figure(seen['c'][number])}" for number, name in enumerate(DAYS))
    return (
        f'<svg class="film" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="film-title film-words">\n'
        '<title id="film-title">One LSTM unit reads four prices</title>\n'
        f'<desc id="film-words">Four gates open and shut each day, and the cell state carries Monday to Thursday. {words}.</desc>\n'
        f"{curve(seen['c'])}\n{days}\n</svg>"
    )


def middle(number: int) -> int:
    return LEFT + COLUMN * number + COLUMN // 2


def height(value: float, low: float, high: float) -> float:
    top, foot = CURVE
    return foot - (foot - top) * (value - low) / (high - low)


def curve(memory: list[float]) -> str:
    """The cell state over the days, from 0 before the first."""
    line = [0.0, *memory]
    low, high = min(line) - 0.05, max(line) + 0.05
    points = [(LEFT, height(0.0, low, high)), *((middle(k), height(value, low, high)) for k, value in enumerate(memory))]
    path = f"M{points[0][0]},{points[0][1]:.1f}"
    for (x, y), (x2, y2) in pairwise(points):
        half = (x + x2) / 2
        path += f" C{half:.0f},{y:.1f} {half:.0f},{y2:.1f} {x2},{y2:.1f}"
    dots = "".join(
        f'<g class="film-day" style="--day:{k}"><circle cx="{x}" cy="{y:.1f}" r="7"/>'
        f'<text class="film-number" x="{x}" y="{y - 15:.1f}">{figure(memory[k])}</text></g>'
        for k, (x, y) in enumerate(points[1:])
    )
    zero = height(0.0, low, high)
    return (
        f'<text class="film-label" x="{LEFT - 12}" y="{zero - 12:.0f}">cell state</text>'
        f'<line class="film-zero" x1="{LEFT}" x2="{WIDTH - 10}" y1="{zero:.1f}" y2="{zero:.1f}"/>'
        f'<path class="film-memory" pathLength="1" d="{path}"/>{dots}'
    )


def day(number: int, seen: dict[str, list[float]]) -> str:
    """The four gauges of one day, its name and its price."""
    x, foot = middle(number), GAUGES + TALL
    first = x - (3 * GAP + WIDE) / 2
    gauges = "".join(
        gauge(first + GAP * k, name, colour, seen[name][number]) for k, (name, (_, colour)) in enumerate(GATES.items())
    )
    return (
        f'<g class="film-day" style="--day:{number}">{gauges}'
        f'<text class="film-name" x="{x}" y="{foot + 58}">{DAYS[number]}</text>'
        f'<text class="film-price" x="{x}" y="{foot + 86}">price {figure(PRICES[0][number])}</text></g>'
    )


def gauge(x: float, name: str, colour: str, value: float) -> str:
    """A bar from the foot up; the candidate's, which may be negative, from the middle."""
    signed = name == "g"
    base = GAUGES + (TALL / 2 if signed else TALL)
    size = abs(value) * (TALL / 2 if signed else TALL)
    top = base if signed and value < 0 else base - size
    return (
        f'<rect class="film-frame" x="{x:.0f}" y="{GAUGES}" width="{WIDE}" height="{TALL}" rx="5"/>'
        f'<rect class="film-bar" x="{x:.0f}" y="{top:.1f}" width="{WIDE}" height="{size:.1f}" rx="3" fill="{colour}"'
        f' style="transform-origin:0 {base:.1f}px"/>'
        f'<text class="film-gate" x="{x + WIDE / 2:.0f}" y="{GAUGES + TALL + 20}">{name}</text>'
    )


def figure(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def legend() -> str:
    """What the letters mean."""
    return "".join(
        f'<li><i style="background:{colour}"></i>{name}: {word}{" gate" * (name != "g")}</li>'
        for name, (word, colour) in GATES.items()
    )
