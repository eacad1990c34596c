"""Kernels on tensors that end, or begin, at a page that nobody may touch: reading or writing one value too far ends the process."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from byhand import cells
from byhand.cells import Cell
from byhand.engine import reference
from byhand.engine.triton import engine, kernel
from byhand.engine.triton.values import Inputs
from byhand.testing.check_engine import named
from byhand.testing.engine_cases import call_of

PAGE, NOTHING, BOTH = mmap.PAGESIZE, 0, mmap.PROT_READ | mmap.PROT_WRITE
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def fenced(tensor: Tensor, side: str) -> Tensor:
    """A contiguous copy that lies between two such pages, at the end or the beginning of what is between them."""
    bytes_there = tensor.numel() * tensor.element_size()
    pages = -(-max(bytes_there, 1) // PAGE) * PAGE
    start = libc.mmap(None, pages + 2 * PAGE, BOTH, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    for page in (start, start + PAGE + pages):
        assert libc.mprotect(page, PAGE, NOTHING) == 0
    first = start + PAGE + (pages - bytes_there if side == "end" else 0)
    memory = (ctypes.c_char * bytes_there).from_address(first)
    made = torch.frombuffer(memory, dtype=tensor.dtype, count=tensor.numel()).view(tensor.shape)
    made.copy_(tensor.detach())
    return made


class Fences:
    """In place of a class's launch: the kernel gets fenced copies, and what it wrote is copied back. further: sequences too many."""

    def __init__(self, side: str, further: int = 0, of: type[kernel.Kernel] = kernel.Kernel) -> None:
        self.side, self.further, self.of, self.launch = side, further, of, of.launch

    def __call__(self, one: kernel.Kernel, name: str, inputs: Inputs, arguments: dict[str, Any]) -> None:
        """Launch it."""
        copies: dict[int, tuple[Tensor, Tensor]] = {}
        for value in arguments.values():
            if isinstance(value, Tensor) and value.data_ptr() not in copies:
                copies[value.data_ptr()] = value, fenced(value, self.side)
        given = {key: copies[value.data_ptr()][1] if isinstance(value, Tensor) else value for key, value in arguments.items()}
        self.launch(one, name, inputs, given | {"B": given["B"] + self.further})
        for tensor, copy in copies.values():
            tensor.detach().copy_(copy)

    def __enter__(self) -> None:
        def launch(*arguments: Any) -> None:  # a function, so that it becomes a method
            self(*arguments)

        self.of.launch = launch  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        self.of.launch = self.launch  # type: ignore[method-assign]


def checks() -> Iterator[dict[str, Any]]:
    """Every pointer of both kernels; and, in a process of its own, one sequence too many."""
    of_each = (cells.lstm, cells.lstm_1997, cells.zoneout(cells.peephole, h=0.2, c=0.3), cells.gru)
    yield from checks_of(kernel.Kernel, of_each)


def checks_of(of: type[kernel.Kernel], chosen: Sequence[Cell]) -> Iterator[dict[str, Any]]:
    """The same of one class's kernels, for these cells."""
    torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    for cell in chosen:
        for side in ("end", "beginning"):
            projection = 0 if cell.reads_its_output else 3
            call = call_of(cell, (2, 3, 3, 10), torch.float64, torch.device("cpu"), proj_size=projection)
            call = call._replace(valid=torch.arange(2).unsqueeze(1) < torch.tensor([2, 1, 2]), reverse=side == "end")
            if of is kernel.Kernel:  # the others do not start again inside
                cut = torch.tensor([[True, False, True], [True, False, False]])
                call = call._replace(cut=cut, restart=tuple(torch.ones_like(one) for one in call.state))
            with Fences(side, of=of):
                found = named(call, engine.run(call))
            right = named(call, reference.run(call))
            off = max((found[name] - right[name]).abs().max().item() for name in right)
            yield {"fence": f"{cell.name}, {side}", "off": off}
    call = call_of(cells.lstm, (2, 3, 3, 10), torch.float64, torch.device("cpu"))
    child = os.fork()
    if child == 0:
        with Fences("end", further=1, of=of):
            engine.run(call)
        os._exit(0)
    yield {"fence": "one sequence too many", "signal": os.waitpid(child, 0)[1] & 127}
