"""Axes that stay legible at any size: ticks, and what was read, thinned to the room there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from byhand.plots.spelling import across
from byhand.plots.style import TITLE, inches, shortened

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

WIDTH = 9.6  # inches of a picture
ROOM = 7.4  # of its time axis
BOLD = 1.15  # how much wider bold letters are


def canvas(title: str, height: float, width: float = WIDTH) -> Figure:
    """An empty picture with a title, in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(fitted(title, width - 0.3), x=0.012, ha="left")
    return figure


def fitted(title: str, width: float) -> str:
    """The title, its middle left out if it is too wide."""
    most = len(title)
    while inches(shortened(title, most), TITLE) * BOLD > width:
        most -= 1
    return shortened(title, most)


def key(figure: Figure, handles: Sequence[Artist]) -> None:
    """What lines, markers and hatchings mean, below, in as many columns as there is room for."""
    if handles:
        widest = max(inches(str(one.get_label())) for one in handles) + 0.85
        columns = min(len(handles), max(1, int((figure.get_size_inches()[0] - 0.3) / widest)))
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=3, columnspacing=1.6)


def thinned(count: int, most: int) -> list[int]:
    """At most `most` of the positions 0 to count - 1, at even distances of 1, 2, 5, 10 ..."""
    steps = (step * 10**power for power in range(12) for step in (1, 2, 5))
    step = next(step for step in steps if (count - 1) // step < max(most, 1))
    return list(range(0, count, step))


def number(axis: Axis, names: Sequence[object], most: int, start: float = 0.0) -> None:
    """Set ticks at start, start + 1, ... with these names; at most `most` of them, so that they do not touch."""
    chosen = thinned(len(names), most)
    axis.set_ticks([start + position for position in chosen], [str(names[position]) for position in chosen])


def time_axis(
    axes: Axes, times: np.ndarray, characters: Sequence[str] | None, room: float = ROOM, what: str = "time (steps)"
) -> None:
    """Steps along the horizontal axis: what was read at each, or at every few of them; their numbers if that is not known."""
    axes.set_xlim(times[0] - 0.5, times[-1] + 0.5)
    if characters is None:
        axes.set_xlabel(what)
        round_names(axes.xaxis, times, min(int(room / (inches(str(times[-1])) + 0.15)), 12))
        return
    found = across(times, characters, room)
    found.put_on(axes.xaxis)
    axes.set_xlabel(f"{what}, and {found.words}")


def round_names(axis: Axis, times: np.ndarray, most: int) -> None:
    """Ticks at round numbers, whatever the first one is."""
    step = thinned(len(times), most)
    distance = step[1] - step[0] if len(step) > 1 else 1
    found = [int(time) for time in times if time % distance == 0] or [int(times[0])]
    axis.set_ticks(found, list(map(str, found)))
