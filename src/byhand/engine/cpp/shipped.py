"""The kernels that platform wheels bring along: these need no compiler, and no waiting at their first use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from byhand.cells.cifg import cifg
from byhand.cells.gru import gru
from byhand.cells.lstm import lstm
from byhand.cells.peephole import peephole
from byhand.engine.cpp.source import source
from byhand.engine.cpp.toolchain import compiler, prebuilt
from byhand.ir import partition

if TYPE_CHECKING:
    from byhand.cells import Cell

KERNELS: tuple[tuple[Cell, torch.dtype], ...] = (
    *((cell, torch.float32) for cell in (lstm, gru, peephole, cifg)),
    (lstm, torch.float64),
)


def available() -> Iterator[tuple[Cell, torch.dtype, prebuilt.Entry]]:
    """Those that are here, made from what would be compiled now, for this processor, and whole; with the library of each."""
    if prebuilt.listed(prebuilt.folder()):
        for cell, dtype in KERNELS:
            entry = next(prebuilt.trusted(source(cell, partition(cell), dtype), compiler.FLAGS), None)
            if entry is not None:
                yield cell, dtype, entry


def in_words() -> str:
    """As in "lstm and gru in float32, lstm in float64"; empty where there are none."""
    by_type: dict[torch.dtype, list[str]] = {}
    for cell, dtype, _ in available():
        by_type.setdefault(dtype, []).append(cell.name)
    return ", ".join(f"{_joined(names)} in {str(dtype).removeprefix('torch.')}" for dtype, names in by_type.items())


def _joined(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
