"""One unit: all that it computed, below what it read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from byhand.explain.renaming import renamed
from byhand.plots.encoding import Look, gates_of, memories_of
from byhand.plots.panels import Panel, panel, stacked
from byhand.plots.selection import inside, window
from byhand.plots.style import SLATE, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from byhand.plots.selection import Window
    from byhand.trace import Trace


@renamed(place="layer", item="batch")
@styled
def unit(
    trace: Trace,
    unit: int = 0,
    layer: int | str = 0,
    *,
    batch: int = 0,
    steps: tuple[int, int] | None = None,
    characters: Sequence[str] | None = None,
) -> Figure:
    """Draw all that one unit computed, step by step, under what its layer read.

    The input is a line for each number that comes in, a map if they are more than four.

    Args:
        trace: a recorded run.
        unit: the unit's number.
        layer: its number, or a name as in "l1.reverse" or "encoder.l0". Several calls of the layer are drawn along
            time, one after the other; trace.call(0) is one of them.
        batch: which of its sequences.
        steps: (first, one after the last); all if not given.
        characters: one for each step, written along time: all where they fit, else every few of them.

    Returns:
        The figure, a panel for the input, each gate and each state.

    Raises:
        TypeError: `trace` is no Trace, or an argument is of the wrong type.
        ValueError: nothing was recorded, no gate and no state was, or there is not one character for each step.
        UnknownSiteError: there is no such place.
        LookupError: the calls of the layer differ in batch size.
        IndexError: there is no such sequence, unit or step.
    """
    shown = window(trace, layer, batch, unit, steps, characters, "unit")
    sites = [*gates_of(shown.trace, shown.place), *memories_of(shown.trace, shown.place)]
    if not sites:
        raise ValueError(f"unit found no gate and no memory of {shown.where}: record without sites=")
    hidden = max(shown.width(site) for site in sites)
    inside(unit, hidden, "a unit", "unit")
    whole = [site for site in sites if shown.width(site) == hidden]  # a projection is made of all units
    title = f"Unit {unit} over time: {shown.where}"
    return stacked(title, shown, [came_in(shown), *(panel(shown, site) for site in whole)])


def came_in(shown: Window) -> Panel:
    values = shown.input
    share = bool(np.nanmin(values, initial=0.0) >= 0 and np.nanmax(values, initial=0.0) <= 1)
    look = Look("x", "input", SLATE if share else None, share)
    return Panel(look, values, range(values.shape[1]), "input")
