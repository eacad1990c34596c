"""Ablation: what each gate is worth, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch

from byhand.explain.ablation import Ablated, Ablation
from byhand.plots.axes import canvas, key
from byhand.plots.encoding import ORDER, colour_of
from byhand.plots.style import ink, mixed, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 16  # gates or units that one picture can name
HELD = ("open", "shut", "mean")
WORDS = {"open": "held open (1)", "shut": "held shut (0)", "mean": "held at its mean"}


@styled
def ablation(ablation: Ablation, *, most: int = MOST) -> Figure:
    """Draw how the score changes as each gate, or unit, is held open, shut or at its mean: three bars each.

    Whole gates and single units stand apart, each on a scale of their own.

    Args:
        ablation: the result of byhand.explain.ablation(model, x, score).
        most: how many gates and units are shown at most, those with the greatest changes; the title says if there are more.

    Returns:
        The figure.

    Raises:
        TypeError: `ablation` is no Ablation.
        ValueError: nothing was held, or `most` is below 1.
    """
    if not isinstance(ablation, Ablation):
        how = "byhand.explain.ablation(model, x, score) gives"
        raise TypeError(f"ablation expected what {how}, got a {type(ablation).__name__}")
    if not ablation.rows or most < 1:
        raise ValueError(f"ablation expected rows and most of at least 1, got {len(ablation.rows)} rows and most={most}")
    groups = grouped(ablation.rows)
    chosen = sorted(groups, key=lambda name: -worth(groups[name]))[:most] if len(groups) > most else list(groups)
    part = f" ({len(chosen)} greatest of {len(groups)})" if len(chosen) < len(groups) else ""
    whole, single = ([name for name in chosen if (groups[name][0].unit is not None) == alone] for alone in (False, True))
    parts = [names for names in (whole, single) if names]
    apart = len(parts) > 1
    height = 0.5 * len(chosen) + (2.4 if apart else 1.6)
    figure = canvas(f"What each {'gate' if only_gates(groups) else 'gate and unit'} is worth{part}", height)
    stack = figure.subplots(len(parts), 1, squeeze=False, height_ratios=[len(one) + 0.4 for one in parts])[:, 0]
    for axes, names in zip(stack, parts, strict=True):
        panel(axes, {name: groups[name] for name in names})
    if apart:  # on a scale of their own: beside a whole gate's bars those of one unit would be lines
        stack[0].set_title("whole gates")
        stack[1].set_title("single units, on a scale of their own")
    stack[-1].set_xlabel(f"change of the score (it is {ablation.base:.4g} with nothing held)")
    key(figure, [Patch(label=WORDS[held], **style("#808080", held)) for held in HELD])
    return figure


def panel(axes: Axes, groups: dict[str, list[Ablated]]) -> None:
    for at, rows in enumerate(groups.values()):
        bars(axes, at, rows)
    axes.set_yticks(range(len(groups)), [shortened(name, 28) for name in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.axvline(0, color="0.3", linewidth=1)
    axes.grid(axis="x")
    axes.locator_params(axis="x", nbins=7)


def grouped(rows: Sequence[Ablated]) -> dict[str, list[Ablated]]:
    found: dict[str, list[Ablated]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row)
    places = list(dict.fromkeys(row.site.rpartition(".")[0] for row in rows))
    return dict(sorted(found.items(), key=lambda pair: in_order(pair[1][0], places)))


def in_order(row: Ablated, places: Sequence[str]) -> tuple[int, int]:
    """Layer by layer, what is kept first."""
    place, _, site = row.site.rpartition(".")
    return places.index(place), ORDER.index(site) if site in ORDER else len(ORDER)


def worth(rows: Sequence[Ablated]) -> float:
    return max(float(np.nan_to_num(abs(row.change), nan=np.inf)) for row in rows)


def only_gates(groups: dict[str, list[Ablated]]) -> bool:
    return all(row.unit is None for rows in groups.values() for row in rows)


def bars(axes: Axes, at: int, rows: Sequence[Ablated]) -> None:
    colour = colour_of(rows[0].site.rpartition(".")[2], "")
    for row in rows:
        place = at + 0.26 * (HELD.index(row.held) - 1)
        if np.isfinite(row.change):
            axes.barh(place, row.change, height=0.24, **style(colour, row.held))
        else:
            axes.text(0, place, f" {row.change}", va="center", fontsize=7)


def style(colour: str, held: str) -> dict[str, Any]:
    """Full, empty, hatched."""
    fill = {"open": colour, "shut": "white", "mean": mixed(colour, "white", 0.6)}[held]
    return {"facecolor": fill, "edgecolor": ink(colour), "linewidth": 1.0, "hatch": "////" if held == "mean" else None}
