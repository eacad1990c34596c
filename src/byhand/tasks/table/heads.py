"""The rows at the top of a table that hold names and units: how many they are, and what the columns are called by them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

SAMPLE = 60  # lines that are looked at
MISSING = ("", "?", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "null", "none")  # in any case
HEADS = 4  # rows of names, at most
# What a number or a time may look like, in whatever way it is written.
NUMBER_LIKE = r"[-+−]?[$€£¥]? ?(?:\d[\d.,'’ \u00a0\u202f]*|\.\d+)(?:[eE][-+]?\d+)? ?[%KkMB$€£¥]?"
TIME_LIKE = r"\d{1,4}[-/.]\d{1,2}(?:[-/.]\d{1,4})?(?:[T ].*)?|\d{1,2}:\d\d.*"
VALUE = re.compile(f"{NUMBER_LIKE}|{TIME_LIKE}")
RDB = re.compile(r"\d+[sdnSDN]")  # the width and kind of a column, which tables of the USGS have under its name


def is_value(cell: str) -> bool:
    """Whether it looks like a number or a time."""
    return VALUE.fullmatch(cell) is not None


def heads_of(name: str, cells: Any, wanted: Collection[str]) -> int:
    """How many rows hold names: none if the first looks like those below it, more than one if none of its numbers is below the names.
    ValueError if the first row may be names, or numbers.
    """
    top = [[str(one).strip() for one in row] for row in islice(cells.itertuples(index=False), SAMPLE)]
    body = top[min(HEADS, len(top) - 1) :] if len(top) > 1 else []
    typed = [at for at in range(cells.shape[1]) if mostly_values([row[at] for row in body])]
    if not typed:
        return 1
    first = [top[0][at] for at in typed]
    if any(map(is_value, first)) and all(is_value(one) or (one and one.lower() in MISSING) for one in first):
        return settled(name, top[0], wanted)
    count = 1
    while count < min(HEADS, len(top) - 1) and is_head(top[count], typed):
        count += 1
    return count


def mostly_values(cells: Sequence[str]) -> bool:
    known = [cell for cell in cells if cell.lower() not in MISSING]
    return bool(known) and sum(map(is_value, known)) >= 0.8 * len(known)


def is_head(row: Sequence[str], typed: Collection[int]) -> bool:
    """Whether a row below the first is more of names and units: where numbers and times stand below, it has words. One word alone may
    be a number gone wrong if there is a digit in it.
    """
    words = [row[at] for at in typed if row[at].lower() not in MISSING]
    if any(map(is_value, words)) or any(row[at] and row[at].lower() in MISSING for at in typed):
        return False
    return len(words) > 1 or any(RDB.fullmatch(one) or not re.search(r"\d", one) for one in words)


def settled(name: str, first: Sequence[str], wanted: Collection[str]) -> int:
    """1 if the first row, which looks like numbers, is names all the same, since the wanted ones are among them; else 0."""
    places = {str(at + 1) for at in range(len(first))}
    if not wanted or not set(wanted) <= set(first):
        return 0
    if set(wanted) <= places:
        raise ValueError(
            f"{name}: row 1 ({', '.join(first[:4])}{', …' if len(first) > 4 else ''}) may be names or numbers, got the column"
            f" {next(iter(wanted))!r}, which may be a name or a place: give --data.header=1 if it is names, --data.header=0 if not"
        )
    return 1


def names_of(heads: Sequence[Sequence[str]], width: int) -> tuple[list[str], dict[str, int]]:
    """The columns' names, out of the rows that hold them, and what else each may be called by: another of its words, or all of them."""
    if not heads:
        return [str(at + 1) for at in range(width)], {}
    words = [list(dict.fromkeys(row[at] for row in heads if row[at])) for at in range(width)]
    first = list(heads[0])
    names = [one if first.count(one) == 1 else " ".join(words[at]) for at, one in enumerate(first)]
    called = [(word, at) for at in range(width) for word in {*words[at], " ".join(words[at])}]
    count = [word for word, _ in called]
    return names, {word: at for word, at in called if count.count(word) == 1 and word not in names}
