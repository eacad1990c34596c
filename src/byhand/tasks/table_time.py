"""The time column of a table: how it is read, how far apart steps are, and what comes after the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from byhand.tasks.table_reading import NUMBER, Columns, refuse, texts

if TYPE_CHECKING:
    from jaxtyping import Float

DAY = np.timedelta64(1, "D")
OFFSET = r".*[0-9](?:Z|[+-][0-9]{2}:?[0-9]{2})"  # behind a time of day: how far from UTC
EXPECTED = "a number, or a time such as 2024-01-31 or 2024-01-31 13:00 (other ways to write it: time_format='%d.%m.%Y')"


class Clock(NamedTuple):
    """How time goes on from step to step.

    kind: "rows" (each row is the next step), "numbers", "time", "months" or "workdays" (Monday to Friday). size: of a step, in its
    kind; of "time" in microseconds. ends: months are named by their last day. form: how times are written: a time_format, "" as
    ISO 8601 asks for, or "D" for days. zone: "Z" if they are in UTC.
    """

    kind: Literal["rows", "numbers", "time", "months", "workdays"]
    size: float = 1
    ends: bool = False
    form: str = ""
    zone: str = ""

    def __str__(self) -> str:
        if self.kind == "time":
            return str(np.timedelta64(int(self.size), "us").astype(object)).removesuffix(", 0:00:00")
        word = {"rows": "row", "numbers": "", "months": "month", "workdays": "working day"}[self.kind]
        return f"{self.size:g} {word}{'s' if word and self.size != 1 else ''}".strip()

    def between(self, times: Any) -> Float[np.ndarray, " gaps"]:
        """How many steps lie between neighbours; NaN where it is no whole number."""
        if self.kind == "rows":
            return np.ones(max(0, len(times) - 1))
        if self.kind == "months":
            month = times.astype("M8[M]")
            steps = np.diff(month.astype(np.int64)) / self.size
            day = times - month
            same = day[1:] == day[:-1]
            return whole(np.where(same | np.full(len(steps), self.ends), steps, np.nan))
        if self.kind == "workdays":
            days = times.astype("M8[D]")
            same = np.diff(times - days) == np.timedelta64(0)
            same &= np.is_busday(days[:-1]) & np.is_busday(days[1:])
            return np.where(same, np.busday_count(days[:-1], days[1:]).astype(float), np.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # of absurd times; what comes of them is no whole number
            gaps = np.diff(times)
            return whole((gaps.astype(np.int64) if self.kind == "time" else gaps) / self.size)

    def after(self, time: Any, steps: int) -> Any:
        """So many steps later; None if rows are all that is known."""
        if self.kind == "rows":
            return None
        if self.kind == "numbers":
            return time + steps * self.size
        if self.kind == "time":
            return time + np.timedelta64(steps * int(self.size), "us")
        if self.kind == "workdays":
            day = time.astype("M8[D]")
            return np.busday_offset(day, steps) + (time - day)
        month = time.astype("M8[M]")
        then, day = month + steps * int(self.size), time.astype("M8[D]") - month.astype("M8[D]")
        last = (then + 1).astype("M8[D]") - then.astype("M8[D]") - DAY
        return then.astype("M8[D]") + (last if self.ends else min(day, last)) + (time - time.astype("M8[D]"))

    def label(self, time: Any) -> str | None:
        """As it is written."""
        if time is None:
            return None
        if self.form not in ("", "D"):
            import pandas as pd  # noqa: PLC0415 (see table_reading)

            return pd.Timestamp(time).strftime(self.form)
        if isinstance(time, np.datetime64):
            return (
                str(np.datetime_as_string(time, "D" if self.form else "s" if time == time.astype("M8[s]") else "us"))
                + self.zone
            )
        near = float(f"{time:.12g}")  # 10.2, not 10.200000000000001
        return str(int(near)) if near.is_integer() and abs(near) < 1e15 else repr(near)


def whole(steps: Float[np.ndarray, " gaps"]) -> Float[np.ndarray, " gaps"]:
    """Rounded where it is nearly a whole number, else NaN."""
    with np.errstate(invalid="ignore"):
        near = np.round(steps)
        return np.where((np.abs(steps - near) < 0.01) & (near >= 1) & (near < 2**62), near, np.nan)


def read_times(table: Columns, name: str, time_format: str | None) -> tuple[Any, str, str | None]:
    """A column as numbers or as datetime64[us]; the zone, "Z" for UTC; and the time_format, if it has one. ValueError for a cell that is
    neither.
    """
    import pandas as pd  # noqa: PLC0415

    column, zone, given = table.column(name), "", time_format
    if pd.api.types.is_datetime64_any_dtype(column):
        values, zone = column, "Z" if column.dt.tz is not None else ""
    else:
        text = texts(column)
        number = text.str.fullmatch(NUMBER).to_numpy(bool)
        time_format = time_format or ("%Y%m%d" if are_dates(text) else None)
        if time_format is None and 2 * number.sum() > len(number):
            numbers = np.where(number, text.where(number, "nan"), "nan").astype(float)
            refuse(table, name, ~np.isfinite(numbers), "a number, as in most rows")
            return numbers, "", None
        zoned = text.str.fullmatch(rf".*:{OFFSET}").to_numpy(bool)
        if zoned.any() and time_format is None:
            refuse(table, name, ~zoned, "a time with its distance from UTC as in other rows")
            zone = "Z"
        text = text.where(text.str.contains("[0-9]"), "")  # pandas takes "now" for a time
        try:
            values = pd.to_datetime(text, format=time_format or "ISO8601", errors="coerce", utc=bool(zone))
        except ValueError as error:
            raise ValueError(f"time_format: expected one such as %Y-%m-%d %H:%M, got {time_format!r}: {error}") from error
        if values.dtype.kind != "M":  # times with several distances from UTC, by a time_format
            values = pd.to_datetime(values, utc=True)
        zone = "Z" if values.dt.tz is not None else ""
    expected = EXPECTED if given is None else f"a time as time_format {given!r} has it"
    refuse(table, name, values.isna().to_numpy(bool), expected)
    return (values.dt.tz_convert(None) if zone else values).to_numpy("M8[us]"), zone, time_format


def are_dates(text: Any) -> bool:
    """Whether all are days as ISO 8601 writes them without hyphens, 20240131, of the years 1000 to 2999; and more than one."""
    import pandas as pd  # noqa: PLC0415

    if not text.str.fullmatch("[12][0-9]{7}").all() or text.nunique() < 2:
        return False
    return bool(pd.to_datetime(text, format="%Y%m%d", errors="coerce").notna().all())


def find_clock(series: Sequence[Any], time_format: str | None, zone: str) -> Clock:
    """From the times of each series, sorted: the step that most rows are apart, on the calendar if that is more regular."""
    with np.errstate(over="ignore"):
        gaps = np.concatenate([np.diff(times) for times in series])
    times = np.concatenate(list(series))
    if times.dtype.kind == "f":
        return Clock("numbers", commonest(gaps) if len(gaps) else 1.0)
    form = form_of(times, time_format, zone)
    size = int(commonest(gaps.astype(np.int64))) if len(gaps) else int(DAY / np.timedelta64(1, "us"))
    plain = Clock("time", size, form=form, zone=zone)
    tried = []
    if len(gaps) and gaps.min() >= 28 * DAY:
        months = np.concatenate([np.diff(one.astype("M8[M]").astype(np.int64)) for one in series])
        date = times.astype("M8[D]")
        ends = bool(((date + DAY).astype("M8[M]") > date.astype("M8[M]")).all())
        tried.append(Clock("months", int(commonest(months)), ends, form, zone))
    if len(gaps) and size == DAY / np.timedelta64(1, "us") and gaps.max() > DAY and np.is_busday(times.astype("M8[D]")).all():
        tried.append(Clock("workdays", 1, form=form, zone=zone))
    regular = (clock for clock in tried if not any(np.isnan(clock.between(times)).any() for times in series))
    return next(regular, plain)


def form_of(times: Any, time_format: str | None, zone: str) -> str:
    """How they are written: as the user says, or as days if they all are."""
    days = times.dtype.kind == "M" and not zone and bool((times == times.astype("M8[D]")).all())
    return time_format or ("D" if days else "")


def commonest(gaps: Any) -> float:
    """The gap that is met most often, the smallest of equals; of numbers that differ in the last digits only their median."""
    with np.errstate(over="ignore", invalid="ignore"):
        unit = np.median(gaps)
        _, which, counts = np.unique(np.round(gaps / (unit or 1), 6), return_inverse=True, return_counts=True)
        return np.median(gaps[which == counts.argmax()]).item()
