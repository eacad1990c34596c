"""Half-lives: how long each unit keeps what it writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter
from torch import Tensor

from byhand.plots.axes import canvas, number
from byhand.plots.selection import numbers
from byhand.plots.style import SMALL, TEAL, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EACH = 24  # units that have a bar of their own
BAR = {"color": TEAL, "edgecolor": "white", "linewidth": 0.6}
ODD = {"color": "0.85", "edgecolor": "0.4", "linewidth": 0.6, "hatch": "////"}


@styled
def half_life(half_life: Mapping[str, Tensor]) -> Figure:
    """After how many steps half of what a unit wrote is left: a bar for each of up to 24 units, the longest first; a histogram
    for more, with bars of their own for 0 and ∞.

    half_life: of byhand.explain.half_life(trace). One panel a memory. TypeError, ValueError.
    """
    found = checked(half_life)
    figure = canvas("Half-life: how long units keep what they write", 2.2 * len(found) + 0.9)
    for axes, (name, values) in zip(figure.subplots(len(found), 1, squeeze=False)[:, 0], found.items(), strict=True):
        axes.set_title(f"{shortened(name, 40)}   {len(values)} unit{'s' * (len(values) > 1)}{summary(values)}")
        (bars if len(values) <= EACH else histogram)(axes, values)
    return figure


def checked(half_life: object) -> dict[str, np.ndarray]:
    how = "half_life expected what byhand.explain.half_life(trace) gives"
    if not isinstance(half_life, Mapping) or not all(isinstance(one, Tensor) and one.dim() == 1 for one in half_life.values()):
        raise TypeError(f"{how}, got a {type(half_life).__name__}")
    if not half_life:
        raise ValueError(f"{how}, with at least one memory; no cell in the trace has one that is added to")
    return {str(name): numbers(values) for name, values in half_life.items()}


def summary(values: np.ndarray) -> str:
    known = values[~np.isnan(values)]
    return f", median {np.median(known):.3g} steps".replace("inf", "∞") if len(known) else ""


def bars(axes: Axes, values: np.ndarray) -> None:
    """Sorted; ∞ to the top and hatched; nothing where there was no second step."""
    order = np.argsort(-np.nan_to_num(values, nan=-1.0), kind="stable")
    drawn = values[order]
    finite = drawn[np.isfinite(drawn)]
    top = 1.25 * float(finite.max(initial=0.0)) or 1.0
    for at, value in enumerate(drawn):
        axes.bar(at, top if np.isposinf(value) else np.nan_to_num(value), width=0.8, **(ODD if np.isposinf(value) else BAR))
        word = "?" if np.isnan(value) else "∞" if np.isposinf(value) else f"{value:.3g}"
        if len(drawn) <= 12 or not np.isfinite(value):
            axes.annotate(
                word,
                (at, 0 if np.isnan(value) else min(value, top)),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=SMALL,
            )
    axes.set_ylim(0, 1.15 * top)
    axes.set_xlim(-0.6, max(len(drawn), 6) - 0.4)
    axes.locator_params(axis="y", nbins=4)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.grid(axis="y")
    number(axes.xaxis, [str(unit) for unit in order], EACH)
    axes.set_xlabel("unit, the longest half-life first")
    axes.set_ylabel("half-life (steps)")


def histogram(axes: Axes, values: np.ndarray) -> None:
    """In octaves; 0, ∞ and unknown beside them."""
    finite = values[np.isfinite(values) & (values > 0)]
    low, high = octaves(finite)
    edges = 2.0 ** np.arange(low, high + 1)
    counts, _ = np.histogram(finite.clip(edges[0], edges[-1]), edges)
    columns = [(float(at), int(count), BAR) for at, count in enumerate(counts)]
    ticks = [(at - 0.5, f"{edge:.4g}") for at, edge in enumerate(edges)][:: 1 if len(edges) < 10 else 2]
    beyond = {"0": values == 0, "∞": np.isposinf(values), "?": np.isnan(values)}
    places = {"0": -1.5, "∞": len(counts) + 0.5, "?": len(counts) + 1.5}
    for name in (name for name, where in beyond.items() if where.any()):
        columns.append((places[name], int(beyond[name].sum()), ODD))
        ticks.append((places[name], name))
    for at, count, look in columns:
        axes.bar(at, count, width=0.92, **look)
        axes.annotate(str(count), (at, count), (0, 2), textcoords="offset points", ha="center", fontsize=SMALL)
    axes.set_xlim(min(at for at, _, _ in columns) - 0.6, max(7.0, *(at for at, _, _ in columns)) + 0.6)
    axes.set_ylim(0, 1.25 * max(count for _, count, _ in columns))
    axes.set_xticks([at for at, _ in ticks], [name for _, name in ticks])
    axes.locator_params(axis="y", nbins=4, integer=True)
    axes.grid(axis="y")
    axes.set_xlabel("half-life (steps)")
    axes.set_ylabel("units")


def octaves(finite: np.ndarray) -> tuple[int, int]:
    """Powers of two that hold all values, at most 14 octaves; what is beyond them goes into the outermost."""
    if not len(finite):
        return 0, 1
    low, high = int(np.floor(np.log2(finite.min()))), int(np.floor(np.log2(finite.max()))) + 1
    return max(low, min(high - 14, -2)), min(high, max(low, -2) + 14)
