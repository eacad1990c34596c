"""The ledger as a triangle: who wrote what, and how much of it is left at every later step."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Patch

from byhand.explain.ledger import Ledger
from byhand.explain.renaming import renamed
from byhand.plots.axes import canvas, key, round_names, time_axis
from byhand.plots.encoding import rounded
from byhand.plots.panels import ENDED, scale, stretches, typical
from byhand.plots.selection import inside, numbers, read
from byhand.plots.spelling import down
from byhand.plots.style import INK, SMALL, luminance, memory_map, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

LATER = "0.94"
PRINTED = 10  # steps whose entries can be printed as numbers
SQUARE = 5.2  # inches of the triangle's sides


@renamed(item="batch")
@styled
def ledger(ledger: Ledger, *, batch: int = 0, characters: Sequence[str] | None = None) -> Figure:
    """Draw what is left, at each step (downward), of what was written at each step (to the right).

    Left of it is what is left of the first memory; right of it the memory, the sum of each row.

    Args:
        ledger: the result of byhand.explain.ledger(trace, layer, unit).
        batch: which of its sequences.
        characters: one for each step, written along time: all where they fit, else every few of them.

    Returns:
        The figure.

    Raises:
        TypeError: `ledger` is no Ledger.
        ValueError: there is not one character for each step.
        IndexError: there is no such sequence.
    """
    if not isinstance(ledger, Ledger):
        raise TypeError(f"ledger expected what byhand.explain.ledger(trace, layer, unit) gives, got a {type(ledger).__name__}")
    times, sequences = ledger.memory.shape
    item = inside(batch, sequences, "a sequence", "ledger")
    letters = read(characters, times, 0, times, "ledger")
    left = np.column_stack([numbers(ledger.initial[:, item]), triangle(ledger, item)])
    memory = numbers(ledger.memory[:, item])
    printed = times <= PRINTED
    limit = rounded(float(np.max(typical(np.append(left.ravel(), memory) if printed else left), initial=0.0)))
    figure = canvas(title(ledger, item), 6.3)
    first, middle, last = figure.subplots(1, 3, sharey=True, width_ratios=[0.5, SQUARE, 0.7 if printed else 1.7])
    image = squares(middle, left[:, 1:], limit)
    squares(first, left[:, :1], limit)
    if printed:
        squares(last, memory[:, None], limit)
    else:
        total(last, memory)
    name(first, middle, last, times, letters)
    middle.set_facecolor(LATER)
    scale([first, middle, last], image, "what is left of it (value)", aspect=28)
    legend(figure, [first, middle, last], ~ledger.valid[:, item].cpu().numpy())
    return figure


def legend(figure: Figure, several: Sequence[Axes], ended: np.ndarray) -> None:
    """What is grey, and what is hatched."""
    handles = [Patch(facecolor=LATER, label="not written yet")] if len(ended) > 1 else []
    if ended.any():
        for axes, (first, size) in product(several, stretches(ended)):
            axes.axhspan(first - 0.5, first + size - 0.5, zorder=2.2, **ENDED)
        handles.append(Patch(label="the sequence has ended", **ENDED))
    key(figure, handles)


def triangle(ledger: Ledger, item: int) -> np.ndarray:
    """(read, written), NaN where nothing was written yet."""
    values = numbers(ledger.values[..., item])
    time = np.arange(len(values))
    later = time[:, None] < time if not ledger.reverse else time[:, None] > time
    return np.where(later, np.nan, values)


def title(ledger: Ledger, item: int) -> str:
    many = ledger.memory.shape[1] > 1
    name = shortened(ledger.name, 28)
    return f"Ledger of {name}, unit {ledger.unit}: who wrote what is remembered" + (f", sequence {item}" if many else "")


def squares(axes: Axes, values: np.ndarray, limit: float) -> AxesImage:
    """A map; with the numbers printed where there is room."""
    rows, columns = values.shape
    edges = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    colours = memory_map().with_extremes(bad="none")
    shown = np.ma.masked_invalid(values)
    image = axes.imshow(shown, cmap=colours, vmin=-limit, vmax=limit, aspect="auto", extent=edges)
    for row, column in np.argwhere(np.isfinite(values)) if rows <= PRINTED else ():
        value = float(values[row, column])
        light = luminance(colours(0.5 + 0.5 * value / limit)[:3]) > 0.3
        look = {"ha": "center", "va": "center", "fontsize": SMALL}
        axes.text(column, row, printed_as(value), color=INK if light else "white", **look)
    return image


def printed_as(value: float) -> str:
    """Two decimals, and no minus before a zero."""
    text = f"{value:.2f}" if abs(value) < 100 else f"{value:.0e}"
    return text.lstrip("-") if not text.strip("-0.") else text


def total(axes: Axes, memory: np.ndarray) -> None:
    """The memory, beside the rows that sum to it."""
    time = np.arange(len(memory))
    finite = np.where(np.isfinite(memory), memory, np.nan)
    limit = rounded(float(np.nanmax(np.abs(finite), initial=0.0)))
    axes.axvline(0, color="0.7", linewidth=0.8)
    axes.plot(finite, time, color=INK, linewidth=1.5, marker="o" if len(time) <= 40 else None, markersize=4)
    axes.set_xlim(-1.1 * limit, 1.1 * limit)
    axes.set_xticks(ticks := [-limit, 0, limit], [f"{tick:g}" for tick in ticks])
    axes.grid(axis="x")


def name(first: Axes, middle: Axes, last: Axes, times: int, letters: Sequence[str] | None) -> None:
    steps = np.arange(times)
    time_axis(middle, steps, letters, SQUARE - 0.6, "written at (step)")
    first.set_xticks([0], ["first"])
    middle.set_title("what each step wrote")
    last.set_title("sum")
    last.set_xlabel("the memory")
    if times <= PRINTED:
        last.set_xticks([])
    first.set_ylabel("read at (step)")
    first.set_xlabel("memory")
    if letters is None:
        round_names(first.yaxis, steps, 12)
    else:
        down(steps, letters, SQUARE - 0.6).put_on(first.yaxis)
    for axes in (first, middle, last):
        axes.tick_params(axis="y", left=axes is first)
        axes.spines["left"].set_visible(axes is first)
