"""One panel: a site over time, as lines for a few units, as a map for many of them, or for several over many steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from byhand.plots.axes import canvas, key, number, time_axis
from byhand.plots.encoding import Look, look_of
from byhand.plots.style import BROWN, SMALL, TEAL, mixed

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from byhand.plots.selection import Window

    Numbers = np.ndarray

SEEN = (60, 400)  # rows and columns of a map that can be seen singly
LINES = 4  # units that lines can still tell apart
DASHED = 300  # steps over which dashes can still be seen; beyond them only a single line is one
MARKED = 40  # steps that can still be marked one by one
STRIPED = (20, 100)  # rows and columns of a map with room for stripes
DASHES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
MARKERS = ("o", "s", "^", "D")
ENDED: dict[str, Any] = {"facecolor": "0.94", "edgecolor": "0.7", "hatch": "////", "linewidth": 0}
BELOW: dict[str, Any] = {"facecolor": "none", "edgecolor": (1.0, 1.0, 1.0, 0.6), "hatch": r"\\\\", "linewidth": 0}
BROKEN: dict[str, Any] = {"facecolor": "none", "edgecolor": "0.45", "hatch": "xxx", "linewidth": 0}


@dataclass(frozen=True, eq=False)
class Panel:
    """look: of its site. values: (steps, rows). names: of its rows. what: the kind of thing that a row is."""

    look: Look
    values: Numbers
    names: Sequence[int]
    what: str = "unit"

    @property
    def mapped(self) -> bool:
        steps, rows = self.values.shape
        return rows > (LINES if steps <= DASHED else 1)

    @property
    def striped(self) -> bool:
        """Whether what is below 0 is striped as well as brown, for where there are no colours: brown and teal are equally dark."""
        steps, rows = self.values.shape
        room = rows <= STRIPED[0] and steps <= STRIPED[1]
        return self.mapped and self.look.colour is None and room and bool((self.values < 0).any())

    def range(self) -> tuple[float, float]:
        if not self.mapped:
            return self.look.line_range(self.values)
        return self.look.range(typical(self.values) if self.look.colour is None else self.values)


def panel(shown: Window, site: str) -> Panel:
    """The units shown of a site."""
    values = shown.values(site)
    return Panel(look_of(shown.trace, shown.place, site), values, shown.rows(site, shown.width(site)))


def over_time(what: str, shown: Window, sites: Sequence[str], how: str) -> Figure:
    """All these sites, a panel each. ValueError if there are none, with what to do."""
    if not sites:
        recorded = ", ".join(shown.trace.run(shown.place).sites)
        raise ValueError(f"{what.lower()} found none of {shown.where}, where {recorded} was recorded: {how}")
    return stacked(f"{what} over time: {shown.where}", shown, [panel(shown, site) for site in sites])


def stacked(title: str, shown: Window, several: Sequence[Panel]) -> Figure:
    """A picture with all panels on one time axis, the first one on top."""
    tall = 1.15 if len(several) > 2 else 1.6
    figure = canvas(title, (tall + 0.27) * len(several) + 1.15)
    stack = figure.subplots(len(several), 1, sharex=True, squeeze=False)[:, 0]
    for axes, one in zip(stack, several, strict=True):
        low, high = one.range()
        image = draw(axes, one, shown, (low, high))
        axes.set_title(one.look.title, color=one.look.ink)
        if image is None:
            axes.set_ylabel(one.look.label(low, high))
        else:
            scale(axes, image, one.look.label(low, high))
    time_axis(stack[-1], shown.times, shown.characters)
    figure.align_ylabels(list(stack))
    legend(figure, [(shown, one) for one in several])
    return figure


def draw(axes: Axes, one: Panel, shown: Window, limits: tuple[float, float]) -> AxesImage | None:
    """Lines or a map; the image if it is a map."""
    image = None
    if one.mapped:
        image = heat(axes, one, shown, limits)
    else:
        lines(axes, one.look, shown.times, one.values, limits)
    mark(axes, shown, one.values)
    return image


def typical(values: Numbers) -> Numbers:
    """Without the few greatest, so that one outlier does not pale all others."""
    sizes = np.abs(values[np.isfinite(values)])
    return sizes if len(sizes) < 1000 else sizes[sizes <= np.quantile(sizes, 0.995)]


def scale(axes: Axes | Sequence[Axes], image: AxesImage, label: str, *, aspect: float = 9) -> None:
    """Draw a colour bar, with pointed ends where values go beyond it."""
    low, high = image.get_clim()
    values = np.ma.filled(np.ma.asarray(image.get_array()), 0.0)
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get(
        (values.min() < low, values.max() > high), "neither"
    )
    figure = image.axes.figure
    bar = figure.colorbar(
        image, ax=axes, ticks=[low, (low + high) / 2, high], pad=0.012, aspect=aspect, fraction=0.06, extend=extend
    )
    bar.ax.set_yticklabels([f"{tick:g}" for tick in (low, (low + high) / 2, high)])
    bar.set_label(label, fontsize=SMALL)
    bar.outline.set_visible(False)  # type: ignore[operator]


def lines(axes: Axes, look: Look, times: Numbers, values: Numbers, limits: tuple[float, float]) -> None:
    """Draw a line for each unit, distinguished by dashes, markers and tone; a single one is filled down to 0."""
    low, high = limits
    axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.set_yticks(ticks := [low, (low + high) / 2, high], [f"{tick:g}" for tick in ticks])
    axes.grid(axis="y")
    values = np.where(np.isfinite(values), values, np.nan)
    if values.shape[1] == 1:
        fill(axes, look, times, values[:, 0])
    for index in range(values.shape[1]):
        axes.plot(times, values[:, index], **line_style(look.ink, index, len(times)))


def fill(axes: Axes, look: Look, times: Numbers, values: Numbers) -> None:
    sides = ((BROWN, values <= 0), (TEAL, values >= 0)) if look.colour is None else ((look.colour, np.isfinite(values)),)
    for colour, where in sides:
        axes.fill_between(times, values, where=where, interpolate=True, color=colour, alpha=0.4, linewidth=0)


def line_style(colour: str, index: int, steps: int) -> dict[str, Any]:
    """What makes one unit's line differ from the others'."""
    return {
        "color": mixed(colour, "white", 0.16 * index),
        "linestyle": DASHES[index],
        "linewidth": 1.7 if steps <= DASHED else 0.9,
        "marker": MARKERS[index] if steps <= MARKED else None,
        "markersize": 4.5 if steps > 1 else 8.0,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def heat(axes: Axes, one: Panel, shown: Window, limits: tuple[float, float]) -> AxesImage:
    """Units downward, time to the right."""
    rows = one.values.shape[1]
    edges = (shown.start - 0.5, shown.stop - 0.5, rows - 0.5, -0.5)
    image = field(axes, one.values.T, edges, one.look.map, limits)
    for row in range(rows if one.striped else 0):
        runs = [(shown.start + first - 0.5, size) for first, size in stretches(one.values[:, row] < 0)]
        axes.broken_barh(runs, (row - 0.5, 1.0), zorder=1.5, **BELOW)
    number(axes.yaxis, list(one.names), 5)
    axes.set_ylabel(one.what)
    return image


def field(
    axes: Axes, values: Numbers, edges: tuple[float, float, float, float], colours: Colormap, limits: tuple[float, float]
) -> AxesImage:
    """Values as colours, one sharp field each as long as they can be seen singly.

    Matplotlib smooths a map along both sides or neither: where only one side has too many values, those of the other are repeated.
    """
    sharp = values.shape[0] <= SEEN[0] and values.shape[1] <= SEEN[1]
    if not sharp:
        for side, most in enumerate(SEEN):
            values = values.repeat(-(-8 * most // values.shape[side]), axis=side)
    return axes.imshow(
        np.ma.masked_invalid(values),
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        aspect="auto",
        extent=edges,
        interpolation="nearest" if sharp else None,
    )


def mark(axes: Axes, shown: Window, values: Numbers) -> None:
    """Hatched: where the sequence has ended. Crossed: where a value is no number."""
    for where, look in ((~shown.valid, ENDED), (broken(shown, values), BROKEN)):
        runs = [(shown.start + first - 0.5, size) for first, size in stretches(where)]
        axes.broken_barh(runs, (0.0, 1.0), transform=axes.get_xaxis_transform(), zorder=2.2, **look)


def broken(shown: Window, values: Numbers) -> Numbers:
    """(steps,): whether a step was computed and has a value that is no finite number."""
    return shown.valid & ~np.isfinite(values).all(1)


def stretches(where: Numbers) -> list[tuple[int, int]]:
    """First position and length of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(int)))
    return [(int(first), int(last - first)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def legend(figure: Figure, drawn: Sequence[tuple[Window, Panel]]) -> None:
    """Below: which line is which unit, and what the hatchings mean."""
    handles: dict[str, Artist] = {}
    for shown, one in drawn:
        if not one.mapped and len(one.names) > 1:
            for index, name in enumerate(one.names):
                label = f"{one.what} {name}"
                handles[label] = Line2D([], [], label=label, **line_style("0.2", index, len(shown.times)))
        if one.striped:
            handles["below"] = Patch(label="below 0", **{**BELOW, "facecolor": mixed(BROWN, "white", 0.4)})
        if not shown.valid.all():
            handles["ended"] = Patch(label="the sequence has ended", **ENDED)
        if broken(shown, one.values).any():
            handles["broken"] = Patch(label="not a finite number", **BROKEN)
    key(figure, list(handles.values()))
