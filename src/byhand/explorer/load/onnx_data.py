"""The user's file for an ONNX model: arrays by name, sound, a table or numbers, as plain tensors that are not yet laid out."""

from __future__ import annotations

import wave
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from byhand.explorer.load.table import numbers, table
from byhand.explorer.load.text import read_text

if TYPE_CHECKING:
    from byhand.interop.onnx_in.given import Input

LARGEST = 2**31  # bytes of what a file is unpacked to
KINDS = (".npz", ".wav", ".csv", ".tsv", ".txt")
WIDTHS = {1: torch.uint8, 2: torch.int16, 4: torch.int32}  # bytes of a sample


class Data(NamedTuple):
    """What one input is to be made of. values: (time,), or (time, features) of a table. rate: samples a second of sound."""

    values: Tensor
    features: list[str] | None = None
    rate: int | None = None


def read_named(path: Path, known: list[Input]) -> dict[str, Any]:
    """The arrays of a file of numpy's, by the model's own names. ValueError, OSError; nothing in the file is run."""
    import numpy as np  # noqa: PLC0415 (it comes with onnxruntime)

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(record.file_size for record in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"{path}: expected at most {LARGEST:,} bytes of arrays, got {size:,}")
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (zipfile.BadZipFile, EOFError, KeyError, RuntimeError, NotImplementedError) as problem:
        raise ValueError(f"{path}: expected arrays of numpy.savez, got a file that is none or damaged ({problem})") from problem
    except ValueError as problem:
        raise ValueError(f"{path}: expected arrays of numbers as numpy.savez writes them, got: {problem}") from problem
    wrong = sorted(arrays.keys() - {one.name for one in known})
    if wrong:
        raise ValueError(f"{path}: expected arrays called as the model's inputs, got {', '.join(wrong)}")
    return arrays


def read_sound(path: Path) -> Data:
    """A file of uncompressed sound as samples from -1 to 1. ValueError, OSError."""
    try:
        with wave.open(str(path), "rb") as sound:
            channels, width, rate, count = sound.getparams()[:4]
            if count * channels * width > LARGEST:
                raise ValueError(f"{path}: expected at most {LARGEST:,} bytes of sound, got {count * channels * width:,}")
            data = sound.readframes(count)
    except (wave.Error, EOFError) as problem:
        raise ValueError(
            f"{path}: expected uncompressed sound (PCM) in a .wav file, got: {problem or 'a file that ends early'}"
        ) from problem
    if channels != 1:
        raise ValueError(f"{path}: expected one channel, got {channels}: mix them into one, for a model hears one")
    if width not in WIDTHS or not data:
        raise ValueError(f"{path}: expected samples of 8, 16 or 32 bits, got {len(data)} bytes of {8 * width} bits")
    samples = torch.frombuffer(bytearray(data[: len(data) // width * width]), dtype=WIDTHS[width])
    middle, most = (128.0, 128.0) if width == 1 else (0.0, float(2 ** (8 * width - 1)))
    return Data(((samples.double() - middle) / most).float(), rate=rate)


def read_table(path: Path) -> Data:
    """A step in each row. ValueError, OSError."""
    header, rows = table(path, read_text(path))
    names = header or [f"column {number + 1}" for number in range(len(rows[0][1]))]
    return Data(numbers(path, rows, dict(enumerate(names))), header)


def read_numbers(path: Path, wanted: Input) -> Data:
    """A text of whole numbers, the numbers of symbols, or of a model that reads text its lines. ValueError, OSError."""
    words = read_text(path).split()
    try:
        return Data(torch.tensor([int(word) for word in words]))
    except (ValueError, OverflowError, RuntimeError) as problem:
        raise ValueError(
            f"{path}: expected whole numbers parted by blanks for the model's {wanted}: which number stands for which symbol is not in the"
            f" model's file ({problem})"
        ) from problem


def read_data(path: Path, wanted: Input) -> Data:
    """What the file holds for one input. ValueError, OSError."""
    kind = path.suffix.lower()
    if kind == ".wav":
        return read_sound(path)
    if kind in (".csv", ".tsv"):
        return read_table(path)
    if kind == ".txt":
        if wanted.dtype is None or wanted.dtype.is_floating_point:
            raise ValueError(
                f"{path}: the model's {wanted} takes no symbols: give a table (.csv), sound (.wav) or arrays (.npz)"
            )
        return read_numbers(path, wanted)
    raise ValueError(f"--input: expected a file of {', '.join(KINDS)} for an ONNX model, got {path}")
