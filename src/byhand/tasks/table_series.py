"""A table's rows as series of steps: in the order of time, equally far apart, nothing missing between two cuts.

What is missing, empty cells or steps that have no row, is dealt with by one rule. Up to `fill` missing in succession are filled with
the value before them, each column for itself: nothing is taken from a later row, so that no answer is seen before its time. Where
more are missing the series is cut, and no window reaches across; so at its start and end. A filled value is never an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.tasks.table_reading import Columns, listed, numbers, refuse
from byhand.tasks.table_time import Clock, find_clock, form_of, read_times

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


class Wanted(NamedTuple):
    """Which columns of a table are read, the last of them the target, and how; as the options of Table say."""

    columns: tuple[str, ...]
    time: str | None
    series: str | None
    fill: int
    step: str
    time_format: str | None
    decimal: str


class Series(NamedTuple):
    """name: what the table calls it, "" if there is one only. given: whether the target stood in the table. cut: nothing is known of
    the step before this one. time, row: of each step; of one that has no row, those of the row before it.
    """

    name: str
    values: Float[np.ndarray, "steps columns"]
    given: Bool[np.ndarray, " steps"]
    cut: Bool[np.ndarray, " steps"]
    time: Any
    row: Int[np.ndarray, " steps"]


def read_series(table: Columns, wanted: Wanted, clock: Clock | None = None) -> tuple[list[Series], Clock, list[str]]:
    """All series, how their time goes on, and what was found that may surprise. clock: of the table that was trained on, if it is
    another. ValueError for cells and times that make no sense, naming row and column.
    """
    notes: list[str] = []
    if wanted.time:
        table = without_blank_rows(table, notes)
    values = np.stack([numbers(table, name, wanted.decimal) for name in wanted.columns], 1)
    for name in dict.fromkeys(wanted.columns):
        missing = np.isnan(values[:, wanted.columns.index(name)])
        if missing.all():
            raise ValueError(f"{table.name}: column {name!r}: expected numbers, got empty cells only; choose another column")
        if missing.any():
            notes.append(f"column {name!r}: empty cells: {missing.sum()}, in the rows {listed(table.rows[missing])}")
    rows: Any = (table.rows.astype(float), "", None)
    time, zone, form = read_times(table, wanted.time, wanted.time_format) if wanted.time else rows
    members = rows_of_series(table, wanted.series)
    if wanted.time:
        members = {name: sort(table, wanted.time, name, rows, time, notes) for name, rows in members.items()}
    times = [time[rows] for rows in members.values()]
    if not wanted.time or wanted.step == "rows":
        clock = Clock("rows", form=form_of(time, form, zone), zone=zone)
    elif clock is None:
        clock = find_clock(times, form, zone)
    elif (clock.kind == "numbers") != (time.dtype.kind == "f"):
        raise ValueError(f"{table.name}: column {wanted.time!r}: expected times written as in the table that was trained on")
    gaps = [distances(table, wanted.time, rows, time[rows], clock) for rows in members.values()]
    laid = [lay_out(values[rows], gap, wanted.fill) for rows, gap in zip(members.values(), gaps, strict=True)]
    notes += holes(table, list(members.values()), gaps, laid, wanted.fill)
    series = [
        Series(name, one.values, one.given, one.cut, time[rows][one.source], table.rows[rows][one.source])
        for (name, rows), one in zip(members.items(), laid, strict=True)
    ]
    return series, clock, notes


def without_blank_rows(table: Columns, notes: list[str]) -> Columns:
    """Without rows that have no cell at all. (In a table without time they are steps whose values are missing.)"""
    blank = (table.cells.isna() | (table.cells == "")).all(axis=1).to_numpy(bool)
    if blank.any():
        notes.append(f"rows without any cell, skipped: {listed(table.rows[blank])}")
    if blank.all():
        raise ValueError(f"{table.name}: expected rows, got empty ones only")
    return Columns(table.name, table.cells[~blank], table.rows[~blank])


def rows_of_series(table: Columns, name: str | None) -> dict[str, Int[np.ndarray, " rows"]]:
    """Series -> where its rows are, in the order of the table."""
    if name is None:
        return {"": np.arange(len(table.rows))}
    import pandas as pd  # noqa: PLC0415 (see table_reading)

    column = table.column(name)
    labels = column.astype("object").where(column.notna(), "").astype(str).str.strip()  # NA may be a name
    refuse(table, name, (labels == "").to_numpy(bool), "the name of a series")
    codes, names = pd.factorize(labels.to_numpy(object))
    order = np.argsort(codes, kind="stable")
    return dict(zip(names.tolist(), np.split(order, np.flatnonzero(np.diff(codes[order])) + 1), strict=True))


def sort(table: Columns, column: str, name: str, rows: np.ndarray, time: Any, notes: list[str]) -> Int[np.ndarray, " rows"]:
    """The rows of a series by time. ValueError for a time that comes twice."""
    order = np.argsort(time[rows], kind="stable")
    of = f" of {name!r}" if name else ""
    if (np.diff(order) < 0).any():
        notes.append(f"the rows{of} are not in the order of {column!r}: they were sorted")
    rows = rows[order]
    twice = np.flatnonzero(time[rows][1:] == time[rows][:-1])
    if len(twice):
        one, other = table.rows[rows[twice[0]]], table.rows[rows[twice[0] + 1]]
        hint = "" if name else "; if the table holds several series, give the column that names them: series=COLUMN"
        raise ValueError(
            f"{table.name}: column {column!r}: expected every time once, got {str(table.column(column).iloc[rows[twice[0]]])!r}{of} in"
            f" row {one} and row {other}, and {len(twice) - 1} more such; leave one of them{hint}"
        )
    return rows


def distances(table: Columns, column: str | None, rows: np.ndarray, time: Any, clock: Clock) -> Int[np.ndarray, " gaps"]:
    """Steps between neighbouring rows. ValueError where it is no whole number."""
    steps = clock.between(time)
    bad = np.flatnonzero(np.isnan(steps))
    if column and len(bad):
        (one, before), (other, got) = (
            (table.rows[row], str(table.column(column).iloc[row])) for row in rows[bad[0] : bad[0] + 2]
        )
        raise ValueError(
            f"{table.name}: column {column!r}, row {other}: expected a whole number of steps of {clock} since {before!r} in row {one}, got"
            f" {got!r}, and {len(bad) - 1} more such; correct the time, or give step=rows to take every row as the next step"
        )
    return steps.astype(np.int64)


class Laid(NamedTuple):
    """A series of values without holes but at cuts; source: the row each step is from, or is filled from."""

    values: Float[np.ndarray, "steps columns"]
    given: Bool[np.ndarray, " steps"]
    cut: Bool[np.ndarray, " steps"]
    source: Int[np.ndarray, " steps"]
    filled: int
    dropped: int


def lay_out(values: Float[np.ndarray, "rows columns"], gaps: Int[np.ndarray, " gaps"], fill: int) -> Laid:
    """gaps: how many steps each row but the first comes after the one before."""
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
    piece = piece + np.cumsum(~usable)
    kept = piece[usable]
    cut = np.diff(kept, prepend=-1) != 0
    filled = int(fillable[usable].any(1).sum())
    return Laid(grid[usable], known[usable, -1], cut, source[usable], filled, int((~usable).sum()))


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
    if filled:
        notes.append(f"steps with a value filled in, the one before: {filled}")
    if dropped or cuts > len(laid):
        notes.append(
            f"steps with missing values left out: {dropped}; where more than {fill} are missing in succession no window reaches across:"
            f" {cuts} pieces of {len(laid)} series"
        )
    return notes
