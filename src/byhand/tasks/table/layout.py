"""How a text is laid out as a table: its comments, its separator, the rows that hold names.

What is found is what only one reading makes sense of. Where two do, the table is refused, and the option that decides is named.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from byhand.tasks.table.heads import SAMPLE, heads_of, is_head, is_value, names_of

if TYPE_CHECKING:
    from jaxtyping import Int

BLANKS = r"\s+"  # one or more of them between two columns
ROW_NAMES = "row"  # what the column of row names is called, which R's write.table writes without a name
SEPARATORS = (",", ";", "\t", "|", BLANKS)
CHARACTERS = 100_000  # in which lines are looked at
NEWLINE = re.compile("\r\n|\r|\n")


class Layout(NamedTuple):
    """cells: a data frame of text. rows: their numbers, as a spreadsheet counts. others: more names of columns -> their place.
    separator: between the columns. notes: what was found of all this, where it is not the usual.
    """

    cells: Any
    rows: Int[np.ndarray, " rows"]
    others: Mapping[str, int]
    separator: str
    notes: Sequence[str]


def lay_out_text(
    name: str, text: str, separator: str | None, header: int | None, wanted: Collection[str], usual: str = ","
) -> Layout:
    """The table in a text.

    Args:
        name: of the file.
        text: what it holds.
        separator: between the columns; None: found.
        header: how many rows hold names; None: found.
        wanted: the columns that will be asked for, which may decide whether there are names.
        usual: the separator, if none is found.

    Raises:
        ValueError: for a text that is no table, or one in two ways.
    """
    notes: list[str] = []
    excel = re.match("sep=(.)\r?\n", text)  # a line for Excel, which shows it to nobody
    if excel:
        text, separator = f"#{text}", separator or excel[1]
    found = {" ": BLANKS}.get(separator, separator) if separator is not None else separator_of(first_lines(text)) or usual
    if found != BLANKS and (len(found) != 1 or found in '"\r\n'):
        raise ValueError(f"separator: expected one character, such as ',' or ';', got {found!r}")
    if separator is None and found != usual:
        notes.append(f"the columns are parted by {'blanks' if found == BLANKS else repr(found)}")
    numbers = None
    if found != "#" and re.search("^#", text, re.MULTILINE):
        text, numbers = without_comments(NEWLINE.split(text), found, wanted, notes)
    if header is None and lacks_a_name(first_lines(text), found):
        text = f'"{ROW_NAMES}"{" " if found == BLANKS else found}{text.lstrip()}'
        notes.append(f"the first row has one name fewer than the others have cells: their first column is called {ROW_NAMES!r}")
    cells = parsed(name, text, found)
    rows = numbers[: len(cells)] if numbers is not None and len(cells) <= len(numbers) else np.arange(1, len(cells) + 1)
    count = heads_of(name, cells, wanted) if header is None else min(header, len(cells))
    if count != 1:
        what = f"rows {rows[0]} to {rows[count - 1]} hold names and units" if count else "no row holds names"
        notes.append(what if count else f"{what}: columns are called 1 to {cells.shape[1]}, by their place")
    columns, others = names_of([[str(one).strip() for one in cells.iloc[at]] for at in range(count)], cells.shape[1])
    body = cells.iloc[count:].reset_index(drop=True)
    body.columns = columns
    blank = (body == "").all(axis=1).to_numpy()
    last = len(blank) - int(np.argmin(blank[::-1])) if not blank.all() else 0
    return Layout(body.iloc[:last], rows[count:][:last], others, found, notes)


def first_lines(text: str) -> list[str]:
    """Some of its lines, without comments."""
    lines = NEWLINE.split(text[:CHARACTERS])
    lines = lines[:-1] if len(text) > CHARACTERS else lines
    return [line for line in lines if line.strip() and not line.startswith("#")][:SAMPLE]


def parsed(name: str, text: str, separator: str) -> Any:
    """All cells as text, those of the names among them."""
    import pandas as pd  # noqa: PLC0415 (it takes a second, which other tasks need not wait)

    try:
        return pd.read_csv(
            io.StringIO(text), sep=separator, header=None, dtype=str, na_filter=False, skip_blank_lines=False, engine="c"
        )
    except ValueError as error:
        lines, what = NEWLINE.split(text), str(error).strip().removeprefix("Error tokenizing data. ")
        hint = "" if separator in lines[0] else parted_by(lines[0])
        number = re.search(r"in line (\d+)", what)
        if not hint and number and re.fullmatch(r"\s*[+-]?\d+,\d+\s*", lines[int(number[1]) - 1]):
            hint = "; if the comma parts decimals: give another --data.separator, such as ';'"
        raise ValueError(f"{name}: expected a table of CSV, got: {what}{hint}") from error


def parted_by(line: str) -> str:
    """What to type if another character stands between the names of the columns; nothing if none is seen."""
    separator = next((mark for mark in ";\t|," if mark in line), None)
    if separator is None and re.search(r"\S\s+\S", line):
        return "; if its columns are parted by blanks: give --data.separator=' '"
    return f"; its columns seem to be parted by {separator!r}: give --data.separator={separator!r}" if separator else ""


def split(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The cells of each line, without blanks around them."""
    if separator == BLANKS:
        return [line.split() for line in lines]
    try:
        return [[cell.strip() for cell in row] for row in csv.reader((f"{line}\n" for line in lines), delimiter=separator)]
    except csv.Error:  # of a cell longer than any that it reads
        return [[cell.strip() for cell in line.split(separator)] for line in lines]


def lacks_a_name(lines: Sequence[str], separator: str) -> bool:
    """Whether the first row has one name fewer than all others have cells, for it leaves out that of the row names, as R's write.table
    does: names and row names stand in quotes, these count from 1, and no row ends with an empty cell. Where the name of another column
    may be missing, or rows end with a separator, nothing is certain.
    """
    rows = split(lines, separator)
    if len(rows) < 3 or {len(row) for row in rows[1:]} != {len(rows[0]) + 1} or any(not row[-1] for row in rows[1:]):
        return False
    return lines[0].startswith('"') and all(line.startswith(f'"{at}"') for at, line in enumerate(lines) if at)


def separator_of(lines: Sequence[str]) -> str | None:
    """The one that parts all lines into as many cells, at least two, and most of them numbers and times; None if there is none."""
    best: tuple[float, str | None] = (0.0, None)
    for separator in SEPARATORS:
        rows = split(lines, separator)
        rows = rows[:-1] if len(rows) == SAMPLE else rows  # the last may be cut in two
        widths = {len(row) for row in (rows[1:] if lacks_a_name(lines[: len(rows)], separator) else rows)}
        if len(widths) == 1 and min(widths) > 1:
            cells = [cell for row in rows for cell in row]
            if separator == BLANKS and any(re.search("[,;|\t]", cell) and not is_value(cell) for cell in cells):
                continue  # blanks within the cells of another separator
            score = (1 + sum(is_value(cell) for cell in cells)) / len(cells)
            best = (score, separator) if score > best[0] else best
    return best[1]


def without_comments(
    lines: Sequence[str], separator: str, wanted: Collection[str], notes: list[str]
) -> tuple[str, Int[np.ndarray, " lines"]]:
    """The text without lines that are comments, and the numbers of the lines that are left. A comment begins with #, above the names
    or, if one stands there, anywhere; elsewhere it is one if the line has one cell and the table more. The last line above the numbers
    is no comment if it has as many cells as they: it is the names.
    """
    marked = [at for at, line in enumerate(lines) if line.startswith("#")]
    plain = [line for line in lines if line.strip() and not line.startswith("#")][:2]
    rows = split(plain, separator)
    width = len(rows[0]) if rows else 0
    leading = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    above = [at for at in marked if at < leading]
    names = above[-1] if above and heads_numbers(lines[above[-1]], rows, separator, wanted) else None
    anywhere = len(above) > (names is not None)
    comments = {at for at in marked if at != names and (anywhere or len(split([lines[at]], separator)[0]) < min(2, width))}
    if comments:
        notes.append(f"comments, skipped: {len(comments)}, the first in row {min(comments) + 1}")
    kept = [at for at in range(len(lines)) if at not in comments]
    while kept and not lines[kept[0]].strip():
        kept.pop(0)
    texts = [lines[at] for at in kept]
    if names is not None and re.match(r"#\s", lines[names]) and split([lines[names]], separator)[0][0] not in wanted:
        texts[kept.index(names)] = lines[names][1:].strip()
    return "\n".join(texts), np.array(kept, int) + 1


def heads_numbers(line: str, rows: Sequence[Sequence[str]], separator: str, wanted: Collection[str]) -> bool:
    """Whether a line that begins with # is the names of the columns: what follows is numbers, and as many as it has cells."""
    names = split([line], separator)[0]
    bare = split([line.lstrip("# \t")], separator)[0]
    follows = rows[0] if rows else []
    return len(follows) in (len(names), len(bare)) and any(map(is_value, follows)) and not is_head(follows, range(len(follows)))
