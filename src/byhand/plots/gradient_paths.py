"""Gradients back through time: how much reaches each step, and by which way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from byhand.explain.gradient_paths import Paths
from byhand.explain.renaming import renamed
from byhand.plots.axes import canvas, key, time_axis
from byhand.plots.selection import inside, numbers, read
from byhand.plots.style import BROWN, CANDIDATE, INK, SLATE, TEAL, ink, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Found = Mapping[str, Paths]

PARTS: dict[str, dict[str, Any]] = {
    "total": {"color": INK, "linestyle": "-", "linewidth": 2.2, "label": "all of it"},
    "along": {"color": TEAL, "linestyle": (0, (5, 1.6)), "linewidth": 1.8, "label": "along the memory"},
    "gates": {"color": ink(CANDIDATE), "linestyle": (0, (1.2, 1.2)), "linewidth": 1.8, "label": "through the gates"},
}
OTHERS = ((BROWN, "o"), (SLATE, "s"), (ink(BROWN), "^"), (ink(SLATE), "D"))
DEEP = 1e-16  # of the greatest: below this a gradient counts as gone
HOW = "gradient_paths expected what byhand.explain.gradient_paths(model, x, target) gives"


@renamed(item="batch")
@styled
def gradient_paths(
    paths: Found,
    others: Mapping[str, Found] | None = None,
    *,
    batch: int | None = None,
    characters: Sequence[str] | None = None,
) -> Figure:
    """Draw how much gradient reaches the memory at each step, in all and by each way; one panel a memory.

    The size is the Euclidean norm over the units, on a logarithmic scale. What is exactly 0 is not drawn.

    Args:
        paths: the result of byhand.explain.gradient_paths(model, x, target).
        others: the same of up to four other models, as in {"rnn": gradient_paths(rnn, x, target)}; their totals are drawn
            beside it.
        batch: one of its sequences; the mean over all if not given.
        characters: one for each step, written along time: all where they fit, else every few of them.

    Returns:
        The figure.

    Raises:
        TypeError: `paths` or one of `others` is something else.
        ValueError: one of them is empty, there are more than four others, or there is not one character for each step.
        IndexError: there is no such sequence.
    """
    found = checked(paths)
    compared = {str(name): checked(other) for name, other in (others or {}).items()}
    if len(compared) > len(OTHERS):
        raise ValueError(f"gradient_paths can compare with {len(OTHERS)} other models at once, got {len(compared)}")
    longest = max(len(one.valid) for every in (found, *compared.values()) for one in every.values())
    letters = read(characters, longest, 0, longest, "gradient_paths")
    figure = canvas("How much gradient comes back to each step", 2.9 * len(found) + 1.2)
    stack = figure.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, one) in zip(stack, found.items(), strict=True):
        axes.set_title(f"{shortened(name, 40)}   ({shortened(one.cell, 30)})")
        for part, look in PARTS.items():
            axes.plot(size(one, part, batch), **look)
        for (colour, marker), (other, theirs) in zip(OTHERS, compared.items(), strict=False):
            values = size(beside(theirs, name), "total", batch)
            every = max(1, len(values) // 12)
            look = {"color": colour, "marker": marker, "markevery": every, "markersize": 5, "linewidth": 1.4}
            axes.plot(values, label=f"{shortened(other, 24)}, all of it", **look)
        logarithmic(axes)
    time_axis(stack[-1], np.arange(longest), letters)
    key(figure, stack[0].lines)
    return figure


def checked(paths: object) -> dict[str, Paths]:
    if not isinstance(paths, Mapping) or not all(isinstance(one, Paths) for one in paths.values()):
        raise TypeError(f"{HOW}, got a {type(paths).__name__}")
    if not paths:
        raise ValueError(f"{HOW}, with at least one memory")
    return {str(name): one for name, one in paths.items()}


def beside(theirs: Mapping[str, Paths], name: str) -> Paths:
    """The other model's memory at the same place, or its first."""
    place = name.rpartition(".")[0]
    return next((one for other, one in theirs.items() if other.rpartition(".")[0] == place), next(iter(theirs.values())))


def size(one: Paths, part: str, item: int | None) -> np.ndarray:
    """(time,): NaN where there is none."""
    values = numbers(getattr(one.norms(), part))
    if item is not None:
        values = values[:, [inside(item, values.shape[1], "a sequence", "gradient_paths")]]
    there = ~np.isnan(values)
    mean = np.where(there, values, 0).sum(1) / np.maximum(there.sum(1), 1)
    return np.where(there.any(1) & (mean > 0) & np.isfinite(mean), mean, np.nan)


def logarithmic(axes: Axes) -> None:
    """Powers of ten, as far down as a gradient means anything."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    drawn = drawn[np.isfinite(drawn)]
    most = float(drawn.max(initial=1e-300)) if len(drawn) else 1.0
    least = max(float(drawn.min(initial=most)), most * DEEP)
    axes.set_yscale("log")
    axes.set_ylim(least / 2, most * 2)
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y")
    axes.set_ylabel("size of the gradient\n(norm over units)")


def power(value: float) -> str:
    """As in 10⁻⁴."""
    return "10" + str(round(np.log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
