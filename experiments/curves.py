"""Shares as curves, a line a cell, with the intervals in which they may truly lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

STYLE: dict[Any, Any] = {"font.size": 15, "axes.spines.top": False, "axes.spines.right": False}
# Of cells; the gates' colours are taken. Markers differ as well, for readers and prints without colour.
LOOKS = [("black", "o"), ("#D55E00", "s"), ("#56B4E9", "^"), ("#8C6D31", "D"), ("0.55", "v"), ("#6A3D9A", "P")]


class Point(NamedTuple):
    """interval: in which the share may truly lie; None where it is no estimate."""

    x: float
    share: float
    interval: tuple[float, float] | None = None


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % confidence interval of a share, given its hits and the number of trials; honest for few trials, and at 0 and 1.

    Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22, 1927.
    """
    share, shrink = hits / of, 1 + z**2 / of
    middle = (share + z**2 / (2 * of)) / shrink
    apart = z / shrink * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return max(0.0, middle - apart), min(1.0, middle + apart)


def draw(
    lines: Mapping[str, Sequence[Point]], path: Path, *, title: str, x: str, y: str, ticks: Sequence[int], trained: int = 0
) -> None:
    """A picture in a file, x logarithmic. What has intervals are few points, side by side where x is the same; what has none are
    steps. trained: up to which x was trained.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 6.75), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel=x, ylabel=y, ylim=(-0.04, 1.04))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="y", color="0.88", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_title(title, fontweight="bold", pad=30 if trained else 16)
        for at, (name, points) in enumerate(lines.items()):
            _line(axes, name, points, LOOKS[at % len(LOOKS)], aside=at - (len(lines) - 1) / 2)
        if trained:
            left = axes.get_xlim()[0]
            axes.axvspan(left, trained, color="0.93", linewidth=0, zorder=0)
            axes.set_xlim(left=left)
            axes.text(
                math.sqrt(left * trained), 1.02, "trained", ha="center", color="0.35", transform=axes.get_xaxis_transform()
            )
        intervals = "95 % intervals" if any(point.interval for points in lines.values() for point in points) else None
        figure.legend(loc="outside right center", frameon=False, title=intervals, title_fontsize=12, alignment="left")
        figure.savefig(path, dpi=120)


def _line(axes: Axes, name: str, points: Sequence[Point], look: tuple[str, str], *, aside: float) -> None:
    colour, marker = look
    shares, estimated = [point.share for point in points], points[0].interval is not None
    where = [point.x * 10 ** (0.012 * aside * estimated) for point in points]
    for place, point in zip(where, points, strict=True):
        if point.interval:
            apart = [[point.share - point.interval[0]], [point.interval[1] - point.share]]
            axes.errorbar(place, point.share, apart, color=colour, elinewidth=1.2, capsize=4, alpha=0.6)
    style = {} if estimated else {"drawstyle": "steps-post", "markevery": max(1, len(points) // 8)}
    # Lines that would hide each other are a hair apart.
    drawn = [share - 0.006 * aside for share in shares]
    axes.plot(where, drawn, color=colour, marker=marker, markersize=9, linewidth=2.5, label=name, **style)
