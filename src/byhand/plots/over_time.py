"""Gates and memories over time: one panel each, what is kept on top; memories brown below 0 and teal above."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.explain.renaming import renamed
from byhand.plots.encoding import gates_of, memories_of
from byhand.plots.panels import over_time
from byhand.plots.selection import window
from byhand.plots.style import styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from byhand.plots.selection import Units
    from byhand.trace import Trace


@renamed(place="layer", item="batch")
@styled
def gates(
    trace: Trace,
    layer: int | str = 0,
    *,
    batch: int = 0,
    units: Units = None,
    steps: tuple[int, int] | None = None,
    characters: Sequence[str] | None = None,
) -> Figure:
    """Draw what the gates of a layer did, step by step.

    A gate is drawn as lines for up to four units, as a map for more, or for several over more than 300 steps.

    Args:
        trace: a recorded run.
        layer: its number, or a name as in "l1.reverse" or "encoder.l0". Several calls of the layer are drawn along
            time, one after the other; trace.call(0) is one of them.
        batch: which of its sequences.
        units: which units, one number or several; all if not given.
        steps: (first, one after the last); all if not given.
        characters: one for each step, written along time: all where they fit, else every few of them.

    Returns:
        The figure, a panel for each gate.

    Raises:
        TypeError: `trace` is no Trace, or an argument is of the wrong type.
        ValueError: nothing was recorded, no gate was, or there is not one character for each step.
        UnknownSiteError: there is no such place.
        LookupError: the calls of the layer differ in batch size.
        IndexError: there is no such sequence, unit or step.
    """
    shown = window(trace, layer, batch, units, steps, characters, "gates")
    return over_time("Gates", shown, gates_of(shown.trace, shown.place), "see byhand.plots.memories, or record without sites=")


@renamed(place="layer", item="batch")
@styled
def memories(
    trace: Trace,
    layer: int | str = 0,
    *,
    batch: int = 0,
    units: Units = None,
    steps: tuple[int, int] | None = None,
    characters: Sequence[str] | None = None,
) -> Figure:
    """Draw the states of a layer, step by step: the cell state c on top, the hidden state h below.

    Other cells have states of their own. In maps of up to 20 units and 100 steps what is below 0 is striped too, for prints
    without colours.

    Args:
        trace: a recorded run.
        layer: its number, or a name as in "l1.reverse" or "encoder.l0". Several calls of the layer are drawn along
            time, one after the other; trace.call(0) is one of them.
        batch: which of its sequences.
        units: which units, one number or several; all if not given.
        steps: (first, one after the last); all if not given.
        characters: one for each step, written along time: all where they fit, else every few of them.

    Returns:
        The figure, a panel for each state.

    Raises:
        TypeError: `trace` is no Trace, or an argument is of the wrong type.
        ValueError: nothing was recorded, no state was, or there is not one character for each step.
        UnknownSiteError: there is no such place.
        LookupError: the calls of the layer differ in batch size.
        IndexError: there is no such sequence, unit or step.
    """
    shown = window(trace, layer, batch, units, steps, characters, "memories")
    return over_time("Memories", shown, memories_of(shown.trace, shown.place), "record without sites=")
