"""Why there is no kernel for a cell, or none on a device."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from byhand.errors import UntraceableError
from byhand.ir import partition

if TYPE_CHECKING:
    from byhand.cells import Cell

DEVICES = {"cuda"}  # and the cpu, where Triton's kernels are interpreted, for tests
TYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
OLDEST = 8  # the compute capability of the first GPUs with tf32 and bfloat16


def refuses_place(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why no kernel runs there in this number type, or None."""
    if device.type not in DEVICES:
        return f"the input is on {device}, the engine runs on cuda"
    if dtype not in TYPES:
        return f"the input is of {dtype}: expected one of {', '.join(map(str, TYPES))}"
    return refuses_device(device) if device.type == "cuda" else None


@cache
def refuses_device(device: torch.device) -> str | None:
    """Why no kernel runs there, or None."""
    if torch.version.hip is not None:
        return "the kernels were never tried on AMD's GPUs"
    if find_spec("triton") is None:
        return "Triton is missing: pip install 'byhand[gpu]'"
    if not torch.cuda.is_available():  # tensors that stand for others, as torch.export makes them anywhere
        return "there is no GPU"
    major, minor = torch.cuda.get_device_capability(device)
    return None if major >= OLDEST else f"the GPU has compute capability {major}.{minor}, the kernels need {OLDEST}.0 or more"


@cache
def refuses_cell(cell: Cell) -> str | None:
    """Why there is no kernel for this cell, or None."""
    try:
        partition(cell)
    except UntraceableError as problem:
        return str(problem)
    return None
