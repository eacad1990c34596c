"""How the times of a table are written, so that others can be written in the same form: as precise as the most precise one there, with
or without zeros in front, their distance from UTC in the same way.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

OFFSET = "(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"  # how far from UTC, behind a time of day
CODES = {"d": "day", "m": "month", "H": "hour", "M": "minute", "S": "second"}
ISO = "%Y-%m-%dT%H:%M:%S"


class Form(NamedTuple):
    """How times are written.

    code: as of strftime, with %q for a quarter; "" for numbers. short: the codes that have no zero in front. digits: of a number, or of
    the fraction of a second. width: of a number with zeros in front. offset: a distance from UTC as the table has it. words: of each
    column.
    """

    code: str
    short: str = ""
    digits: int | None = None
    width: int = 0
    offset: str = "+00:00"
    words: tuple[int, ...] = (1,)

    def write(self, time: Any, shift: Any = None) -> tuple[str, ...]:
        """A number, or a time of the clock on the wall; shift: how far that is from UTC. A text for each column."""
        if not self.code:
            return (self.number(time),)
        import pandas as pd  # noqa: PLC0415 (see table_reading)

        stamp = pd.Timestamp(time)
        text = re.sub("%(.)", lambda match: self.piece(match[1], stamp, shift), self.code)
        if len(self.words) == 1:
            return (text,)
        whole, ends = text.split(" "), np.cumsum(self.words)
        return tuple(" ".join(whole[end - count : end]) for end, count in zip(ends, self.words, strict=True))

    def piece(self, code: str, stamp: Any, shift: Any) -> str:
        """What stands for one code of strftime."""
        if code in CODES:
            value = getattr(stamp, CODES[code])
            return str(value) if code in self.short else f"{value:02d}"
        if code == "f":
            return f"{stamp.microsecond:06d}{stamp.nanosecond:03d}"[: self.digits or 6]
        if code == "q":
            return str(stamp.quarter)
        if code == "z":
            return self.distance(0 if shift is None else round(shift / np.timedelta64(1, "m")))
        return f"{stamp.year:04d}" if code == "Y" else stamp.strftime(f"%{code}")

    def distance(self, minutes: int) -> str:
        """From UTC."""
        hours, rest = divmod(abs(minutes), 60)
        if self.offset == "Z" and not minutes:
            return "Z"
        sign = f"{'-' if minutes < 0 else '+'}{hours:02d}"
        return sign if len(self.offset) == 3 and not rest else f"{sign}{'' if len(self.offset) == 5 else ':'}{rest:02d}"

    def number(self, value: Any) -> str:
        if isinstance(value, int | np.integer):
            return f"{value:0{self.width}d}"
        if self.digits is not None:
            return f"{value:0{self.width}.{self.digits}f}"
        near = float(f"{value:.12g}")  # 10.2, not 10.200000000000001
        return str(int(near)) if near.is_integer() and abs(near) < 1e15 else repr(near)


def guessed(text: str, *, day_first: bool = False) -> str | None:
    """How pandas would read a time, as of strftime."""
    from pandas.tseries.api import guess_datetime_format  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the day does not come first
        return guess_datetime_format(text, dayfirst=day_first)


def pattern_of(code: str, only: str = "") -> str:
    """A pattern for what is written by a code of strftime, with a group for each piece, or for one kind of them."""
    kinds = {"Y": r"\d{4}", "f": r"\d+", "z": OFFSET} | dict.fromkeys(CODES, r"\d{1,2}")
    pieces = re.split("%(.)", code)
    groups = [f"({kinds.get(kind, '.+?')})" if only in ("", kind) else f"(?:{kinds.get(kind, '.+?')})" for kind in pieces[1::2]]
    return "".join(re.escape(text) + group for text, group in zip(pieces[::2], [*groups, ""], strict=True))


def form_of(written: Sequence[str], code: str | None, words: tuple[int, ...]) -> Form:
    """Of times as they stand in a table."""
    longest = max(written, key=len).strip()
    code = code or guessed(longest) or ISO
    pattern, kinds = pattern_of(code), re.findall("%(.)", code)
    short, digits, offset = "", None, "+00:00"
    for text in [*written[-1000:], longest]:
        match = re.fullmatch(pattern, text.strip())
        for kind, value in zip(kinds, match.groups(), strict=True) if match else ():
            short += kind if kind in CODES and len(value) == 1 else ""
            digits = max(digits or 0, len(value)) if kind == "f" else digits
            offset = value if kind == "z" else offset
    return Form(code, short, digits, 0, offset, words)
