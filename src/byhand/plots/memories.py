"""Memories over time, brown below 0 and teal above."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.plots.looks import memories_of
from byhand.plots.panels import panel, stacked
from byhand.plots.style import styled
from byhand.plots.window import window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from byhand.plots.window import Units
    from byhand.trace import Trace


@styled
def memories(
    trace: Trace,
    place: int | str = 0,
    *,
    item: int = 0,
    units: Units = None,
    steps: tuple[int, int] | None = None,
    characters: Sequence[str] | None = None,
) -> Figure:
    """What a layer remembered, step by step: the long memory c on top, the short memory h below; other cells have their own.

    Arguments and errors are those of byhand.plots.gates; ValueError where no memory was recorded.
    """
    shown = window(trace, place, item, units, steps, characters, "memories")
    sites = memories_of(trace, shown.place)
    if not sites:
        raise ValueError(
            f"memories found none of {shown.where}, where {', '.join(trace.run(shown.place).sites)} was recorded: record"
            " without sites="
        )
    return stacked(f"Memories over time: {shown.where}", shown, [panel(shown, site) for site in sites])
