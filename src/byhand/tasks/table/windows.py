"""Windows over series of steps: what is seen, what is asked for, and to which part each belongs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.tasks.table.order import Wanted
from byhand.tasks.table.reading import listed, read_table, sunspots
from byhand.tasks.table.series import Series, read_series
from byhand.tasks.table.stamps import Form
from byhand.tasks.table.time import Clock
from byhand.tasks.task import PARTS, Part

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

SHARES = (0.7, 0.85)  # of a series: where training ends, and validation


class Windows(NamedTuple):
    """All series, one behind the other. time, shift, text: of each step, see series.py. whose: the number of its series. training:
    the steps of the training part.

    starts: part -> where its windows begin; of "future", whose answers lie beyond the end, the last of each series.
    """

    names: Sequence[tuple[str, ...]]
    values: Float[np.ndarray, "steps columns"]
    time: Any
    shift: Any
    text: Any
    row: Int[np.ndarray, " steps"]
    whose: Int[np.ndarray, " steps"]
    piece: Int[np.ndarray, " steps"]
    training: Bool[np.ndarray, " steps"]
    starts: Mapping[Part, Int[np.ndarray, " windows"]]
    notes: Sequence[str]

    def longest(self, column: int) -> Float[np.ndarray, " steps"]:
        """A column in the longest stretch of the training part without a cut."""
        pieces = self.piece[self.training]
        if not len(pieces):
            return np.zeros(0)
        return self.values[self.training, column][pieces == np.bincount(pieces).argmax()]


class Reading(NamedTuple):
    """lines: what the table is and what of it is used. notable: whether something is missing or out of order. gap: the row
    behind which steps without a row cut a series first, if they do.
    """

    windows: Windows
    clock: Clock
    form: Form | None
    gap: int | None
    lines: Sequence[str]
    notable: bool


def cut_windows(series: Sequence[Series], window: int, horizon: int, shares: Sequence[float] = SHARES) -> Windows:
    """Every window of `window` steps with `horizon` answers behind it that no cut goes through, whose answers were all in the table and
    belong to one part. The first 70 % of the steps of each series are for training, the next 15 % for validation, the last for the
    test; a window belongs where its answers do, and may look back into the part before.
    """
    joined = Series((), *(np.concatenate([one[field] for one in series]) for field in range(1, 8)))
    sizes = np.array([len(one.row) for one in series])
    whose = np.repeat(np.arange(len(series)), sizes)
    nth = np.arange(len(whose)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    part = sum((nth >= (share * sizes).astype(int)[whose]).astype(int) for share in shares) + np.zeros(len(whose), int)
    piece = np.cumsum(joined.cut)
    start = np.arange(max(0, len(whose) - window - horizon + 1))
    first, last = start + window, start + window + horizon - 1
    given = np.concatenate(([0], np.cumsum(joined.given)))
    there = whose[start] == whose[last]
    tests = {
        "that a cut goes through": piece[start] == piece[last],
        "with an answer that is missing": given[last + 1] - given[first] == horizon,
        "whose answers belong to two parts": part[first] == part[last],
    }
    notes = []
    for reason, good in tests.items():
        out = int((there & ~good).sum())
        if out:
            notes.append(f"windows left out {reason}: {out}")
        there &= good
    starts: dict[Part, np.ndarray] = {name: start[there & (part[first] == number)] for number, name in enumerate(PARTS)}
    ends = np.cumsum(sizes)[sizes >= window]
    starts["future"] = (ends - window)[piece[ends - window] == piece[ends - 1]]
    names = [one.name for one in series]
    without = [" ".join(name) for at, name in enumerate(names) if at not in whose[starts["future"]]]
    if without and names != [()]:
        notes.append(
            f"series without {window} whole steps at their end, left out where the future is predicted: {listed(without)}"
        )
    return Windows(
        names, joined.values, joined.time, joined.shift, joined.text, joined.row, whose, piece, part == 0, starts, notes
    )


def read_windows(
    path: str | os.PathLike[str] | None,
    separator: str | None,
    header: int | None,
    wanted: Wanted,
    sizes: tuple[int, int],
    clock: Clock | None = None,
) -> Reading:
    """A table, None for sunspots, cut into windows of these steps and answers. clock: of the table that was trained on, if this is
    another; then all of it is for the test.
    """
    table = sunspots() if path is None else read_table(path, separator, header, wanted.names)
    found = read_series(table, wanted, clock)
    windows = cut_windows(found.series, *sizes, SHARES if clock is None else (0.0, 0.0))
    parts = ", ".join(f"{len(windows.starts[part])} for {part}" for part in PARTS)
    lines = [
        f"{table.name}: {len(table.rows)} rows, {len(found.series)} series, a step is {found.clock}",
        *(f"  {note}" for note in (*found.layout, *found.notes)),
        f"  windows of {sizes[0]} steps, answers {sizes[1]}: {parts}",
        *(f"  {note}" for note in windows.notes),
    ]
    return Reading(windows, found.clock, found.form, found.gap, lines, bool(found.notes))
