"""One panel: a site over time, as lines for a few units and as a map for many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from byhand.plots.axes import canvas, number, time_axis
from byhand.plots.style import BROWN, SMALL, TEAL, mixed

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from byhand.plots.looks import Look
    from byhand.plots.window import Window

    Numbers = np.ndarray

LINES = 4  # units that lines can still tell apart
MARKED = 40  # steps that can still be marked one by one
DASHES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
MARKERS = ("o", "s", "^", "D")
ENDED: dict[str, Any] = {"facecolor": "0.94", "edgecolor": "0.7", "hatch": "////", "linewidth": 0}
BROKEN: dict[str, Any] = {"facecolor": "none", "edgecolor": "0.25", "hatch": "xxxx", "linewidth": 0}


def panels(title: str, shown: Window, looks: Sequence[Look], *, top: float = 0.0) -> tuple[Figure, list[Axes]]:
    """A picture with one panel for each site, the first one on top, all on one time axis. top: inches left for one more above."""
    tall = 1.15 if len(looks) > 2 else 1.6
    heights = [top] * (top > 0) + [tall] * len(looks)
    figure = canvas(title, sum(heights) + 0.27 * len(looks) + 1.15)
    stack = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    own = list(stack[1:] if top else stack)
    values = [shown.values(look.site) for look in looks]
    for axes, look, value in zip(own, looks, values, strict=True):
        draw(axes, look, value, shown)
    time_axis(stack[-1], shown.times, shown.characters)
    figure.align_ylabels(stack)
    legend(figure, shown, [value for value in values if value.shape[1] <= LINES], values)
    return figure, list(stack)


def draw(axes: Axes, look: Look, values: Numbers, shown: Window, limits: tuple[float, float] | None = None) -> AxesImage | None:
    """values: (steps, units). Gives the image if it is a map."""
    mapped = values.shape[1] > LINES
    low, high = limits or look.range(typical(values) if mapped and look.colour is None else values)
    axes.set_title(look.title, color=look.ink)
    image = None
    if not mapped:
        lines(axes, look, shown.times, values, (low, high))
        axes.set_ylabel(look.label(low, high))
    else:
        image = heat(axes, look, shown, values, (low, high))
        scale(axes, image, look.label(low, high))
    mark(axes, shown, values)
    return image


def typical(values: Numbers) -> Numbers:
    """Without the few greatest, so that one outlier does not pale all others."""
    sizes = np.abs(values[np.isfinite(values)])
    return sizes if not len(sizes) else sizes[sizes <= np.quantile(sizes, 0.995)]


def scale(axes: Axes | Sequence[Axes], image: AxesImage, label: str, *, aspect: float = 9) -> None:
    """A bar that tells what the colours mean; with points where values go beyond it."""
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
    """A line for each unit, told apart by dashes, markers and tone; a single one is filled down to 0."""
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
    if look.colour is not None:
        axes.fill_between(times, values, color=look.colour, alpha=0.4, linewidth=0)
        return
    for colour, part in ((TEAL, values.clip(min=0)), (BROWN, values.clip(max=0))):
        axes.fill_between(times, part, color=colour, alpha=0.4, linewidth=0)


def line_style(colour: str, index: int, steps: int) -> dict[str, Any]:
    """What makes one unit's line differ from the others'."""
    return {
        "color": mixed(colour, "white", 0.16 * index),
        "linestyle": DASHES[index] if steps <= 300 else "-",
        "linewidth": 1.7 if steps <= 300 else 0.9,
        "marker": MARKERS[index] if steps <= MARKED else None,
        "markersize": 4.5,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def heat(axes: Axes, look: Look, shown: Window, values: Numbers, limits: tuple[float, float]) -> AxesImage:
    """Units downward, time to the right."""
    steps, units = values.shape
    edges = (shown.start - 0.5, shown.stop - 0.5, units - 0.5, -0.5)
    image = axes.imshow(
        np.ma.masked_invalid(values.T), cmap=look.map, vmin=limits[0], vmax=limits[1], aspect="auto", extent=edges
    )
    number(axes.yaxis, list(shown.rows(look.site, units)), 5)
    axes.set_ylabel("unit")
    return image


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


def legend(figure: Figure, shown: Window, lined: Sequence[Numbers], values: Sequence[Numbers]) -> None:
    """Below: which line is which unit, and what hatching means."""
    handles: list[Artist] = []
    widest = max((value.shape[1] for value in lined), default=0)
    if widest > 1:
        units = shown.units or range(widest)
        handles += [
            Line2D([], [], label=f"unit {unit}", **line_style("0.2", index, len(shown.times)))
            for index, unit in enumerate(units)
        ]
    handles += notes(shown, values)
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), handlelength=2.4, columnspacing=1.6)


def notes(shown: Window, values: Sequence[Numbers]) -> list[Artist]:
    """What the hatchings mean that there are."""
    found: list[Artist] = []
    if not shown.valid.all():
        found.append(Patch(label="the sequence has ended", **ENDED))
    if any(broken(shown, value).any() for value in values):
        found.append(Patch(label="not a finite number", **BROKEN))
    return found
