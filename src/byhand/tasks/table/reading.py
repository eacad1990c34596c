"""Tables of the user's: CSV or Parquet, read by pandas; every cell that makes no sense is named by row and column.

A row's number is that of its line as a spreadsheet shows it: of a CSV file that begins with the names of its columns, the row under
them is row 2. Parquet files have no such row; their first is row 1.
"""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.tasks.table.heads import MISSING
from byhand.tasks.table.layout import lay_out_text, parted_by

if TYPE_CHECKING:
    from jaxtyping import Int

TEXTS, PARQUET = (".csv", ".tsv", ".txt", ".dat", ".data", ".rdb"), (".parquet", ".pq")


class Columns(NamedTuple):
    """A table as it was read.

    name: of the file. cells: a data frame of pandas. rows: their numbers. others: more names of columns -> their place. separator:
    between the columns, of a text. notes: how it is laid out, if not as usual.
    """

    name: str
    cells: Any
    rows: Int[np.ndarray, " rows"]
    others: Mapping[str, int] = {}
    separator: str | None = None
    notes: Sequence[str] = ()

    def column(self, column: str) -> Any:
        """One column, a series of pandas. ValueError, with what may have been meant, if there is none or there are two of that name."""
        names = list(self.cells.columns)
        if names.count(column) == 1:
            return self.cells[column]
        if column in names:
            raise ValueError(f"{self.name}: expected one column {column!r}, got {names.count(column)}; rename the others")
        if column in self.others:
            return self.cells.iloc[:, self.others[column]]
        hint = parted_by(names[0]) if len(names) == 1 else ""
        near = get_close_matches(column, names, 1, 0.5) or [one for one in names if one.lower() == column.lower()]
        meant = f"did you mean {near[0]!r}? " if near and not hint else ""
        if any(note.startswith("no row holds names") for note in self.notes):
            hint = "; its first row looks like numbers: give --data.header=1 if it is names"
        elif self.separator and column.isdecimal() and 0 < int(column) <= len(names) and not hint:
            hint = "; if none of its rows holds names: --data.header=0"
        raise ValueError(f"{self.name}: expected a column {column!r}, got none; {meant}its columns are {listed(names)}{hint}")


def read_table(
    path: str | os.PathLike[str], separator: str | None = None, header: int | None = None, wanted: Collection[str] = ()
) -> Columns:
    """What a text (*.csv, *.tsv, *.txt, *.dat, in UTF-8) or *.parquet, *.pq holds. ValueError or OSError for what is no table."""
    place = Path(path)
    if not place.is_file():
        what = "is a folder" if place.is_dir() else "does not exist"
        raise FileNotFoundError(f"table: expected a CSV or Parquet file, got {str(place)!r}, which {what}")
    ending = place.suffix.lower()
    if ending not in TEXTS + PARQUET:
        raise ValueError(f"{place.name}: expected a name that ends in .csv or .parquet; save the table as CSV, in UTF-8")
    try:
        data = place.read_bytes()
    except OSError as error:
        raise type(error)(f"{place.name}: cannot be read: {error.strerror or error}") from error
    if ending in PARQUET:
        cells = parquet(place.name, data)
        table = Columns(place.name, cells, np.arange(1, 1 + len(cells)))
    else:
        usual = "\t" if ending == ".tsv" else ","
        separator = "\t" if separator == "\\t" else separator  # as one can type it
        laid = lay_out_text(place.name, decoded(place.name, data), separator, header, wanted, usual)
        table = Columns(place.name, *laid)
    if not len(table.cells):
        raise ValueError(f"{place.name}: expected rows, got a table without any")
    return table


def decoded(name: str, data: bytes) -> str:
    """ValueError for what is no text in UTF-8."""
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
    return text


def parquet(name: str, data: bytes) -> Any:
    import pandas as pd  # noqa: PLC0415 (it takes a second, which other tasks need not wait)

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


def refuse(table: Columns, name: str, bad: np.ndarray, expected: str, hint: str = "", cells: Any = None) -> None:
    """ValueError that names the first bad cell, says where more are, and what helps. cells: of the column, or of several joined."""
    if not bad.any():
        return
    rows, cell = table.rows[bad], str((table.column(name) if cells is None else cells)[bad].iloc[0])
    more = f"; so in {len(rows)} rows: {listed(rows)}" if len(rows) > 1 else ""
    raise ValueError(f"{table.name}: column {name!r}, row {rows[0]}: expected {expected}, got {cell[:40]!r}{more}{hint}")


def listed(things: Sequence[object] | np.ndarray, most: int = 8) -> str:
    """The first of them."""
    return ", ".join(str(one) for one in things[:most]) + (", …" if len(things) > most else "")
