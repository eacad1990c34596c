"""What a model is to be shown on, out of the user's file: a table of numbers (CSV), or a text for models that read symbols. And random
numbers for bare weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from byhand.explorer.load.model import CHARACTERS, Alphabet, Trained, cut, uneven, visible
from byhand.explorer.load.table import from_table

TABLES = (".csv", ".tsv")
RANDOM_STEPS = 20
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
        if sequence is not None:
            raise ValueError(
                f"--sequence: a column of a table, and this model reads symbols: leave it out; {known(trained.alphabet)}"
            )
        return from_text(path, text, trained, trained.alphabet)
    return from_table(path, text, trained, sequence)


def random_input(trained: Trained, count: int) -> Read:
    """Sequences for a model of which nothing is known but its weights, and what there is to say of them."""
    x = torch.randn(RANDOM_STEPS, count, trained.inputs, generator=torch.Generator().manual_seed(0))
    items = [f"random numbers {number + 1}" for number in range(count)]
    said = (
        f"these are weights alone, shown on {RANDOM_STEPS} steps of random numbers (mean 0, spread 1), which mean nothing to the model;"
        f" what it does on yours: --input FILE, with {trained.wanted}"
    )
    return trained.shown_on(x) | {"items": items}, [said]


def read_text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        raise type(problem)(problem.errno, f"{path}: expected an input file, got: {problem.strerror or problem}") from problem
    except UnicodeDecodeError as problem:
        raise ValueError(
            f"{path}: expected a file in UTF-8, got byte 0x{problem.object[problem.start]:02x} at {problem.start}"
        ) from problem
    if "\0" in text:
        raise ValueError(f"{path}: expected a text or a table as text, got zero bytes, as other kinds of file have them")
    return text


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
    lengths = [min(len(line), CHARACTERS) for line in lines.values()]
    x = torch.zeros(max(lengths), len(lines), dtype=torch.long)
    for row, line in enumerate(lines.values()):
        x[: lengths[row], row] = torch.tensor([numbers.get(symbol, alphabet.other) for symbol in line[:CHARACTERS]])
    words = [[visible(symbol) for symbol in line[:CHARACTERS]] for line in lines.values()]
    given = trained.shown_on(x, uneven(lengths)) | {"characters": words, "items": items}
    if trained.says_next:
        given["targets"] = [following(line, numbers, alphabet.other)[:CHARACTERS] for line in lines.values()]
    notices = [*unknown(path.name, words, numbers), *cut(items, [len(line) for line in lines.values()], CHARACTERS)]
    return given, notices


def following(text: str, numbers: Mapping[str, int], other: int | None) -> list[int]:
    """The number of the symbol behind each; -1 for what is not known, as behind the last one."""
    return [numbers.get(symbol, -1 if other is None else other) for symbol in text[1:]] + [-1]


def unknown(name: str, texts: list[list[str]], known: Mapping[str, int]) -> list[str]:
    """What there is to say of characters that the model knows no symbol of their own for."""
    others = sorted({character for text in texts for character in text} - {visible(symbol) for symbol in known})
    if not others:
        return []
    listed = " ".join(others[:20]) + (" …" if len(others) > 20 else "")
    return [f"{name}: the model reads as one symbol, other, what it was not trained on: {listed}"]
