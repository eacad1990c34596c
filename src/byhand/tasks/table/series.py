"""A table's rows as series of steps: in the order of time, equally far apart, nothing missing between two cuts.

What is missing, empty cells or steps that have no row, is dealt with by one rule. Up to `fill` missing in succession are filled with
the value before them, each column for itself: nothing is taken from a later row, so that no answer is seen before its time. Where
more are missing the series is cut, and no window reaches across; so at its start and end. A filled value is never an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.tasks.table.numbers import read_numbers
from byhand.tasks.table.order import Wanted, distances, in_order
from byhand.tasks.table.reading import Columns, listed, refuse
from byhand.tasks.table.stamps import Form, Stamps
from byhand.tasks.table.time import Clock, find_clock

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


class Series(NamedTuple):
    """name: what the table calls it, by each column that does; () if there is one only. given: whether the targets stood in the table.
    cut: nothing is known of the step before this one. time, shift, row: of each step; of one that has no row, those of the row before
    it. text: its time as it stands in the table.
    """

    name: tuple[str, ...]
    values: Float[np.ndarray, "steps columns"]
    given: Bool[np.ndarray, " steps"]
    cut: Bool[np.ndarray, " steps"]
    time: Any
    shift: Any
    text: Any
    row: Int[np.ndarray, " steps"]


class Found(NamedTuple):
    """series: of a table. form: how its times are written; None without. layout: how the table is written, where it is not the usual
    way. notes: what may surprise. gap: the row behind which steps without a row cut a series first; None if they do
    not.
    """

    series: Sequence[Series]
    clock: Clock
    form: Form | None
    layout: Sequence[str]
    notes: Sequence[str]
    gap: int | None


def read_series(table: Columns, wanted: Wanted, clock: Clock | None = None) -> Found:
    """All series and how their time goes on. clock: of the table that was trained on, if it is another. ValueError for cells and times
    that make no sense, naming row and column.
    """
    notes: list[str] = []
    if wanted.time:
        table = without_blank_rows(table, notes)
    values, written = read_numbers(table, wanted.columns, wanted.decimal, wanted.missing, notes)
    for name in dict.fromkeys(wanted.columns):
        missing = np.isnan(values[:, wanted.columns.index(name)])
        if missing.all():
            raise ValueError(f"{table.name}: column {name!r}: expected numbers, got empty cells only; choose another column")
        if missing.any():
            notes.append(f"column {name!r}: empty cells: {missing.sum()}, in the rows {listed(table.rows[missing])}")
    members = rows_of_series(table, wanted.series)
    stamps = in_order(table, wanted, members, notes) if wanted.time else None
    clock = clock_of(table, wanted, stamps, list(members.values()), clock)
    time = table.rows.astype(float) if stamps is None else stamps.wall if clock.wall else stamps.instants
    gaps = [distances(table, wanted.time, rows, time[rows], clock) for rows in members.values()]
    laid = [lay_out(values[rows], gap, wanted.fill, wanted.targets) for rows, gap in zip(members.values(), gaps, strict=True)]
    notes += holes(table, list(members.values()), gaps, laid, wanted.fill)
    shift = np.zeros(len(time), "m8[m]") if stamps is None or stamps.shift is None else stamps.shift
    text = np.empty(len(time), object)
    text[:] = [()] * len(time) if stamps is None else list(stamps.texts)
    series = [
        Series(name, one.values, one.given, one.cut, *(what[rows][one.source] for what in (time, shift, text, table.rows)))
        for (name, rows), one in zip(members.items(), laid, strict=True)
    ]
    cuts = (rows[np.flatnonzero(gap > 1 + wanted.fill)] for rows, gap in zip(members.values(), gaps, strict=True))
    gap = min((int(row) for rows in cuts for row in table.rows[rows]), default=None)
    return Found(series, clock, stamps.form if stamps else None, [*table.notes, *written], notes, gap)


def clock_of(
    table: Columns, wanted: Wanted, stamps: Stamps | None, members: Sequence[np.ndarray], clock: Clock | None
) -> Clock:
    """How time goes on in a table; as in that which was trained on, if there is one. ValueError if it cannot."""
    if stamps is None or wanted.step == "rows":
        return Clock("rows", wall=False)
    if clock is None:
        return find_clock([stamps.wall[rows] for rows in members], [stamps.instants[rows] for rows in members])
    if (clock.kind == "numbers") != (stamps.wall.dtype.kind in "fi"):
        raise ValueError(f"{table.name}: column {wanted.time[0]!r}: expected times written as in the table that was trained on")
    return clock


def without_blank_rows(table: Columns, notes: list[str]) -> Columns:
    """Without rows that have no cell at all. (In a table without time they are steps whose values are missing.)"""
    blank = (table.cells.isna() | (table.cells == "")).all(axis=1).to_numpy(bool)
    if blank.any():
        notes.append(f"rows without any cell, skipped: {listed(table.rows[blank])}")
    if blank.all():
        raise ValueError(f"{table.name}: expected rows, got empty ones only")
    return table._replace(cells=table.cells[~blank], rows=table.rows[~blank])


def rows_of_series(table: Columns, names: Sequence[str]) -> dict[tuple[str, ...], Int[np.ndarray, " rows"]]:
    """Series -> where its rows are, in the order of the table."""
    if not names:
        return {(): np.arange(len(table.rows))}
    import pandas as pd  # noqa: PLC0415 (see table_reading)

    labels = []
    for name in names:
        column = table.column(name)
        label = column.astype("object").where(column.notna(), "").astype(str).str.strip()  # NA may be a name
        refuse(table, name, (label == "").to_numpy(bool), "the name of a series")
        labels.append(label.tolist())
    codes, found = pd.factorize(np.fromiter(zip(*labels, strict=True), object, len(table.rows)))
    order = np.argsort(codes, kind="stable")
    return dict(zip(found.tolist(), np.split(order, np.flatnonzero(np.diff(codes[order])) + 1), strict=True))


class Laid(NamedTuple):
    """A series of values without holes but at cuts; source: the row each step is from, or is filled from."""

    values: Float[np.ndarray, "steps columns"]
    given: Bool[np.ndarray, " steps"]
    cut: Bool[np.ndarray, " steps"]
    source: Int[np.ndarray, " steps"]
    filled: int
    dropped: int


def lay_out(values: Float[np.ndarray, "rows columns"], gaps: Int[np.ndarray, " gaps"], fill: int, targets: int = 1) -> Laid:
    """gaps: how many steps each row but the first comes after the one before. targets: the last columns, which are asked for."""
    absent = gaps - 1
    short = np.where(absent <= fill, absent, 0)
    place = np.arange(len(values)) + np.concatenate(([0], np.cumsum(short)))
    steps = int(place[-1]) + 1
    grid = np.full((steps, values.shape[1]), np.nan)
    grid[place] = values
    source = np.repeat(np.arange(len(values)), np.append(short + 1, 1))
    piece = np.concatenate(([0], np.cumsum(absent > fill)))[source]
    known = ~np.isnan(grid)
    at = np.arange(steps)[:, None]
    before = np.maximum.accumulate(np.where(known, at, -1))
    behind = np.minimum.accumulate(np.where(known, at, steps)[::-1])[::-1]
    inside = (before >= 0) & (behind < steps) & (behind - before - 1 <= fill)
    inside &= piece[np.maximum(before, 0)] == piece[np.minimum(behind, steps - 1)]
    fillable = ~known & inside
    grid = np.where(fillable, np.take_along_axis(grid, np.maximum(before, 0), 0), grid)
    usable = ~np.isnan(grid).any(1)
    given: Any = known[usable, -targets:].all(1)
    piece = piece + np.cumsum(~usable)
    kept = piece[usable]
    cut = np.diff(kept, prepend=-1) != 0
    filled = int(fillable[usable].any(1).sum())
    return Laid(grid[usable], given, cut, source[usable], filled, int((~usable).sum()))


def holes(
    table: Columns, members: Sequence[np.ndarray], gaps: Sequence[np.ndarray], laid: Sequence[Laid], fill: int
) -> list[str]:
    """What was missing and what became of it, in words."""
    notes = []
    behind = [
        (table.rows[rows[at]], gap[at] - 1) for rows, gap in zip(members, gaps, strict=True) for at in np.flatnonzero(gap > 1)
    ]
    if behind:
        where = listed([f"{absent} behind row {row}" for row, absent in behind])
        notes.append(f"steps without a row: {sum(int(absent) for _, absent in behind)}: {where}")
    filled, dropped, cuts = (sum(one) for one in zip(*((one.filled, one.dropped, one.cut.sum()) for one in laid), strict=True))
    long = any(absent > fill for _, absent in behind)
    if filled:
        notes.append(f"steps with a value filled in, the one before: {filled}")
    if dropped or cuts > len(laid):
        notes.append(
            f"steps with missing values left out: {dropped}; where more than {fill} are missing in succession no window reaches across:"
            f" {cuts} pieces of {len(laid)} series"
            + ("; if the time between is none of the series, as at night: --data.step=rows" if long else "")
        )
    return notes
