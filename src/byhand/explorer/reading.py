"""What a model is to be shown on, out of the user's file: a table of numbers (CSV), or a text for models that read symbols."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from byhand.explorer.trained import Alphabet, Trained

STEPS = 2000  # of a longer sequence the first ones are shown
TABLES = (".csv", ".tsv")
Read = tuple[dict[str, Any], list[str]]


def read_input(path: Path, trained: Trained, sequence: str | None) -> Read:
    """The model's x and the words to it, as explore takes them, and what a reader should know. sequence: the column that says to
    which sequence a row belongs.

    ValueError or OSError; of a table the message names row and column, counted as a spreadsheet does, from 1.
    """
    text = read_text(path)
    if trained.alphabet is not None:
        if path.suffix.lower() in TABLES:
            raise ValueError(f"{path}: this model reads symbols, so a text is expected, not a table; {known(trained.alphabet)}")
        return from_text(path, text, trained, trained.alphabet)
    return from_table(path, text, trained, sequence)


def read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise type(problem)(problem.errno, f"{path}: expected an input file, got: {problem.strerror or problem}") from problem
    except UnicodeDecodeError as problem:
        raise ValueError(
            f"{path}: expected a file in UTF-8, got byte 0x{problem.object[problem.start]:02x} at {problem.start}"
        ) from problem


def known(alphabet: Alphabet) -> str:
    return f"it knows {' '.join(alphabet.symbols[:20])}{' …' if len(alphabet.symbols) > 20 else ''}"


def from_text(path: Path, text: str, trained: Trained, alphabet: Alphabet) -> Read:
    """One sequence, if the model knows a symbol for all others, as models of texts do; else one in each line."""
    numbers = {symbol: number for number, symbol in enumerate(alphabet.symbols) if number != alphabet.other}
    whole = alphabet.other is not None
    lines = (
        {"": text.replace("\r\n", "\n")}
        if whole
        else {f"line {row + 1}": line.strip() for row, line in enumerate(text.splitlines())}
    )
    lines = {name: line for name, line in lines.items() if line}
    if not lines:
        raise ValueError(f"{path}: expected a text, got an empty one")
    for name, line in lines.items():
        for column, symbol in enumerate(line):
            if symbol not in numbers and not whole:
                raise ValueError(
                    f"{path}: {name}, column {column + 1}: {symbol!r} is no symbol of this model; {known(alphabet)}"
                )
    items = [path.name] if len(lines) == 1 else list(lines)
    lengths = [min(len(line), STEPS) for line in lines.values()]
    x = torch.zeros(max(lengths), len(lines), dtype=torch.long)
    for row, line in enumerate(lines.values()):
        x[: lengths[row], row] = torch.tensor([numbers.get(symbol, alphabet.other) for symbol in line[:STEPS]])
    words = [[{"\n": "↵", "\t": "⇥"}.get(symbol, symbol) for symbol in line[:STEPS]] for line in lines.values()]
    given = trained.shown_on(x, uneven(lengths)) | {"characters": words, "items": items}
    return given, cut(items, [len(line) for line in lines.values()])


def cut(names: list[str], lengths: list[int]) -> list[str]:
    """What there is to say of sequences that are too long."""
    long = [(name, length) for name, length in zip(names, lengths, strict=True) if length > STEPS]
    return [f"of {name}, the first {STEPS} of {length} steps are here" for name, length in long]


def uneven(lengths: list[int]) -> Tensor | None:
    return torch.tensor(lengths) if len(set(lengths)) > 1 else None


def from_table(path: Path, text: str, trained: Trained, sequence: str | None) -> Read:
    header, rows = table(path, text)
    names = header or [f"column {number + 1}" for number in range(len(rows[0]))]
    groups: dict[str, list[int]] = {}
    split = None
    if sequence is not None:
        if header is None or sequence not in header:
            raise ValueError(f"{path}: expected a column {sequence!r} in row 1, got {', '.join(names)}")
        split = header.index(sequence)
    for number, row in enumerate(rows):
        groups.setdefault(row[split] if split is not None else path.name, []).append(number)
    columns = chosen_columns(path, header, names, trained, split)
    first = 2 if header is not None else 1
    values = torch.tensor(
        [[number_in(path, row[at], number + first, names[at]) for at in columns] for number, row in enumerate(rows)]
    )
    if trained.scale is not None:
        values = (values - trained.scale[:, 0]) / trained.scale[:, 1]
    lengths = [min(len(group), STEPS) for group in groups.values()]
    x = torch.zeros(max(lengths), len(groups), len(columns))
    for place, (group, steps) in enumerate(zip(groups.values(), lengths, strict=True)):
        x[:steps, place] = values[group[:steps]].float()
    found = trained.shown_on(x, uneven(lengths)) | {"items": list(groups)}
    found |= {"features": [names[at] for at in columns]} if header is not None else {}
    return found, cut(list(groups), [len(group) for group in groups.values()])


def table(path: Path, text: str) -> tuple[list[str] | None, list[list[str]]]:
    """The names of the columns, if row 1 holds words, and the other rows. ValueError."""
    head = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=separator) if row]
    except csv.Error as problem:
        raise ValueError(f"{path}: expected a table, numbers parted by commas; got: {problem}") from problem
    header = rows.pop(0) if rows and any(number(cell) is None for cell in rows[0]) else None
    if not rows:
        raise ValueError(f"{path}: expected a table with a step in each row, got one without rows of numbers")
    width = len(header) if header is not None else len(rows[0])
    for at, row in enumerate(rows):
        if len(row) != width:
            where = at + (2 if header is not None else 1)
            raise ValueError(f"{path}: row {where}: expected {width} columns, as in row 1, got {len(row)}")
    return header, rows


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


def number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def number_in(path: Path, cell: str, row: int, column: str) -> float:
    value = number(cell)
    if value is None or not math.isfinite(value):
        raise ValueError(f"{path}: row {row}, column {column!r}: expected a number, got {cell!r}")
    return value
