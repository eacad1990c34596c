"""The gates and memories of a document's first sequence, units x time, as one SVG file."""

from __future__ import annotations

import base64
import html
from math import isnan
from typing import Any

from torch import Tensor

from byhand.explorer.hosts.page import visible
from byhand.explorer.still.colours import Scheme, colour, levels, png, scheme_of
from byhand.explorer.still.values import first_layer

STEPS, UNITS = 240, 64  # that are drawn, at most
DARK = 380  # red, green and blue together, on which white is read better than black
NUMBERS = 12  # steps, up to which a single unit's values are written in
LEFT, WIDE, TOP, GAP = 190, 700, 64, 14
ORDER = ("f", "z", "i", "r", "g", "n", "o")  # what is kept, what is written, what is exposed
FONT = "font-family='system-ui,sans-serif'"


def picture(document: dict[str, Any]) -> str:
    """As text. Colours are those of the page; it has a white background of its own."""
    values = {site: value[:STEPS, :UNITS] for site, value in first_layer(document).items()}
    cell, parts, y = document["cell"], [], TOP
    for site in drawn(cell, list(values)):
        label = cell["labels"].get(site, "")
        memory = site in cell["state"] and site not in cell["gates"]
        scheme = scheme_of(site, label, cell["ranges"].get(site, "free"), values[site], memory=memory)
        height = 26 if values[site].shape[1] == 1 else min(110, max(36, 4 * values[site].shape[1]))
        parts += [row(site, label, values[site], scheme, y, height)]
        y += height + GAP
    parts += [time_axis(document, len(next(iter(values.values()))), y)]
    y += 34
    heading = [text(LEFT, 26, visible(document["title"]), 17, weight=600), text(LEFT, 48, about(document), 13, colour="#555")]
    size = f"viewBox='0 0 {LEFT + WIDE + 90} {y}' width='{LEFT + WIDE + 90}' height='{y}'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size}><rect width='100%' height='100%' fill='#fff'/>{''.join(heading + parts)}</svg>"


def drawn(cell: dict[str, Any], sites: list[str]) -> list[str]:
    """Gates first, in the order in which people read them, then the states, the output last."""
    gates = sorted(set(cell["gates"]) & set(sites), key=lambda one: (ORDER.index(one) if one in ORDER else len(ORDER), one))
    states = [name for name in [*cell["state"][1:], cell["state"][0]] if name in sites and name not in gates]
    return [*gates, *states] or sites


def about(document: dict[str, Any]) -> str:
    """What is seen: which sequence and layer, and how much of it."""
    layer, item = document["layers"][0], document["items"][0]
    where = f", layer {layer['place']} of {len(document['layers'])}" if len(document["layers"]) > 1 else ""
    part = [f"the first {STEPS} of {item['steps']} steps"] * (item["steps"] > STEPS)
    part += [f"the first {UNITS} of {layer['hidden']} units"] * (layer["hidden"] > UNITS)
    return visible(f"{item['name']}{where}{': ' if part else ''}{', '.join(part)}")


def row(site: str, label: str, value: Tensor, scheme: Scheme, y: int, height: int) -> str:
    """A name, a map, and what its colours stand for."""
    steps, units = value.shape
    middle = y + height / 2 + 5
    name = text(12, middle, site, 15, weight=600) + text(34, middle, visible(label), 13)
    picture = base64.b64encode(png(value.T, scheme)).decode()
    parts = [
        name,
        f"<image x='{LEFT}' y='{y}' width='{WIDE}' height='{height}' preserveAspectRatio='none' style='image-rendering:pixelated'"
        f" href='data:image/png;base64,{picture}'/>",
        f"<rect x='{LEFT}' y='{y}' width='{WIDE}' height='{height}' fill='none' stroke='#bbb'/>",
        text(
            LEFT + WIDE + 8,
            middle,
            "0 to 1" if scheme.low == 0 else f"{figure(scheme.low)} to {figure(scheme.high)}",
            12,
            colour="#555",
        ),
    ]
    if units == 1 and steps <= NUMBERS:
        for at, (one, level) in enumerate(zip(value[:, 0].tolist(), levels(value[:, 0], scheme).tolist(), strict=True)):
            dark = sum(colour(level, scheme.stops)) < DARK
            x = LEFT + (at + 0.5) * WIDE / steps
            parts.append(text(x, middle, figure(one), 13, colour="#fff" if dark else "#111", anchor="middle"))
    return "".join(parts)


def time_axis(document: dict[str, Any], steps: int, y: int) -> str:
    """Characters where there are such and room for them; else the number of a step now and then, from 0."""
    words = document["items"][0]["characters"]
    every = 1 if words and steps <= 80 else max(1, -(-steps // 12))
    shown = range(0, steps, every)
    marks = [(at, visible(words[at]) if words else f"step {at}" if at == 0 else str(at)) for at in shown]
    return "".join(
        text(LEFT + (at + 0.5) * WIDE / steps, y + 8, word, 12, colour="#555", anchor="middle") for at, word in marks
    )


def figure(value: float) -> str:
    """A number as the page writes it: two decimals, one digit where it is below a hundredth."""
    if isnan(value):
        return "NaN"
    size = abs(value)
    words = f"{size:.2f}" if size == 0 or size >= 0.01 else f"{float(f'{size:.1g}'):f}".rstrip("0")
    return ("−" if value < 0 and float(words) else "") + words


def text(x: float, y: float, words: str, size: int, *, colour: str = "#111", weight: int = 400, anchor: str = "start") -> str:
    look = f"font-size='{size}' font-weight='{weight}' fill='{colour}' text-anchor='{anchor}' {FONT}"
    return f"<text x='{x:.5g}' y='{y:.5g}' {look}>{html.escape(words)}</text>"
