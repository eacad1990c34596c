"""Arrays out of numpy's .npz and .npy, without numpy: what is in them is plain numbers behind a short description.

A description is a Python literal, read as one and never run; arrays of objects, which would be pickles, are refused. The numbers have
to be as many as the description says before any is read.
"""

from __future__ import annotations

import ast
import math
import os
import sys
from typing import Any

import torch
from torch import Tensor

from byhand.errors import LoadError
from byhand.files.zip_records import read_records

MAGIC = b"\x93NUMPY"
LONGEST = 10_000  # bytes of a description
KINDS = {"f2": torch.float16, "f4": torch.float32, "f8": torch.float64}
INTEGERS = {"i1": torch.int8, "i2": torch.int16, "i4": torch.int32, "i8": torch.int64, "u1": torch.uint8, "b1": torch.bool}


def read_npz(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The arrays of a .npz file, by name. Text and objects in it are left out; numbers keep their dtype.

    Raises:
        LoadError: the file is missing, damaged, or holds something else than arrays.
    """
    try:
        records = read_records(path)
        found = {name.removesuffix(".npy"): array_of(content, name) for name, content in records.items()}
    except LoadError as problem:
        raise LoadError(f"{path}: expected a .npz file of numpy.savez, got {problem}") from problem
    return {name: value for name, value in found.items() if value is not None}


def array_of(content: bytes, name: str) -> Tensor | None:
    """The array of one .npy record; None for one of text. LoadError."""
    description, start = described(content, name)
    kind, shape, columns = description["descr"], description["shape"], description["fortran_order"]
    if "O" in str(kind):
        raise LoadError(f"{name!r}, an array of Python objects, which only a pickle can hold: save numbers alone")
    if not isinstance(kind, str) or len(kind) < 3 or kind[0] not in "<>|=":
        raise LoadError(f"{name!r}, an array of records")
    if kind[1] in "SU":
        return None
    dtype = {**KINDS, **INTEGERS}.get(kind[1:])
    if dtype is None:
        raise LoadError(f"{name!r} with numbers of the kind {kind!r}")
    count, size = math.prod(shape), int(kind[2:])
    if len(content) - start != count * size:
        raise LoadError(f"{name!r} with {len(content) - start:,} bytes, where its shape {shape} asks for {count * size:,}")
    numbers = torch.frombuffer(bytearray(content[start:]), dtype=torch.uint8) if count else torch.empty(0, dtype=torch.uint8)
    if kind[0] in "<>" and (kind[0] == ">") != (sys.byteorder == "big"):
        numbers = numbers.view(-1, size).flip(1).flatten()
    flat = numbers.view(dtype)
    return flat.reshape(shape[::-1]).permute(*range(len(shape))[::-1]).contiguous() if columns else flat.reshape(shape)


def described(content: bytes, name: str) -> tuple[dict[str, Any], int]:
    """The description of an array, and where its numbers begin. LoadError."""
    if content[:6] != MAGIC or content[6:7] not in (b"\x01", b"\x02", b"\x03"):
        raise LoadError(f"{name!r}, which is no array of numpy's")
    width = 2 if content[6] == 1 else 4
    start = 8 + width + int.from_bytes(content[8 : 8 + width], "little")
    if start > min(len(content), LONGEST):
        raise LoadError(f"{name!r}, whose description is cut short or too long")
    try:
        found = ast.literal_eval(content[8 + width : start].decode("latin-1").strip())
        shape = found["shape"]
        whole = isinstance(shape, tuple) and all(type(size) is int and 0 <= size < 2**40 for size in shape)
        if not whole or len(shape) > 8 or set(found) != {"descr", "shape", "fortran_order"}:
            raise ValueError("another description")
    except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError) as problem:
        raise LoadError(f"{name!r}, whose description cannot be read") from problem
    return found, start
