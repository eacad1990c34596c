"""Tables of the user's: CSV or Parquet, read by pandas; every cell that makes no sense is named by row and column.

A row's number is that of its line as a spreadsheet shows it: the names of the columns stand in row 1 of a CSV file. Parquet files
have no such row; their first is row 1.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int

MISSING = ("", "na", "n/a", "nan", "null", "none")  # in any case
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"


class Columns(NamedTuple):
    """A table as it was read. name: of the file. cells: a data frame of pandas. rows: their numbers."""

    name: str
    cells: Any
    rows: Int[np.ndarray, " rows"]

    def column(self, column: str) -> Any:
        """One column, a series of pandas. ValueError, with what may have been meant, if there is none or there are two of that name."""
        names = list(self.cells.columns)
        if names.count(column) == 1:
            return self.cells[column]
        if column in names:
            raise ValueError(f"{self.name}: expected one column {column!r}, got {names.count(column)}; rename the others")
        hint = parted_by(names[0]) if len(names) == 1 else ""
        near = get_close_matches(column, names, 1, 0.5) or [one for one in names if one.lower() == column.lower()]
        meant = f"did you mean {near[0]!r}? " if near and not hint else ""
        raise ValueError(f"{self.name}: expected a column {column!r}, got none; {meant}its columns are {listed(names)}{hint}")


def parted_by(line: str) -> str:
    """What to type if another character stands between the names of the columns; nothing if none is seen."""
    separator = next((mark for mark in ";\t|" if mark in line), None)
    return f"; its columns seem to be parted by {separator!r}: give separator={separator!r}" if separator else ""


def read_table(path: str | os.PathLike[str], separator: str | None = None) -> Columns:
    """What a *.csv, *.tsv, *.txt (UTF-8) or *.parquet, *.pq holds. ValueError or OSError for what is no table."""
    place = Path(path)
    if not place.is_file():
        what = "is a folder" if place.is_dir() else "does not exist"
        raise FileNotFoundError(f"table: expected a CSV or Parquet file, got {str(place)!r}, which {what}")
    ending = place.suffix.lower()
    if ending not in (".csv", ".tsv", ".txt", ".parquet", ".pq"):
        raise ValueError(f"{place.name}: expected a name that ends in .csv or .parquet; save the table as CSV, in UTF-8")
    try:
        data = place.read_bytes()
    except OSError as error:
        raise type(error)(f"{place.name}: cannot be read: {error.strerror or error}") from error
    separator = {None: "\t" if ending == ".tsv" else ",", "\\t": "\t"}.get(separator, separator)  # as one can type it
    cells = parquet(place.name, data) if ending in (".parquet", ".pq") else csv(place.name, data, str(separator))
    if not len(cells):
        raise ValueError(f"{place.name}: expected rows, got a table without any")
    first = 1 if ending in (".parquet", ".pq") else 2
    return Columns(place.name, cells, np.arange(first, first + len(cells)))


def csv(name: str, data: bytes, separator: str) -> Any:
    """All cells as text."""
    import pandas as pd  # noqa: PLC0415 (as below: it takes a second, which other tasks need not wait)

    if len(separator) != 1 or separator in '"\r\n':
        raise ValueError(f"separator: expected one character, such as ',' or ';', got {separator!r}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{name}: expected UTF-8, got byte 0x{data[error.start]:02x} in row {row}; save the table as CSV in UTF-8"
        ) from error
    if "\0" in text:
        raise ValueError(f"{name}: expected a table as text, got zero bytes, as other kinds of file have them")
    if not text.strip():
        raise ValueError(f"{name}: expected a table, got an empty file")
    try:
        cells = pd.read_csv(
            io.StringIO(text), sep=separator, header=None, dtype=str, na_filter=False, skip_blank_lines=False, engine="c"
        )
    except ValueError as error:
        line = text.split("\n", 1)[0]
        what = str(error).strip().removeprefix("Error tokenizing data. ")
        hint = "" if separator in line else parted_by(line)
        raise ValueError(f"{name}: expected a table of CSV, got: {what}{hint}") from error
    cells.columns = pd.Index([str(one).strip() for one in cells.iloc[0]])
    cells = cells.iloc[1:].reset_index(drop=True)
    blank = (cells == "").all(axis=1).to_numpy()
    last = len(blank) - int(np.argmin(blank[::-1])) if not blank.all() else 0
    return cells.iloc[:last]


def parquet(name: str, data: bytes) -> Any:
    import pandas as pd  # noqa: PLC0415

    try:
        cells = pd.read_parquet(io.BytesIO(data), engine="pyarrow")
    except (ValueError, OSError, TypeError, NotImplementedError) as error:
        raise ValueError(f"{name}: expected a table of Parquet, got: {str(error).splitlines()[0]}") from error
    if cells.index.nlevels > 1 or cells.index.name is not None:
        cells = cells.reset_index()
    cells.columns = pd.Index([str(one).strip() for one in cells.columns])
    return cells


def sunspots() -> Columns:
    """Sunspots a year, 1700 to 2008, as statsmodels ships them."""
    from statsmodels.datasets import sunspots as data  # noqa: PLC0415

    cells: Any = data.load_pandas().data
    return Columns("sunspots", cells, np.arange(2, 2 + len(cells)))


def texts(column: Any) -> Any:
    """Cells as text without blanks around; what is missing as ""."""
    text = column.astype("object").where(column.notna(), "").astype(str).str.strip()
    return text.mask(text.str.lower().isin(MISSING), "")


def numbers(table: Columns, name: str, decimal: str = ".") -> Float[np.ndarray, " rows"]:
    """A column as numbers, NaN where a cell is empty or says NA, N/A, NaN, null or None. ValueError for any other cell."""
    import pandas as pd  # noqa: PLC0415

    column: Any = table.column(name)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
        bad = np.isinf(values)
    else:
        text = texts(column)
        if decimal != ".":
            text = text.str.replace(decimal, ".", regex=False).mask(text.str.contains(".", regex=False), "?")
        good = text.str.fullmatch(NUMBER).to_numpy(bool)
        values = np.full(len(text), np.nan)
        values[good] = text.to_numpy(object)[good].astype(np.float64)
        bad = ~good & (text != "").to_numpy(bool) | np.isinf(values)
    refuse(table, name, bad, "a number", ", or leave it empty if the value is not known")
    return values


def refuse(table: Columns, name: str, bad: np.ndarray, expected: str, else_: str = "") -> None:
    """ValueError that names the first bad cell, says where more are, and what to do besides to correct it."""
    if not bad.any():
        return
    rows, cell = table.rows[bad], str(table.column(name)[bad].iloc[0])
    more = f"; so in {len(rows)} rows: {listed(rows)}" if len(rows) > 1 else ""
    hint = ", or give decimal=',' if that is how decimals are written" if re.fullmatch("[0-9]+,[0-9]+", cell.strip()) else else_
    raise ValueError(
        f"{table.name}: column {name!r}, row {rows[0]}: expected {expected}, got {cell[:40]!r}{more}. Correct the cell{hint}"
    )


def listed(things: Sequence[object] | np.ndarray, most: int = 8) -> str:
    """The first of them."""
    return ", ".join(str(one) for one in things[:most]) + (", …" if len(things) > most else "")
