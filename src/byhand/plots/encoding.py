"""How a site is drawn: its colour, its words, and the range of its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import Colormap

from byhand.explain.lookup import cell_of
from byhand.explain.saturation import gate_sites
from byhand.plots.style import CANDIDATE, FORGET, INK, INPUT, OUTPUT, SLATE, ink, memory_map, share_map, shortened, signed_map

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.trace import Trace

    Numbers = np.ndarray

COLOURS = {"f": FORGET, "i": INPUT, "g": CANDIDATE, "o": OUTPUT}
WORDS = (("forget", FORGET), ("update", FORGET), ("candidate", CANDIDATE), ("input", INPUT), ("output", OUTPUT))
ORDER = ("f", "z", "i", "r", "g", "n", "o")  # what is kept, what is written, what is exposed
SHARES = {"f": "share kept", "z": "share kept", "i": "share written", "o": "share exposed"}


@dataclass(frozen=True)
class Look:
    """site: its letter. words: its name. colour: None for a memory. share: whether values are between 0 and 1. quantity: what is on
    the axis.
    """

    site: str
    words: str
    colour: str | None
    share: bool
    quantity: str = field(default="value")

    @property
    def title(self) -> str:
        """As in "f  forget gate"."""
        return self.site if self.words == self.site else f"{self.site}   {self.words}"

    @property
    def ink(self) -> str:
        return INK if self.colour is None else ink(self.colour)

    @property
    def map(self) -> Colormap:
        if self.colour is None:
            return memory_map()
        return share_map(self.colour) if self.share else signed_map(self.colour)

    def range(self, *several: Numbers) -> tuple[float, float]:
        """From 0 to 1 for a share, else symmetric about 0, and wide enough for all these values."""
        sizes = [np.abs(values[np.isfinite(values)]).max(initial=0.0) for values in several]
        least = min((values[np.isfinite(values)].min(initial=0.0) for values in several), default=0.0)
        most = rounded(float(max(sizes, default=0.0)))
        if self.share and least >= 0:
            return 0.0, max(1.0, most)
        return (-most, most) if self.colour is None else (-max(1.0, most), max(1.0, most))

    def line_range(self, *several: Numbers) -> tuple[float, float]:
        """The same, less the half on which a memory has no values."""
        low, high = self.range(*several)
        if self.colour is not None:
            return low, high
        values = np.concatenate([one[np.isfinite(one)] for one in several])
        return (0.0 if values.min(initial=0.0) >= 0 else low), (0.0 if values.max(initial=0.0) <= 0 and values.any() else high)

    def label(self, low: float, high: float) -> str:
        """For an axis: "share kept (0–1)"."""
        return f"{self.quantity}\n(0–1)" if self.share and (low, high) == (0.0, 1.0) else self.quantity


def rounded(size: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten; 1 for 0."""
    if not 0 < size < np.inf:
        return 1.0
    ten = 10.0 ** np.floor(np.log10(size))
    return float(next(step * ten for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if size <= step * ten * (1 + 1e-9)))


def look_of(trace: Trace, place: str, site: str) -> Look:
    """How a site of that place is drawn."""
    cell = known_cell(trace, place)
    words = "" if cell is None else cell.labels.get(site, "")
    if site not in gates_of(trace, place):
        return Look(site, shortened(words or memory_words(site), 40), None, share=False)
    share = site in (gate_sites(cell) if cell is not None else ("f", "i", "o", "r", "z"))
    quantity = SHARES.get(site, "share") if share else "value"
    return Look(site, shortened(words or site, 40), colour_of(site, words), share, quantity)


def colour_of(site: str, words: str) -> str:
    """By its letter, or by the word for it; slate for a gate that has no part in an LSTM."""
    named = next((colour for word, colour in WORDS if word in words.lower()), SLATE)
    return COLOURS.get(site, named)


def memory_words(site: str) -> str:
    return {"m": "before the projection"}.get(site, site)


def gates_of(trace: Trace, place: str) -> tuple[str, ...]:
    """The recorded sites that are gates or candidates, what is kept first."""
    cell, run = known_cell(trace, place), trace.run(place)
    if cell is None:
        found = [site for site in run.sites if site in ORDER and site not in run.initial]
    else:
        found = [site for site in run.sites if site in cell_gates(cell)]
    return tuple(sorted(found, key=lambda site: ORDER.index(site) if site in ORDER else len(ORDER)))


def memories_of(trace: Trace, place: str) -> tuple[str, ...]:
    """The recorded sites that are states, the long memory first."""
    run, gates = trace.run(place), gates_of(trace, place)
    found = [site for site in run.initial if site in run.sites and site not in gates]
    return tuple(sorted(found, key=("c", "h").index if set(found) <= {"c", "h"} else lambda site: (site != "c", site != "h")))


def known_cell(trace: Trace, place: str) -> Cell | None:
    try:
        return cell_of(trace, place)
    except LookupError:  # a cell of the user's own that is gone: letters must do
        return None


@cache
def cell_gates(cell: Cell) -> tuple[str, ...]:
    """The cell's gates that are sites, and what it computes in place of one, as CIFG its input gate."""
    return tuple(site for site in cell.sites if site in cell.gates or (site in COLOURS and site not in cell.state))
