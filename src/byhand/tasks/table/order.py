"""A table's rows in the order of time: each time once in a series, a whole number of steps apart; what helps where they are not."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.tasks.table.numbers import Missing
from byhand.tasks.table.reading import Columns
from byhand.tasks.table.stamps import Stamps, localised, read_stamps
from byhand.tasks.table.time import Clock

if TYPE_CHECKING:
    from jaxtyping import Int

TIME = ("time",)  # in a frame whose columns are words


class Wanted(NamedTuple):
    """Which columns of a table are read, the last of them the targets, and how; as the options of Table say."""

    columns: tuple[str, ...]
    targets: int
    time: tuple[str, ...]
    series: tuple[str, ...]
    fill: int
    step: str
    time_format: str | None
    zone: str | None
    decimal: str | None
    missing: Missing

    @property
    def names(self) -> tuple[str, ...]:
        """All that the table is asked for."""
        return (*self.columns, *self.time, *self.series)


def in_order(table: Columns, wanted: Wanted, members: dict[Any, np.ndarray], notes: list[str]) -> Stamps:
    """The times; and the rows of each series, which are sorted by them."""
    stamps = read_stamps(table, wanted.time, wanted.time_format, wanted.zone)
    if wanted.zone is not None:
        stamps = localised(table, wanted.time[0], stamps, list(members.values()), wanted.zone)
    for name, rows in members.items():
        members[name] = sort(table, wanted, name, rows, stamps, notes)
    return stamps


def sort(
    table: Columns, wanted: Wanted, name: tuple[str, ...], rows: np.ndarray, stamps: Stamps, notes: list[str]
) -> Int[np.ndarray, " rows"]:
    """The rows of a series by time. ValueError for a time that comes twice, unless every row is a step and they are in order."""
    time = stamps.instants
    order = np.argsort(time[rows], kind="stable")
    of = f" of {', '.join(map(repr, name))}" if name else ""
    in_order = not (np.diff(order) < 0).any()
    column = " and ".join(map(repr, wanted.time))
    if not in_order:
        notes.append(f"the rows{of} are not in the order of {column}: they were sorted")
    rows = rows[order]
    twice = np.flatnonzero(time[rows][1:] == time[rows][:-1])
    if not len(twice) or (in_order and wanted.step == "rows"):
        return rows
    one, other = (int(row) for row in rows[twice[0] : twice[0] + 2])
    text = " ".join(stamps.texts[one])
    keys = series_keys(table, wanted, stamps)
    hints = [*series_hint(table, wanted, keys), *zone_hint(wanted, stamps, rows, twice)]
    if in_order and not keys:
        hints.append("--data.step=rows if every row is the next step")
    elif not hints:
        hints.append("no --data.time if the rows stand in the order of time")
    raise ValueError(
        f"{table.name}: column {column}: expected every time once, got {text!r}{of} in row {table.rows[one]} and row {table.rows[other]},"
        f" and {len(twice) - 1} more such; give {', or '.join(hints)}"
    )


def series_keys(table: Columns, wanted: Wanted, stamps: Stamps) -> list[str]:
    """The columns which, if they name the series, leave every time once in each: one or two more than were given; [] if there are none."""
    import pandas as pd  # noqa: PLC0415 (see table_reading)

    rest = unread(table, wanted)
    keys: Any = pd.DataFrame(
        {name: table.column(name).astype("object").astype(str).tolist() for name in (*wanted.series, *rest)}
    )
    few = [name for name in rest if 1 < keys[name].nunique() <= len(keys) / 3][:12]
    keys[TIME] = stamps.instants
    for more in [(name,) for name in few] + list(combinations(few, 2)):
        names = [*wanted.series, *more]
        if not keys.duplicated([*names, TIME]).any() and 3 * len(keys[names].drop_duplicates()) <= len(keys):
            return names
    return []


def unread(table: Columns, wanted: Wanted) -> list[str]:
    """The columns that are not asked for."""
    names = list(table.cells.columns)
    return [name for name in names if name not in wanted.names and names.count(name) == 1]


def series_hint(table: Columns, wanted: Wanted, keys: Sequence[str]) -> list[str]:
    if keys:
        names = [name if re.fullmatch(r"[\w. -]+", name) else json.dumps(name, ensure_ascii=False) for name in keys]
        listing = names[0] if len(names) == 1 else f"'[{', '.join(names)}]'"
        return [f"--data.series={listing}, with which it does"]
    if wanted.series or not unread(table, wanted):
        return []
    return ["--data.series=COLUMN if the table holds several series, and it names them"]


def zone_hint(wanted: Wanted, stamps: Stamps, rows: np.ndarray, twice: np.ndarray) -> list[str]:
    """For an hour that comes twice on one day, as when clocks are put back."""
    if stamps.wall.dtype.kind != "M" or stamps.shift is not None or wanted.zone is not None:
        return []
    double = stamps.wall[rows[twice]]
    days = np.unique(double.astype("M8[D]"))
    hours = np.unique(double.astype("M8[h]"))
    if len(hours) > len(days) or len(days) > 1 + len(rows) / 50 or (double == double.astype("M8[D]")).all():
        return []
    return ["--data.zone=Europe/Berlin, or whose clocks they are, if that is the hour in which clocks are put back"]


def distances(table: Columns, columns: Sequence[str], rows: np.ndarray, time: Any, clock: Clock) -> Int[np.ndarray, " gaps"]:
    """Steps between neighbouring rows. ValueError where it is no whole number."""
    steps = clock.between(time)
    bad = np.flatnonzero(np.isnan(steps))
    if columns and len(bad):
        (one, before), (other, got) = (
            (table.rows[row], " ".join(str(table.column(name).iloc[row]) for name in columns))
            for row in rows[bad[0] : bad[0] + 2]
        )
        raise ValueError(
            f"{table.name}: column {' and '.join(map(repr, columns))}, row {other}: expected a whole number of steps of {clock} since"
            f" {before!r} in row {one}, got {got!r}, and {len(bad) - 1} more such; give --data.step=rows to take every row as the next step"
        )
    return steps.astype(np.int64)
