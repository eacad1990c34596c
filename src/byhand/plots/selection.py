"""What of a trace is shown: a place, a sequence, some units, some steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from byhand.explain.lookup import checked, inside, name_of, place_of
from byhand.plots.style import shortened

if TYPE_CHECKING:
    from byhand.trace import Trace

    Numbers = np.ndarray
    Units = Sequence[int] | int | None


@dataclass(frozen=True, eq=False)
class Window:
    """Checked: place and item are there, steps are inside, characters are as many as steps."""

    trace: Trace
    place: str
    item: int
    units: tuple[int, ...] | None
    start: int
    stop: int
    characters: tuple[str, ...] | None

    @property
    def times(self) -> Numbers:
        return np.arange(self.start, self.stop)

    @property
    def valid(self) -> Numbers:
        """(steps,): False where the sequence has ended."""
        return self.trace.valid(self.place)[self.start : self.stop, self.item].cpu().numpy()

    def values(self, site: str) -> Numbers:
        """(steps, units); NaN where the sequence has ended. IndexError for a unit that is not there."""
        value = numbers(self.trace[name_of(self.place, site)][self.start : self.stop, self.item])
        return value[:, list(self.rows(site, value.shape[-1]))]

    def rows(self, site: str, width: int) -> Sequence[int]:
        """The units shown."""
        wrong = [unit for unit in self.units or () if unit not in range(width)]
        if wrong:
            raise IndexError(f"{name_of(self.place, site)} has units 0 to {width - 1}, got {', '.join(map(str, wrong))}")
        return range(width) if self.units is None else self.units

    def width(self, site: str) -> int:
        return self.trace[name_of(self.place, site)].shape[-1]

    @property
    def input(self) -> Numbers:
        """(steps, features)."""
        value = numbers(self.trace.input(self.place)[self.start : self.stop, self.item])
        return np.where(self.valid[:, None], value, np.nan)

    @property
    def where(self) -> str:
        """As in "l0 (lstm), sequence 2"."""
        place, cell = shortened(self.place, 24), shortened(self.trace.cell(self.place), 24)
        many = self.trace.valid(self.place).shape[1] > 1
        return (f"{place} ({cell})" if place else cell) + (f", sequence {self.item}" if many else "")


def window(
    trace: Trace,
    place: int | str,
    item: int,
    units: Units,
    steps: tuple[int, int] | None,
    characters: Sequence[str] | None,
    purpose: str,
) -> Window:
    """TypeError for what is no trace; UnknownSiteError, IndexError, ValueError for what it does not hold."""
    trace = checked(trace, purpose)
    place = place_of(trace, place, purpose)
    times, sequences = trace.valid(place).shape
    start, stop = span(steps, times, purpose)
    return Window(
        trace,
        place,
        inside(item, sequences, "a sequence", purpose),
        chosen(units, purpose),
        start,
        stop,
        read(characters, times, start, stop, purpose),
    )


def span(steps: tuple[int, int] | None, times: int, purpose: str) -> tuple[int, int]:
    if steps is None:
        return 0, times
    if not (isinstance(steps, tuple) and len(steps) == 2 and all(isinstance(step, int) for step in steps)):
        raise TypeError(f"{purpose} expected steps=(first, one after the last), as in steps=(0, {times}), got {steps!r}")
    if not 0 <= steps[0] < steps[1] <= times:
        raise IndexError(f"{purpose} expected steps inside (0, {times}), got {steps}")
    return steps


def chosen(units: Units, purpose: str) -> tuple[int, ...] | None:
    if units is None:
        return None
    found = tuple([units] if isinstance(units, int) else units)
    if not found or any(isinstance(unit, bool) or not isinstance(unit, int) for unit in found):
        raise TypeError(f"{purpose} expected units as numbers, as in units=[0, 3], got {units!r}")
    return found


def read(characters: Sequence[str] | None, times: int, start: int, stop: int, purpose: str) -> tuple[str, ...] | None:
    if characters is None:
        return None
    if len(characters) != times:
        raise ValueError(f"{purpose} expected a character for each of the {times} steps, got {len(characters)}")
    return tuple(map(word, characters))[start:stop]


def word(one: object) -> str:
    """As a text, whatever stands at a step: a number out of a tensor is a number."""
    if isinstance(one, bytes):
        return one.decode(errors="replace")
    value = one.item() if isinstance(one, Tensor) else one
    return "" if value is None else str(value)


def numbers(value: Tensor) -> Numbers:
    return value.detach().to("cpu", torch.float64).numpy()
