"""Gates over time: one panel each, what is kept on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.plots.looks import gates_of
from byhand.plots.panels import panel, stacked
from byhand.plots.style import styled
from byhand.plots.window import window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from byhand.plots.window import Units
    from byhand.trace import Trace


@styled
def gates(
    trace: Trace,
    place: int | str = 0,
    *,
    item: int = 0,
    units: Units = None,
    steps: tuple[int, int] | None = None,
    characters: Sequence[str] | None = None,
) -> Figure:
    """What the gates of a layer did, step by step: lines for up to four units, maps for more, or over
    more than 300 steps.

    place: a layer's number, or a name as in "l1.reverse". item: which sequence of the batch. units: which of them; all if not given.
    steps: (first, one after the last). characters: one for each step, written along time where they fit. TypeError for what is no
    trace, UnknownSiteError, IndexError; ValueError for a cell without gates.
    """
    shown = window(trace, place, item, units, steps, characters, "gates")
    sites = gates_of(trace, shown.place)
    if not sites:
        raise ValueError(
            f"gates found none of {shown.where}, where {', '.join(trace.run(shown.place).sites)} was recorded: see"
            " byhand.plots.memories, or record without sites="
        )
    return stacked(f"Gates over time: {shown.where}", shown, [panel(shown, site) for site in sites])
