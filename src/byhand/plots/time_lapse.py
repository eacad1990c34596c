"""Training as a time-lapse: the same input at several epochs, gate by gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from byhand.explain.renaming import renamed
from byhand.plots.axes import ROOM, canvas, time_axis
from byhand.plots.encoding import gates_of
from byhand.plots.panels import Panel, draw, legend, panel, scale
from byhand.plots.selection import window
from byhand.plots.style import shortened, styled
from byhand.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from byhand.plots.selection import Units, Window

    Lapse = Mapping[int, Trace] | Sequence[tuple[int, Trace]]

COLUMNS = 6  # epochs that fit beside each other


@renamed(place="layer", item="batch")
@styled
def time_lapse(
    lapse: Lapse,
    layer: int | str = 0,
    *,
    batch: int = 0,
    units: Units = None,
    steps: tuple[int, int] | None = None,
    characters: Sequence[str] | None = None,
) -> Figure:
    """Draw how the gates of a layer changed as it learned: a row for each gate, a column for each epoch, at most six of them.

    Of more than six epochs, the first, the last and four even between them are shown, and the title says so.

    Args:
        lapse: (epoch, trace of the same input) several times, or a mapping.
        layer: its number, or a name as in "l1.reverse" or "encoder.l0".
        batch: which of its sequences.
        units: which units, one number or several; all if not given.
        steps: (first, one after the last); all if not given.
        characters: one for each step, written along time: all where they fit, else every few of them.

    Returns:
        The figure.

    Raises:
        TypeError: `lapse` is anything but pairs of an epoch and a Trace, or an argument is of the wrong type.
        ValueError: there is no epoch, no gate was recorded, there is not one character for each step, or the traces differ in
            sizes.
        UnknownSiteError: there is no such place.
        LookupError: the calls of the layer differ in batch size.
        IndexError: there is no such sequence, unit or step.
    """
    pairs = checked(lapse)
    chosen = [pairs[index] for index in sorted(set(np.linspace(0, len(pairs) - 1, COLUMNS).round().astype(int).tolist()))]
    windows = [window(trace, layer, batch, units, steps, characters, "time_lapse") for _, trace in chosen]
    rows = [[panel(shown, site) for shown in windows] for site in gates_of(windows[0].trace, windows[0].place)]
    if not rows:
        raise ValueError(f"time_lapse found no gates of {windows[0].where}: record without sites=")
    if len({(len(shown.times), one.values.shape[1]) for row in rows for shown, one in zip(windows, row, strict=True)}) > 1:
        raise ValueError("time_lapse expected traces of one input and one model, got some of different lengths or widths")
    part = f"{len(chosen)} of {len(pairs)} epochs" if len(chosen) < len(pairs) else "epoch by epoch"
    figure = canvas(f"Gates while learning, {part}: {windows[0].where}", 1.3 * len(rows) + 1.2)
    grid = figure.subplots(len(rows), len(chosen), sharex=True, sharey="row", squeeze=False)
    for line, row in zip(grid, rows, strict=True):
        draw_row(list(line), row, windows)
    finish(figure, grid, [epoch for epoch, _ in chosen], windows)
    legend(figure, list(zip(windows, rows[0], strict=True)))
    return figure


def checked(lapse: object) -> list[tuple[int, Trace]]:
    """In order of epochs. TypeError, ValueError."""
    how = "for several epochs: with byhand.record(model) as trace: model(x), then lapse.append((epoch, trace))"
    pairs: list[tuple[int, Trace]] = []
    for one in lapse.items() if isinstance(lapse, Mapping) else lapse if isinstance(lapse, Sequence) else [lapse]:
        match one:
            case (int() as epoch, Trace() as trace):
                pairs.append((epoch, trace))
            case _:
                raise TypeError(f"time_lapse expected pairs of an epoch and a Trace, got a {type(one).__name__}; {how}")
    if not pairs:
        raise ValueError(f"time_lapse got no epochs; {how}")
    return sorted(pairs, key=lambda pair: pair[0])


def draw_row(line: Sequence[Axes], row: Sequence[Panel], windows: Sequence[Window]) -> None:
    """One gate at all epochs, on one scale."""
    look = row[0].look
    low, high = look.range(*(one.values for one in row))
    images = [draw(axes, one, shown, (low, high)) for axes, one, shown in zip(line, row, windows, strict=True)]
    for axes in line[1:]:
        axes.set_ylabel("")
    below = line[0].get_ylabel() or look.label(low, high).replace("\n", " ")
    line[0].set_ylabel(f"{shortened(look.title.split(',')[0], 18)}\n{below}", color=look.ink)
    if images[0] is not None:
        scale(list(line), images[0], look.label(low, high))


def finish(figure: Figure, grid: np.ndarray, epochs: Sequence[int], windows: Sequence[Window]) -> None:
    """Epochs above, time below."""
    for column, epoch, shown in zip(grid.T, epochs, windows, strict=True):
        column[0].set_title(f"epoch {epoch}")
        for axes in column:
            time_axis(axes, shown.times, shown.characters, ROOM / len(epochs))
    for axes in grid.flat:
        axes.set_xlabel("time (steps)" if axes in grid[-1] else "")
    figure.align_ylabels(list(grid[:, 0]))
