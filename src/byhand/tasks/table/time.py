"""How time goes on from step to step in a table: how far apart steps are, and what comes after the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

DAY = np.timedelta64(1, "D")
WORKDAYS = "1111100"  # Monday to Friday
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEKS = 4  # in which a day of the week is missing, for it to be no day of the series
EXACT, ABOUT = 0.01, 0.1  # of a step, how far a time may be from a whole number of them
ROUND = tuple(np.timedelta64(1, unit) for unit in ("D", "h", "m", "s", "ms"))


class Clock(NamedTuple):
    """How time goes on from step to step.

    kind: "rows" (each row is the next step), "numbers", "time", "months" or "workdays" (the days of a week). size: of a step, in its
    kind; of "time" a timedelta64. ends: months are named by their last day. week: of workdays, which days, from Monday. off: how far a
    time may be from a whole number of steps. wall: whether it is the clock on the wall that goes on in equal steps, not the time in
    UTC; no matter where the distance between them is the same in all rows.
    """

    kind: Literal["rows", "numbers", "time", "months", "workdays"]
    size: Any = 1
    ends: bool = False
    week: str = WORKDAYS
    off: float = EXACT
    wall: bool = True

    def __str__(self) -> str:
        if self.off != EXACT:
            return f"about {self._replace(off=EXACT)}"
        if self.kind == "time":
            exact = self.size.astype("m8[us]")
            return str(exact.astype(object)).removesuffix(", 0:00:00") if exact == self.size else str(self.size)
        if self.kind == "workdays" and self.week != WORKDAYS:
            return f"1 day, of {', '.join(name for name, is_in in zip(NAMES, self.week, strict=True) if is_in == '1')}"
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
            return whole(np.where(same | np.full(len(steps), self.ends), steps, np.nan), self.off)
        if self.kind == "workdays":
            days = times.astype("M8[D]")
            same = np.diff(times - days) == np.timedelta64(0)
            same &= np.is_busday(days[:-1], self.week) & np.is_busday(days[1:], self.week)
            return np.where(same, np.busday_count(days[:-1], days[1:], self.week).astype(float), np.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # of absurd times; what comes of them is no whole number
            return whole(np.diff(times) / self.size, self.off)

    def after(self, time: Any, steps: int) -> Any:
        """The time `steps` steps later; None if rows are all that is known."""
        if self.kind == "rows":
            return None
        if self.kind in ("numbers", "time"):
            return time + steps * self.size
        if self.kind == "workdays":
            day = time.astype("M8[D]")
            return np.busday_offset(day, steps, weekmask=self.week) + (time - day)
        month = time.astype("M8[M]")
        then, day = month + steps * int(self.size), time.astype("M8[D]") - month.astype("M8[D]")
        last = (then + 1).astype("M8[D]") - then.astype("M8[D]") - DAY
        return then.astype("M8[D]") + (last if self.ends else min(day, last)) + (time - time.astype("M8[D]"))


def whole(steps: Float[np.ndarray, " gaps"], off: float = EXACT) -> Float[np.ndarray, " gaps"]:
    """Rounded where it is nearly a whole number, else NaN."""
    with np.errstate(invalid="ignore"):
        near = np.round(steps)
        return np.where((np.abs(steps - near) < off) & (near >= 1) & (near < 2**62), near, np.nan)


def find_clock(walls: Sequence[Any], instants: Sequence[Any]) -> Clock:
    """From the times of each series, sorted: the step that most rows are apart; on the calendar if that is more regular, or about that
    long if it is not exact. walls: of the clock on the wall. instants: in UTC.
    """
    kind = walls[0].dtype.kind
    if kind in "fi":
        with np.errstate(over="ignore"):
            gaps = np.concatenate([np.diff(times) for times in walls])
        size = commonest(gaps) if len(gaps) else 1.0
        near = float(f"{np.median(gaps):.2g}") if len(gaps) else 0.0
        about = Clock("numbers", near, off=ABOUT) if near > 0 and np.isfinite(near) else None
        return regular([Clock("numbers", int(size) if kind == "i" else size)], walls, instants, about)
    gaps = np.concatenate([np.diff(times) for times in instants])
    if not len(gaps):
        return Clock("time", DAY)
    size = in_unit_of(gaps, commonest(gaps.astype(np.int64)))
    steady = np.concatenate([np.diff(times) for times in walls])
    tried = calendars(walls, steady)
    if size >= np.timedelta64(12, "h"):  # days go on by the clock on the wall, even where one has 23 hours
        tried.append(Clock("time", in_unit_of(steady, commonest(steady.astype(np.int64)))))
    tried.append(Clock("time", size, wall=False))
    about = rounded(np.median(gaps.astype(np.int64)), gaps)
    return regular(tried, walls, instants, Clock("time", about, off=ABOUT, wall=False) if about < 28 * DAY else None)


def in_unit_of(gaps: Any, size: float) -> Any:
    return np.timedelta64(int(size), np.datetime_data(gaps.dtype)[0])


def calendars(walls: Sequence[Any], gaps: Any) -> list[Clock]:
    """Months, working days, or the days of a week of one's own, where the gaps may be such."""
    tried, times = [], np.concatenate(list(walls))
    if gaps.min() >= 28 * DAY:
        months = np.concatenate([np.diff(one.astype("M8[M]").astype(np.int64)) for one in walls])
        date = times.astype("M8[D]")
        ends = bool(((date + DAY).astype("M8[M]") > date.astype("M8[M]")).all())
        tried.append(Clock("months", int(commonest(months)), ends))
    if commonest(gaps.astype(np.int64)) == DAY / np.timedelta64(1, np.datetime_data(gaps.dtype)[0]) and gaps.max() > DAY:
        week = week_of(times)
        tried += [Clock("workdays", week=week)] if week else []
    return tried


def week_of(times: Any) -> str | None:
    """The days of the week that are there, if others never are: on Saturday and Sunday, or for weeks; None if any may be."""
    days = times.astype("M8[D]")
    if np.is_busday(days).all():
        return WORKDAYS
    there = np.bincount((days.astype(np.int64) + 3) % 7, minlength=7)  # 1970 began on a Thursday
    if there.all() or (days.max() - days.min()) < WEEKS * 7 * DAY or there[there > 0].min() < WEEKS / 2:
        return None
    return "".join("1" if count else "0" for count in there)


def regular(tried: Sequence[Clock], walls: Sequence[Any], instants: Sequence[Any], about: Clock | None = None) -> Clock:
    """The first by which all rows are whole steps apart; if there is none the last, which says of the others where they are not."""
    for clock in [*tried, *([about] if about else [])]:
        if not any(np.isnan(clock.between(times)).any() for times in (walls if clock.wall else instants)):
            return clock
    return tried[-1]


def rounded(gap: float, gaps: Any) -> Any:
    """A gap in whole days, hours, minutes or seconds, if it is nearly that."""
    size = in_unit_of(gaps, gap)
    for unit in ROUND:
        count = round(size / unit)
        if count and abs(size - count * unit) <= 0.02 * size:
            return count * unit
    return size


def commonest(gaps: Any) -> float:
    """The gap that is met most often, the smallest of equals; of numbers that differ in the last digits only their median."""
    with np.errstate(over="ignore", invalid="ignore"):
        unit = np.median(gaps)
        _, which, counts = np.unique(np.round(gaps / (unit or 1), 6), return_inverse=True, return_counts=True)
        return np.median(gaps[which == counts.argmax()]).item()
