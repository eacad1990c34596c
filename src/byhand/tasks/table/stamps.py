"""The time of a table's rows, read out of one column or several: numbers, or times of the clock on the wall (datetime64 in whatever
unit pandas finds) with their distance from UTC where that is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from byhand.tasks.table.form import OFFSET, Form, form_of, guessed, pattern_of
from byhand.tasks.table.numbers import NUMBER
from byhand.tasks.table.reading import Columns, refuse, texts

if TYPE_CHECKING:
    from jaxtyping import Int

EXPECTED = "a number, or a time such as 2024-01-31 or 2024-01-31 13:00 (in other ways: --data.time_format='%d.%m.%Y')"
MONTHS = ("%YM%m", "%m/%Y", "%m-%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y")  # which pandas does not guess
UNITS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "minute": "%M", "second": "%S"}  # columns with such names


class Stamps(NamedTuple):
    """wall: of each row, int64, float64 or datetime64. shift: how far from UTC that is, where it is known. texts: of each row, as they
    stand in the table, one for each of the columns.
    """

    wall: Any
    shift: Any | None
    texts: Sequence[tuple[str, ...]]
    form: Form

    @property
    def instants(self) -> Any:
        """In UTC where that is known."""
        return self.wall if self.shift is None else self.wall - self.shift


def read_stamps(table: Columns, names: Sequence[str], time_format: str | None, zone: str | None) -> Stamps:
    """ValueError, which names row and column, for a cell that is neither a number nor a time."""
    import pandas as pd  # noqa: PLC0415

    columns = [table.column(name) for name in names]
    if len(names) == 1 and pd.api.types.is_datetime64_any_dtype(columns[0]):
        stamps = of_pandas(table, names[0], columns[0])
    else:
        parts = [texts(column) for column in columns]
        text = parts[0].str.cat(parts[1:], sep=" ")
        is_number = text.str.fullmatch(NUMBER).to_numpy(bool)
        code = time_format or of_units(names, text) or of_digits(text)
        period = None if code else of_periods(text)
        if period is not None:
            stamps = of_texts(table, names, columns, *period[:2], None)
            stamps = stamps._replace(form=Form(period[2]))
        elif code is None and 2 * is_number.sum() > len(text):
            stamps = of_numbers(table, names[0], columns[0], text, is_number)
        else:
            stamps = of_texts(table, names, columns, text, code, time_format)
    if zone is not None and (stamps.shift is not None or stamps.wall.dtype.kind != "M"):
        what = "with their distance from UTC" if stamps.shift is not None else "as numbers"
        raise ValueError(
            f"{table.name}: column {names[0]!r}: expected times of the clocks of {zone}, got times {what}; leave out zone"
        )
    return stamps


def of_pandas(table: Columns, name: str, column: Any) -> Stamps:
    """Out of a column of times, as Parquet has them; their text is that which pandas writes as CSV."""
    refuse(table, name, column.isna().to_numpy(bool), EXPECTED)
    wall, shift = column.to_numpy() if column.dt.tz is None else column.dt.tz_localize(None).to_numpy(), None
    if column.dt.tz is not None:
        shift = wall - column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    written = column.to_csv(index=False, header=False).splitlines()
    return Stamps(wall, shift, [(one,) for one in written], form_of(written, None, (1,)))


def of_units(names: Sequence[str], text: Any) -> str | None:
    """How columns of numbers called year, month, day and so on are read together."""
    lower = [name.lower() for name in names]
    if len(lower) < 2 or "year" not in lower or not set(lower) <= set(UNITS) or not text.str.fullmatch("[0-9 ]+").all():
        return None
    return " ".join(UNITS[name] for name in lower)


def of_digits(text: Any) -> str | None:
    """How times of digits alone are read: days of the years 1000 to 2999 as 20240131, months of 1800 to 2199 as 202401, if all are such,
    and more than one.
    """
    import pandas as pd  # noqa: PLC0415

    for pattern, code in (("[12][0-9]{7}", "%Y%m%d"), ("(?:18|19|20|21)[0-9]{2}(?:0[1-9]|1[0-2])", "%Y%m")):
        if text.str.fullmatch(pattern).all() and text.nunique() > 1:
            return code if bool(pd.to_datetime(text, format=code, errors="coerce").notna().all()) else None
    return None


def of_periods(text: Any) -> tuple[Any, str, str] | None:
    """Quarters as 2024-Q1 and weeks as 2024-W05, where all are such: text and code to read their first day by, and the code of strftime
    that they are written by.
    """
    for letter, pattern in (("Q", "([12][0-9]{3})([- ]?)Q([1-4])"), ("W", "([12][0-9]{3})(-?)W([0-5][0-9])")):
        if text.str.fullmatch(pattern).all():
            part = text.str.extract(pattern)
            if letter == "W":
                return part[0] + "-W" + part[2] + "-1", "%G-W%V-%u", f"%G{part[1].iloc[-1]}W%V"
            month = (3 * part[2].astype(int) - 2).astype(str).str.zfill(2)
            return part[0] + "-" + month, "%Y-%m", f"%Y{part[1].iloc[-1]}Q%q"
    return None


def of_numbers(table: Columns, name: str, column: Any, text: Any, is_number: np.ndarray) -> Stamps:
    """int64 if all are whole, which is exact to the last of 18 digits; else float64."""
    import pandas as pd  # noqa: PLC0415

    values = np.where(is_number, text.where(is_number, "nan"), "nan").astype(float)
    refuse(table, name, ~np.isfinite(values), "a number, as in most rows")
    if text.str.fullmatch("[+-]?[0-9]{1,19}").all() and np.abs(values).max() < 2**63:
        values = text.to_numpy(object).astype(np.int64)
    if pd.api.types.is_numeric_dtype(column):
        form = Form("")
        return Stamps(values, None, [(form.number(one),) for one in values.tolist()], form)
    decimals = {len(one.partition(".")[2]) if "." in one else 0 for one in text}
    fixed = len(decimals) == 1 and not text.str.contains("[eE]").any()
    width = int(text.str.len().max()) if text.str.fullmatch(r"0[0-9].*").any() else 0
    form = Form("", digits=decimals.pop() if fixed else None, width=width)
    return Stamps(values, None, [(one,) for one in as_they_stand(column)], form)


def as_they_stand(column: Any) -> list[str]:
    return column.astype("object").astype(str).tolist()


def of_texts(
    table: Columns, names: Sequence[str], columns: Sequence[Any], text: Any, code: str | None, time_format: str | None
) -> Stamps:
    """Out of times as ISO 8601 writes them, or as `code` says, which is the user's time_format if there is one."""
    import pandas as pd  # noqa: PLC0415

    zoned = text.str.fullmatch(f".*:.*[0-9] ?{OFFSET}").to_numpy(bool)
    if zoned.any() and code is None:
        refuse(table, names[0], ~zoned, "a time with its distance from UTC as in other rows", cells=text)
    in_zones = bool(zoned.any()) if code is None else "%z" in code
    readable = text.where(text.str.contains("[0-9]"), "")  # pandas takes "now" for a time
    try:
        values = pd.to_datetime(readable, format=code or "ISO8601", errors="coerce", utc=in_zones)
    except ValueError as error:
        raise ValueError(f"time_format: expected one such as %Y-%m-%d %H:%M, got {time_format!r}: {error}") from error
    bad = values.isna().to_numpy(bool)
    expected = EXPECTED if time_format is None else f"a time as time_format {time_format!r} has it"
    refuse(table, names[0], bad, expected, hint_for(text, bad) if bad.any() else "", cells=text)
    words = tuple(int(texts(column).iloc[0].count(" ")) + 1 for column in columns)
    written = list(zip(*(as_they_stand(column) for column in columns), strict=True))
    form = form_of(text.tolist(), code, words)
    if not in_zones:
        return Stamps((values if values.dt.tz is None else values.dt.tz_localize(None)).to_numpy(), None, written, form)
    shift = offsets(text, f"({OFFSET})$" if code is None else pattern_of(code, only="z"))
    return Stamps(values.dt.tz_localize(None).to_numpy() + shift, shift, written, form)


def offsets(text: Any, pattern: str) -> Any:
    """How far from UTC the times are, as they say."""
    found = text.str.extract(pattern, expand=False).fillna("Z").str.replace(":", "", regex=False)
    minutes = found.map(lambda one: 0 if one == "Z" else int(one[0] + "1") * (60 * int(one[1:3]) + int(one[3:] or 0)))
    return minutes.to_numpy(np.int64).astype("m8[m]")


def hint_for(text: Any, bad: np.ndarray) -> str:
    """What helps where these times cannot be read."""
    if bool(text[bad].str.contains(r"\b24:00(?::00)?$").all()):
        return "; 24:00 is 00:00 of the next day: write it so, or leave out --data.time to take every row as the next step"
    return format_hint(text)


def format_hint(text: Any) -> str:
    """A time_format that reads all of them, or two, where the day may come first or the month."""
    import pandas as pd  # noqa: PLC0415

    ends = dict.fromkeys(text.iloc[[0, -1]])
    codes = [*(guessed(one, day_first=first) for first in (True, False) for one in ends), *MONTHS]
    reading = [
        repr(code)
        for code in dict.fromkeys(codes)
        if code and pd.to_datetime(text, format=code, errors="coerce", utc="%z" in code).notna().all()
    ]
    return f"; what reads all rows: --data.time_format={' or '.join(reading)}" if reading else ""


def localised(table: Columns, name: str, stamps: Stamps, members: Sequence[Int[np.ndarray, " rows"]], zone: str) -> Stamps:
    """Times of the clocks of a zone. When they are put back an hour comes twice: in each series first before, then after. ValueError for
    a time that its clocks do not show.
    """
    import pandas as pd  # noqa: PLC0415

    try:
        place = ZoneInfo(zone)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"zone: expected a place such as Europe/Berlin or America/New_York, got {zone!r}") from None
    before = np.zeros(len(stamps.wall), bool)
    for rows in members:
        wall = stamps.wall[rows]
        order = rows[::-1] if wall[0] > wall[-1] else rows
        before[order] = ~pd.Series(stamps.wall[order]).duplicated().to_numpy()
    local = pd.DatetimeIndex(stamps.wall).tz_localize(place, ambiguous=before, nonexistent="NaT")
    expected = f"a time that the clocks of {zone} show (they were put forward then)"
    refuse(table, name, local.isna(), expected, "; leave out --data.zone if the times are not theirs")
    return stamps._replace(shift=stamps.wall - local.tz_convert("UTC").tz_localize(None).to_numpy())


def shift_of(instant: Any, zone: str) -> Any:
    """How far from UTC the clocks of a zone are at a time in UTC."""
    import pandas as pd  # noqa: PLC0415

    local: Any = pd.Timestamp(instant, tz="UTC").tz_convert(ZoneInfo(zone))
    return np.timedelta64(local.utcoffset())
