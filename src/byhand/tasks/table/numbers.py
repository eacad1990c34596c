"""A table's cells as numbers, in the ways they are written: 1234.5, 1,234.50, 1.234,50, 1 234,5, 1.01M, $12, 0.35%.

A comma in 1,234 parts thousands or decimals; other cells of the columns that are read decide, else the option `decimal`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.tasks.table.heads import NUMBER_LIKE, SAMPLE
from byhand.tasks.table.reading import Columns, listed, refuse, texts

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MARKS = (",", ".", "'", "’", " ", "\u00a0", "\u202f")  # between groups of three digits
CURRENCIES = "[$€£¥]"
TIMES = {"K": 1e3, "k": 1e3, "M": 1e6, "B": 1e9}
# What tables write where a value is missing, if it lies far from all others: -99, -999.9, 9999, and what overflows leave behind.
ODD = re.compile(r"-99+(\.9+)?|9999+(\.9+)?|999\.9+|-32768|-2147483648|1e\+20|9\.96921e\+36")
Missing = str | float | Sequence[str | float] | None


class Bare(NamedTuple):
    """Cells of text without units around the digits. factors: what each is to be multiplied with. removed: what was taken away, in words.
    note: an example of what was multiplied.
    """

    text: Any
    factors: Float[np.ndarray, " rows"]
    removed: Sequence[str] = ()
    note: str = ""


def plain(decimal: str) -> str:
    """The pattern of a number without marks between thousands."""
    mark = re.escape(decimal)
    return rf"[+-]?(?:[0-9]+{mark}?[0-9]*|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?"


def grouped(decimal: str) -> str:
    """That of a number with them."""
    groups = "|".join(f"(?:{re.escape(mark)}[0-9]{{3}})+" for mark in MARKS if mark != decimal)
    return rf"[+-]?[1-9][0-9]{{0,2}}(?:{groups})(?:{re.escape(decimal)}[0-9]*)?"


NUMBER = plain(".")


def read_numbers(
    table: Columns, names: Sequence[str], decimal: str | None, missing: Missing, notes: list[str]
) -> tuple[Float[np.ndarray, "rows columns"], list[str]]:
    """Columns as numbers, NaN where a value is missing, and what was found about how they are written; what may surprise of it is among
    the notes. ValueError, which names row, column and the option that helps, for any other cell.
    """
    import pandas as pd  # noqa: PLC0415 (see table_reading)

    words = as_words(missing)
    found: dict[str, Any] = {}
    bare: dict[str, Bare] = {}
    for name in dict.fromkeys(names):
        column = table.column(name)
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            values = column.to_numpy(np.float64, na_value=np.nan)
            found[name] = np.where(
                np.isin(values, [number for one in words if (number := as_number(one)) is not None]), np.nan, values
            )
        else:
            text = texts(column).str.replace("−", "-", regex=False)
            bare[name] = without_units(text.mask(is_missing(text, words), ""))
    mark = decimal or decimal_of(table, {name: one.text for name, one in bare.items()})
    for name, one in bare.items():
        found[name] = in_numbers(table, name, one, mark)
    for name, values in found.items():
        refuse(table, name, np.isinf(values), "a number", missing_hint(table, name, np.isinf(values)))
        if missing is None:
            refuse_odd(table, name, values)
    notes += [f"column {name!r}: {one.note}" for name, one in bare.items() if one.note]
    written = [f"column {name!r}: {line}" for name, one in bare.items() for line in one.removed]
    if decimal is None and mark == ",":
        written.append("decimals are written with a comma")
    return np.stack([found[name] for name in names], 1), written


def as_words(missing: Missing) -> list[str]:
    """Each of them as a text. [?, -9999], which YAML takes for one word, is two."""
    if missing is None:
        return []
    if isinstance(missing, str) and re.fullmatch(r"\[.*\]", missing):
        missing = [one.strip(" '\"") for one in missing[1:-1].split(",") if one.strip()]
    return [str(one) for one in ([missing] if isinstance(missing, str | int | float) else missing)]


def as_number(word: str) -> float | None:
    return float(word) if re.fullmatch(NUMBER, word) else None


def is_missing(text: Any, words: Collection[str]) -> Any:
    """Which cells are one of these words, or the same number written in another way."""
    import pandas as pd  # noqa: PLC0415

    numbers = [number for one in words if (number := as_number(one)) is not None]
    same = text.isin([one.strip() for one in words])
    values: Any = pd.to_numeric(text, errors="coerce")
    return same | values.isin(numbers) if numbers else same


def without_units(text: Any) -> Bare:
    """A currency or % that all cells have is taken away. K, M and B are thousands, millions and billions."""
    ones, known, note = np.ones(len(text)), text != "", ""
    if text[known].str.fullmatch(NUMBER).all():
        return Bare(text, ones)
    removed = []
    for where, pattern, rest in (
        ("before", rf"^([+-]?){CURRENCIES} ?", r"\1"),
        ("behind", rf"^()(.*[0-9.,]) ?{CURRENCIES}$", r"\2"),
        ("behind", r"^()(.*[0-9.,]) ?%$", r"\2"),
    ):
        if text[known].str.match(pattern).all():
            unit = "%" if "%" in pattern else re.findall(CURRENCIES, text[known].iloc[0])[0]
            removed.append(f"{unit!r} {where} each number, left out")
            text = text.str.replace(pattern, rest, regex=True)
    letter = text.str.extract(r"[0-9.,] ?([KkMB])$", expand=False).fillna("")
    factors = letter.map(TIMES).fillna(1.0).to_numpy(np.float64)
    if (factors != 1).any():
        first = text[(letter != "").to_numpy(bool)].iloc[0]
        note = f"{first} is read as {TIMES[first[-1]]:,.0f} times {first[:-1].strip()}"
        text = text.where(letter == "", text.str.slice(stop=-1).str.strip())
    return Bare(text, factors, removed, note)


def decimal_of(table: Columns, columns: Mapping[str, Any]) -> str:
    """What parts decimals in all these columns, a point or a comma. ValueError if it may be either."""
    known = {name: text[text != ""] for name, text in columns.items()}
    if not any(text.str.contains("[.,]").any() for text in known.values()):
        return "."
    bad = misfits(known.values())
    if bad["."] or bad[","]:
        return "." if bad["."] <= bad[","] else ","
    commas = any(text.str.contains(",", regex=False).any() for text in known.values())
    if not commas and table.separator != ";":
        return "."
    mark = "," if commas else "."
    marked = {name: text.str.contains(mark, regex=False) for name, text in known.items()}
    for name, text in known.items():  # thousands: decimals are not written out (one cell has none), and yet one ends in 0
        if (~marked[name]).any() and text[marked[name]].str.endswith("0").any():
            return "." if commas else ","
    top = table.cells.head(SAMPLE)
    rest = [texts(top.iloc[:, at]) for at, name in enumerate(top.columns) if name not in columns]
    for text in rest:  # as other columns have it
        bad = misfits([text[text != ""]])
        if min(bad.values()) == 0 < max(bad.values()):
            return "." if bad["."] == 0 else ","
    name = next(name for name in known if marked[name].any())
    row = int(np.flatnonzero(columns[name].str.contains(mark, regex=False))[0])
    cell = columns[name].iloc[row]
    large, small = cell.replace(mark, ""), cell.replace(mark, ".")
    raise ValueError(
        f"{table.name}: column {name!r}, row {table.rows[row]}: expected a number, got {cell!r}, which may be {large} or {small}:"
        f" give --data.decimal={'.' if commas else ','!r} if it is {large}, --data.decimal={mark!r} if it is {small}"
    )


def misfits(columns: Iterable[Any]) -> dict[str, int]:
    """How many cells are no numbers if this is what parts decimals."""
    found = {mark: f"{plain(mark)}|{grouped(mark)}" for mark in ".,"}
    cells = list(columns)
    return {mark: sum(int((~text.str.fullmatch(pattern)).sum()) for text in cells) for mark, pattern in found.items()}


def in_numbers(table: Columns, name: str, bare: Bare, decimal: str) -> Float[np.ndarray, " rows"]:
    """ValueError for a cell that is none."""
    text = bare.text
    is_grouped = text.str.fullmatch(grouped(decimal))
    thousands = "".join(mark for mark in MARKS if mark != decimal)
    if is_grouped.any():
        text = text.mask(is_grouped, text.str.replace(f"[{re.escape(thousands)}]", "", regex=True))
    good = text.str.fullmatch(plain(decimal)).to_numpy(bool)
    if decimal != ".":
        text = text.str.replace(decimal, ".", regex=False)
    values = np.full(len(text), np.nan)
    values[good] = text.to_numpy(object)[good].astype(np.float64) * bare.factors[good]
    bad = ~good & (text != "").to_numpy(bool)
    if bad.any():
        cells = texts(table.column(name))
        words = cells[(cells != "").to_numpy(bool)]
        if 2 * words.str.contains("[0-9]").sum() < len(words):
            refuse(table, name, bad, "a number", labels_hint(table))
        refuse(table, name, bad, "a number", missing_hint(table, name, bad))
    return values


def labels_hint(table: Columns) -> str:
    """For a column of words: those of numbers."""
    top = table.cells.head(SAMPLE)
    others = [name for at, name in enumerate(top.columns) if texts(top.iloc[:, at]).str.fullmatch(NUMBER_LIKE).mean() > 0.5]
    return (
        "; this column has labels, and numbers are predicted out of numbers: choose others with --data.target and --data.features, of"
        f" {listed(others)}"
    )


def missing_hint(table: Columns, name: str, bad: np.ndarray) -> str:
    """What helps with the first of these cells: an option, if it may be a missing value or a decimal comma."""
    if not bad.any():
        return ""
    cell = str(table.column(name)[bad].iloc[0]).strip()
    if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", cell):
        return "; if decimals are written with a comma: --data.decimal=','"
    if re.search(r"\d", cell):
        return "; numbers are written as 1234.5, 1.2e3, 1,234.5 or 1.2M, with a currency or % in all rows or in none"
    return f"; if that is how a missing value is written: --data.missing={cell[:40]!r}"


def refuse_odd(table: Columns, name: str, values: Float[np.ndarray, " rows"]) -> None:
    """ValueError for numbers such as -9999 far from all others: it would be learnt as a value, and spoil the scale."""
    known = values[np.isfinite(values)]
    for odd in {known.min(), known.max()} if len(known) else ():
        rest = known[known != odd]
        if not ODD.fullmatch(f"{odd:.15g}") or not len(rest):
            continue
        low, high = rest.min(), rest.max()
        if max(low - odd, odd - high) > 3 * max(high - low, 1.0):
            at: Bool[np.ndarray, " rows"] = values == odd
            more = f", so in {at.sum()} rows: {listed(table.rows[at])}" if at.sum() > 1 else ""
            raise ValueError(
                f"{table.name}: column {name!r}, row {table.rows[at][0]}: got {odd:.15g} where all others are {low:g} to {high:g}{more}:"
                f" give --data.missing={odd:.15g} if that is how a missing value is written, --data.missing=[] if it is a value"
            )
