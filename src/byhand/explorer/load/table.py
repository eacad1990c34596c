"""A table of numbers out of the user's file, a step in each row, as the input of a model."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from byhand.explorer.load.model import STEPS, Trained, cut, uneven

MISSING = ("", "na", "n/a", "nan", "null", "none")  # what stands where a number is not known, in any case
LARGEST = torch.finfo(torch.float32).max
Row = tuple[int, list[str]]  # its number as a spreadsheet shows it, from 1; its cells


def from_table(path: Path, text: str, trained: Trained, sequence: str | None) -> tuple[dict[str, Any], list[str]]:
    """The model's x and the words to it, as explore takes them, and what a reader should know. ValueError."""
    header, rows = table(path, text, trained.columns or ())
    names = header or [f"column {number + 1}" for number in range(len(rows[0][1]))]
    split = column_of(path, header, names, sequence)
    columns = chosen_columns(path, header, names, trained, split)
    values = numbers(path, rows, {at: names[at] for at in columns})
    raw = values
    groups: dict[str, list[int]] = {}
    for number, (_, cells) in enumerate(rows):
        groups.setdefault((cells[split] or f"without {sequence}") if split is not None else path.name, []).append(number)
    if any(trained.changes):
        values, groups = changed(path, values, groups, torch.tensor(trained.changes))
    if trained.scale is not None:
        values = (values - trained.scale[:, 0]) / trained.scale[:, 1]
    lengths = [min(len(group), STEPS) for group in groups.values()]
    x = torch.zeros(max(lengths), len(groups), len(columns), dtype=torch.float64)
    for place, (group, steps) in enumerate(zip(groups.values(), lengths, strict=True)):
        x[:steps, place] = values[group[:steps]]
    found = trained.shown_on(x, uneven(lengths)) | {"items": list(groups)}
    if trained.task is not None:
        from byhand.explorer.load.task_targets import of_input  # noqa: PLC0415 (tasks are loaded with a model of theirs)

        read = [trained.columns[at] for at in range(len(columns))] if trained.columns is not None else []
        ends = [group[steps - 1] for group, steps in zip(groups.values(), lengths, strict=True)]
        found["targets"] = of_input(trained.task, {name: raw[ends, at] for at, name in enumerate(read)}, len(groups))
    notices = cut(list(groups), [len(group) for group in groups.values()])
    if header is not None:
        found["features"] = [names[at] for at in columns]
        if any(trained.changes):
            pairs = zip(found["features"], trained.changes, strict=True)
            found["features"] = [f"change of {name}" if is_change else name for name, is_change in pairs]
        if any(number_of(cell) is not None for cell in header):
            notices.insert(0, f"row 1 of {path.name} is taken for the names of the columns: {', '.join(header)}")
    return found, notices


def changed(
    path: Path, values: torch.Tensor, groups: dict[str, list[int]], which: torch.Tensor
) -> tuple[torch.Tensor, dict[str, list[int]]]:
    """With changes from the row before in the place of these columns; the first row of each sequence has none and is left out. ValueError
    for a sequence of one row.
    """
    single = next((name for name, rows in groups.items() if len(rows) < 2), None)
    if single is not None:
        raise ValueError(f"{path}: {single}: expected two rows or more, for this model reads changes from row to row; got one")
    found = values.clone()
    for rows in groups.values():
        found[rows[1:]] = values[rows[1:]] - values[rows[:-1]] * which
    return found, {name: rows[1:] for name, rows in groups.items()}


def table(path: Path, text: str, known: Sequence[str] = ()) -> tuple[list[str] | None, list[Row]]:
    """The names of the columns, if a word stands in row 1, or all names that the model knows, and the other rows. Empty lines do not
    count, but as the empty cells that they are in a table of one column. ValueError.
    """
    separator = max(",;\t", key=text.lstrip().split("\n", 1)[0].count)
    try:
        found = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=separator)]
    except csv.Error as problem:
        raise ValueError(f"{path}: expected a table, numbers parted by commas; got: {problem}") from problem
    while found and not any(found[-1]):
        found.pop()
    width = next((len(row) for row in found if any(row)), 0)
    first = next((at for at, row in enumerate(found) if row), 0)
    rows = [(at + 1, row or [""]) for at, row in enumerate(found) if row or (width == 1 and at > first)]
    header = rows.pop(0)[1] if rows and is_header(rows[0][1], known) else None
    if not rows:
        raise ValueError(f"{path}: expected a table with a step in each row, got one without rows of numbers")
    width = len(header if header is not None else rows[0][1])
    for number, row in rows:
        if len(row) != width:
            raise ValueError(f"{path}: row {number}: expected {width} columns, as in row {first + 1}, got {len(row)}")
    return header, rows


def is_header(cells: Sequence[str], known: Sequence[str]) -> bool:
    """known: what the model calls its columns, which may look like numbers."""
    return any(map(is_word, cells)) or (bool(known) and set(known) <= set(cells))


def column_of(path: Path, header: list[str] | None, names: list[str], sequence: str | None) -> int | None:
    """Where it says to which sequence a row belongs. ValueError."""
    if sequence is None:
        return None
    if header is None or sequence not in header:
        raise ValueError(f"{path}: expected a column {sequence!r} in row 1, got {', '.join(names)}")
    return header.index(sequence)


def chosen_columns(path: Path, header: list[str] | None, names: list[str], trained: Trained, split: int | None) -> list[int]:
    """Those that the model reads: by name where it knows names and they are there, else in order. ValueError."""
    if trained.columns is not None and header is not None and set(trained.columns) <= set(header):
        return [header.index(name) for name in trained.columns]
    left = [at for at in range(len(names)) if at != split]
    if len(left) != trained.inputs:
        wanted = f": {', '.join(trained.columns)}" if trained.columns is not None else ""
        raise ValueError(
            f"{path}: expected {trained.inputs} column{'s' * (trained.inputs != 1)}, an input of the model each{wanted}; got {len(left)}:"
            f" {', '.join(names[at] for at in left)}"
        )
    return left


def numbers(path: Path, rows: list[Row], columns: dict[int, str]) -> torch.Tensor:
    """Of these columns, (rows, columns) in float64. ValueError, which names the first cell that holds none and says what to do."""
    found = [[number_of(cells[at]) for at in columns] for _, cells in rows]
    wrong = [
        (number, name, cells[at])
        for (number, cells), values in zip(rows, found, strict=True)
        for (at, name), value in zip(columns.items(), values, strict=True)
        if value is None or not abs(value) <= LARGEST
    ]
    if wrong:
        number, name, cell = wrong[0]
        more = f" (and {len(wrong) - 1} more such)" if len(wrong) > 1 else ""
        got = repr(cell[:40]) if cell else "an empty cell"
        raise ValueError(f"{path}: row {number}, column {name!r}: expected a number, got {got}{more}. {remedy(cell)}")
    return torch.tensor(found, dtype=torch.float64)


def remedy(cell: str) -> str:
    if re.fullmatch(r"[+-]?\d+,\d+", cell):
        return f"Write {cell.replace(',', '.')}: decimals come after a point"
    if cell.lower() in MISSING:
        return "A step has to have all its inputs: fill the cell in, or leave the row out"
    return "Correct the cell, or leave the row out"


def number_of(cell: str) -> float | None:
    """None if it is none; NaN and infinities are."""
    try:
        return None if "_" in cell else float(cell)  # Python reads 1_000, which tables do not mean
    except ValueError:
        return None


def is_word(cell: str) -> bool:
    value = number_of(cell)
    return cell.lower() not in MISSING and (value is None or math.isnan(value))
