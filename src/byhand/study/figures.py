"""A picture a task: a box and all its points for every variant, in grey, beside them what the test says."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from byhand.files.atomic import write_whole
from byhand.study.compare import Row
from byhand.study.metric_labels import in_words
from byhand.study.specification import Specification

STYLE: dict[Any, Any] = {
    "font.size": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "svg.hashsalt": "byhand",  # equal results, equal files
    "svg.fonttype": "path",
}
WIDE = 20.0  # from the least to the most; beyond it the axis is logarithmic


def draw(
    task: str, values: Mapping[str, Mapping[int, float]], rows: Sequence[Row], study: Specification, path: Path
) -> list[Path]:
    """path.png and path.svg, each whole or not at all. Trainings that diverged stand as triangles at the edge."""
    plan = study.tasks[task]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 2.2 + 0.62 * len(rows)))
        figure.set_layout_engine("constrained", w_pad=0.15, h_pad=0.1)
        axes = figure.add_subplot()
        edges = _scale(axes, [one for row in rows for one in values[row.variant].values() if math.isfinite(one)])
        for at, row in enumerate(rows):
            _box(axes, at, row, list(values[row.variant].values()), edges, dark=row.variant == study.base)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        _names(axes, rows, study.base)
        axes.set_xlabel(f"{in_words(plan.metric)} ({'less' if plan.goal == 'minimise' else 'more'} is better)")
        base = next((row for row in rows if row.variant == study.base), None)
        if base is not None and math.isfinite(base.median):
            axes.axvline(base.median, color="0.35", linewidth=1, linestyle=(0, (4, 4)), zorder=0.8)
        seeds = max(row.n for row in rows)
        axes.set_title(f"{study.name}: {task}, {seeds} seed{'s' * (seeds > 1)}", fontweight="bold", pad=18, parse_math=False)
        return [_save(figure, path.with_name(f"{path.name}.{kind}"), kind) for kind in ("png", "svg")]


def _box(axes: Axes, at: int, row: Row, numbers: Sequence[float], edges: tuple[float, float], *, dark: bool) -> None:
    """Quartiles and extremes as they are in the table. Points are moved up and down a little, always the same, so that equal ones
    show.
    """
    drawn = np.clip(numbers, *edges)
    quartiles = dict(zip(("q1", "med", "q3"), np.clip((row.low, row.median, row.high), *edges), strict=True))
    line = {"color": "black", "linewidth": 1.2}
    axes.bxp(
        [quartiles | {"whislo": drawn.min(), "whishi": drawn.max(), "fliers": []}],
        orientation="horizontal",
        positions=[at],
        widths=0.56,
        patch_artist=True,
        showfliers=False,
        boxprops={"facecolor": "0.72" if dark else "0.9", "edgecolor": "black", "linewidth": 1.2},
        medianprops={"color": "black", "linewidth": 3.5, "solid_capstyle": "butt"},
        whiskerprops=line,
        capprops=line,
        manage_ticks=False,
    )
    height = at + np.random.default_rng(0).permutation(np.linspace(-0.2, 0.2, len(numbers)) if len(numbers) > 1 else [0.0])
    for marker, chosen in (("o", np.isfinite(numbers)), (">", np.isposinf(numbers)), ("<", np.isneginf(numbers))):
        look: dict[str, Any] = {"facecolor": "white", "edgecolor": "black", "linewidth": 1.1, "zorder": 3}
        axes.scatter(drawn[chosen], height[chosen], s=30 if marker == "o" else 60, marker=marker, **look)


def _names(axes: Axes, rows: Sequence[Row], base: str) -> None:
    """Left who it is, right what the test says."""
    axes.set_yticks(range(len(rows)), [row.variant for row in rows])
    axes.tick_params(axis="y", length=0)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.variant == base else "normal")
        label.set_parse_math(False)
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(rows)), [_verdict(row, base) for row in rows])
    right.tick_params(axis="y", length=0)
    right.spines["right"].set_visible(False)
    if any(row.holm is not None for row in rows):
        axes.text(
            1.01,
            1.0,
            f"against {base},\nHolm-corrected",
            transform=axes.transAxes,
            va="bottom",
            fontsize=11,
            color="0.25",
            parse_math=False,
        )


def _verdict(row: Row, base: str) -> str:
    words = ["base"] if row.variant == base else []
    if row.holm is not None:
        words.append("p < .0001" if row.holm < 0.0001 else f"p = {f'{row.holm:.2g}'.removeprefix('0')}")
    if row.lost:
        words.append(f"{row.lost} of {row.n} diverged")
    return ", ".join(words)


def _scale(axes: Axes, numbers: Sequence[float]) -> tuple[float, float]:
    """Logarithmic where values differ by more than a factor of WIDE. Gives where what is infinite stands."""
    axes.grid(axis="x", color="0.85", linewidth=0.8)
    axes.set_axisbelow(True)
    least, most = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    if not (least > 0 and most > WIDE * least):
        apart = 0.06 * ((most - least) or abs(most) or 1.0)
        return least - apart, most + apart
    axes.set_xscale("log")
    if most < 1000 * least:  # powers of ten alone would be too few
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    return least / (most / least) ** 0.06, most * (most / least) ** 0.06


def _save(figure: Figure, path: Path, kind: str) -> Path:
    whole = io.BytesIO()
    figure.savefig(whole, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
    write_whole(path, whole.getvalue())
    return path
