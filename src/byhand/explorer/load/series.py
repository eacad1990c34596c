"""Arrays and sound as the input of a model that reads numbers: .npz and .wav, beside the tables and texts of table.py and text.py."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from byhand.explorer.load.model import STEPS, Trained, cut, uneven
from byhand.explorer.load.onnx_data import read_sound
from byhand.explorer.load.table import LARGEST
from byhand.explorer.load.text import Read
from byhand.interop.npz import read_npz

SERIES = (".npz", ".wav")


def read_series(path: Path, trained: Trained, sequence: str | None) -> Read:
    """The model's x and the words to it, as explore takes them, and what a reader should know.

    Sound is one sequence of one number a step. An array is a sequence, (steps, inputs), or (steps,) of a model with one input; or several,
    laid out as the model takes them. ValueError, LoadError, OSError.
    """
    if trained.alphabet is not None:
        raise ValueError(f"{path}: this model reads symbols: expected {trained.wanted}")
    if sequence is not None:
        raise ValueError(f"--sequence: a column of a table, got {path}: each array is a sequence; leave it out")
    if any(trained.changes):
        raise ValueError(f"{path}: this model reads changes from row to row: expected a table (.csv) of {trained.wanted}")
    if path.suffix.lower() == ".wav":
        if trained.inputs != 1:
            raise ValueError(
                f"{path}: sound is one number a step, and this model reads {trained.inputs}: give a .csv or .npz file of them"
            )
        found = {path.name: read_sound(path).values.unsqueeze(1)}
    else:
        found = sequences(path, trained)
    values = {name: checked(path, name, value.double()) for name, value in found.items()}
    if trained.scale is not None:
        values = {name: (value - trained.scale[:, 0]) / trained.scale[:, 1] for name, value in values.items()}
    lengths = [min(len(value), STEPS) for value in values.values()]
    x = torch.zeros(max(lengths), len(values), trained.inputs, dtype=torch.float64)
    for place, (value, steps) in enumerate(zip(values.values(), lengths, strict=True)):
        x[:steps, place] = value[:steps]
    given = trained.shown_on(x, uneven(lengths)) | {"items": list(values)}
    return given, cut(list(values), [len(value) for value in values.values()])


def sequences(path: Path, trained: Trained) -> dict[str, Tensor]:
    """Name -> (steps, inputs). ValueError for arrays of other sizes."""
    arrays = read_npz(path)
    found: dict[str, Tensor] = {}
    for name, array in arrays.items():
        value = array.unsqueeze(-1) if array.dim() == 1 and trained.inputs == 1 else array
        if value.dim() not in (2, 3) or value.shape[-1] != trained.inputs or not value.numel():
            raise ValueError(
                f"{path}: array {name!r}: expected (steps, {trained.inputs}), or three sizes of which the last is {trained.inputs}, got"
                f" {tuple(array.shape)}"
            )
        own = path.name if len(arrays) == 1 else name
        if value.dim() == 2:
            found[own] = value
            continue
        first = bool(getattr(trained.model, "batch_first", False))
        several = value if first else value.transpose(0, 1)
        found |= {f"{own}, {number + 1}" if len(several) > 1 else own: one for number, one in enumerate(several)}
    if not found:
        raise ValueError(f"{path}: expected arrays of numbers, got none")
    return found


def checked(path: Path, name: str, value: Tensor) -> Tensor:
    """ValueError for what is not finite, or too large for float32."""
    if not bool((value.abs() <= LARGEST).all()):
        raise ValueError(
            f"{path}: {name}: expected finite numbers that fit float32, got others: correct them, or leave their steps out"
        )
    return value
