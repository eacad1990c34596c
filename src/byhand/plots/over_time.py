"""Gates and memories over time: one panel each, what is kept on top; memories brown below 0 and teal above."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.plots.looks import gates_of, memories_of
from byhand.plots.panels import over_time
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
    return over_time("Gates", shown, gates_of(trace, shown.place), "see byhand.plots.memories, or record without sites=")


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

    In maps of up to 20 units and 100 steps what is below 0 is striped too, for prints without colours. Arguments and errors are
    those of byhand.plots.gates; ValueError where no memory was recorded.
    """
    shown = window(trace, place, item, units, steps, characters, "memories")
    return over_time("Memories", shown, memories_of(trace, shown.place), "record without sites=")
