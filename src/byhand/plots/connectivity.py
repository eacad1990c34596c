"""Connectivity: which steps, and which inputs, a memory listens to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from byhand.explain.connectivity import Connectivity
from byhand.plots.axes import canvas, key, number, time_axis
from byhand.plots.encoding import rounded
from byhand.plots.panels import field, scale
from byhand.plots.selection import numbers, read
from byhand.plots.style import BROWN, TEAL, share_map, shortened, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS = 120  # steps that can have a bar of their own


@styled
def connectivity(connectivity: Connectivity, *, characters: Sequence[str] | None = None) -> Figure:
    """Draw how strongly a memory at one time would move with what came in at each step.

    Below, if there are several inputs, the same for each single one.

    Args:
        connectivity: the result of byhand.explain.connectivity(model, x, at=t).
        characters: one for each step, written along time: all where they fit, else every few of them.

    Returns:
        The figure.

    Raises:
        TypeError: `connectivity` is no Connectivity.
        ValueError: there is not one character for each step.
    """
    if not isinstance(connectivity, Connectivity):
        how = "byhand.explain.connectivity(model, x, at=t) gives"
        raise TypeError(f"connectivity expected what {how}, got a {type(connectivity).__name__}")
    values = numbers(connectivity.values)
    steps, inputs = values.shape
    letters = read(characters, steps, 0, steps, "connectivity")
    figure = canvas(title(connectivity), 2.9 if inputs == 1 else 4.6)
    stack = figure.subplots(1 + (inputs > 1), 1, sharex=True, squeeze=False)[:, 0]
    strength(stack[0], numbers(connectivity.over_time()), connectivity.at)
    if inputs > 1:
        each(stack[1], values, connectivity.at)
    time_axis(stack[-1], np.arange(steps), letters)
    figure.align_ylabels(list(stack))
    key(figure, stack[0].lines[-1:])
    return figure


def title(one: Connectivity) -> str:
    who = shortened(one.name, 28) + ("" if one.unit is None else f", unit {one.unit}")
    return f"What {who} at step {one.at} listens to"


def strength(axes: Axes, values: np.ndarray, at: int) -> None:
    """Of a step, all inputs together."""
    time = np.arange(len(values))
    if len(values) <= BARS:
        axes.bar(time, values, width=0.8, color=TEAL)
    else:
        axes.fill_between(time, values, color=TEAL, alpha=0.5, linewidth=0)
        axes.plot(time, values, color=TEAL, linewidth=0.8)
    top = rounded(float(np.nanmax(np.where(np.isfinite(values), values, 0.0), initial=0.0)))
    axes.set_ylim(0, top)
    axes.set_yticks([0, top / 2, top], ["0", f"{top / 2:g}", f"{top:g}"])
    axes.grid(axis="y")
    axes.set_title("all inputs of a step together")
    axes.set_ylabel("strength\n(change by change)")
    remember(axes, at)


def each(axes: Axes, values: np.ndarray, at: int) -> None:
    """Of every single input."""
    steps, inputs = values.shape
    top = rounded(float(np.nanmax(np.where(np.isfinite(values), values, 0.0), initial=0.0)))
    edges = (-0.5, steps - 0.5, inputs - 0.5, -0.5)
    image = field(axes, values.T, edges, share_map(TEAL), (0.0, top))
    number(axes.yaxis, list(range(inputs)), 5)
    axes.set_ylabel("input")
    axes.set_title("each input")
    scale(axes, image, "strength")
    remember(axes, at)


def remember(axes: Axes, at: int) -> None:
    axes.axvline(at, color=BROWN, linewidth=1.6, linestyle=(0, (3, 2)), label=f"step {at}, when the memory was read")
