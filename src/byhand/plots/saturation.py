"""Saturation: how often each unit's gates are shut and open, one point a unit.

The picture of Karpathy, Johnson & Fei-Fei, Visualizing and Understanding Recurrent Networks, arXiv 1506.02078, 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from byhand.explain.saturation import Saturation
from byhand.plots.axes import canvas, key
from byhand.plots.encoding import ORDER, colour_of
from byhand.plots.selection import numbers
from byhand.plots.style import FAINT, ink, mixed, shortened, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")  # one a layer
ACROSS = 4  # gates beside each other
NAMES = {"f": "forget gate", "i": "input gate", "o": "output gate", "z": "update gate", "r": "reset gate"}


@styled
def saturation(saturation: Mapping[str, Saturation]) -> Figure:
    """A panel a gate and a point a unit: to the right, how often it is nearly shut; upward, how often nearly open. On the dashed
    line a unit is always one or the other: a switch.

    saturation: of byhand.explain.saturation(trace). Layers differ by marker. TypeError, ValueError.
    """
    found = by_gate(saturation)
    places = list(dict.fromkeys(place for panels in found.values() for place in panels))
    across = min(len(found), ACROSS)
    down = -(-len(found) // ACROSS)
    figure = canvas("How often gates are shut and open, unit by unit", 2.75 * down + 1.1, max(2.9 * across, 6.6))
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes, (gate, panels) in zip(grid.flat, found.items(), strict=False):
        scatter(axes, gate, panels, places)
    for axes in list(grid.flat)[len(found) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("right-saturated:\nnearly open (share, 0–1)")
    for axes in list(grid.flat)[max(0, len(found) - across) : len(found)]:
        axes.set_xlabel("left-saturated:\nnearly shut (share, 0–1)")
        axes.tick_params(labelbottom=True)
    if len(places) > 1:
        key(figure, grid[0, 0].collections)
    return figure


def by_gate(saturation: object) -> dict[str, dict[str, Saturation]]:
    """Gate -> place -> shares, what is kept first."""
    how = "expected what byhand.explain.saturation(trace) gives"
    if not isinstance(saturation, Mapping) or not all(isinstance(one, Saturation) for one in saturation.values()):
        raise TypeError(f"saturation {how}, got a {type(saturation).__name__}")
    if not saturation:
        raise ValueError(f"saturation {how}, with at least one gate; there was none in the trace")
    found: dict[str, dict[str, Saturation]] = {}
    for name, shares in saturation.items():
        place, _, gate = str(name).rpartition(".")
        found.setdefault(gate, {})[place] = shares
    return dict(sorted(found.items(), key=lambda pair: ORDER.index(pair[0]) if pair[0] in ORDER else len(ORDER)))


def scatter(axes: Axes, gate: str, panels: Mapping[str, Saturation], places: list[str]) -> None:
    colour = colour_of(gate, NAMES.get(gate, ""))
    axes.plot([0, 1], [1, 0], color="0.6", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set_aspect("equal")
    for place, shares in panels.items():
        layer = places.index(place)
        look: dict[str, Any] = {
            "marker": MARKERS[layer % len(MARKERS)],
            "facecolor": mixed(colour, "white", 0.5 * layer / len(places)),
            "edgecolor": ink(colour),
            "linewidth": 0.6,
            "alpha": 0.85,
            "s": 42 if len(shares.left) <= 100 else 22,
        }
        axes.scatter(
            numbers(shares.left),
            numbers(shares.right),
            label=shortened(place or "the layer", 20),
            clip_on=False,
            zorder=3,
            **look,
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.grid(color=FAINT)
    axes.set_title(f"{gate}   {NAMES.get(gate, '')}".strip(), color=ink(colour))
