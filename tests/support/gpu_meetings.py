"""Kernels whose programs wait for each other, in Triton's interpreter: a process a program, all tensors in memory that they share.

That finds a wrong count, a meeting that is missing, a wait without an end. In which order a GPU's processors see each other's stores it
does not show.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from gpu_interpreted import CPU, DOUBLE, held, ragged
from torch import Tensor
from triton.runtime import interpreter

from byhand import cells
from byhand.engine.triton import limits, sliced, tiers
from byhand.engine.triton.sliced import Cooperative, Request
from byhand.testing.engine_cases import call_of

PATIENCE = 120.0  # seconds after which programs wait for what will not come
LATE = 0.5  # seconds by which one program starts after the others


class Programs:
    """In place of one launch: every program in a process of its own; the one with the last units late."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def __call__(self, kernel: Cooperative, asked: Request, device: torch.device) -> None:
        """Run them all, and write what they made back."""
        copies: dict[int, tuple[Tensor, Tensor]] = {}
        for name, value in asked.tensors.items():
            if value is not None and value.data_ptr() not in copies:
                copies[value.data_ptr()] = value, fresh(name, value, asked.name).share_memory_()
        shared = {one: None if value is None else copies[value.data_ptr()][1] for one, value in asked.tensors.items()}
        asked = asked._replace(tensors=shared)
        launches = kernel.launches(asked, device)
        launches.table.share_memory_()
        kernel.write(asked, launches.table)
        grid = -(-asked.scalars["B"] // asked.slices.rows), -(-kernel.hidden // asked.slices.units)
        self.seen.append(grid)
        places = [(row, column) for row in range(grid[0]) for column in range(grid[1])]
        wait([started(launches, grid, place) for place in places])
        for tensor, copy in copies.values():
            tensor.detach().copy_(copy)


def fresh(name: str, tensor: Tensor, way: str) -> Tensor:
    """A copy, with NaN where nothing is yet that a kernel may read."""
    copy = tensor.detach().clone()
    if name.startswith("CARRY"):
        copy[1] = torch.nan
    if name == "BY_A" or (way == "forward" and name.startswith(("GIVEN", "STATE"))):
        copy.fill_(torch.nan)
    return copy


def started(launches: Any, grid: tuple[int, int], place: tuple[int, int]) -> int:
    """The process of one program."""
    child = os.fork()
    if child:
        return child
    try:
        become(grid, place)
        if place[1] == grid[1] - 1:
            time.sleep(LATE)
        launches.step(launches.table, 0)
    except BaseException:  # noqa: BLE001 (of a child, which must not go on as its parent)
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def become(grid: tuple[int, int], place: tuple[int, int]) -> None:
    """Let this process run one program of the grid, and end where the interpreter begins with the next."""
    builder, ran = interpreter.InterpreterBuilder, []
    set_dim, set_idx = builder.set_grid_dim, builder.set_grid_idx

    def at(self: Any, *_: int) -> None:
        if ran:
            os._exit(0)
        ran.append(place)
        set_idx(self, *place, 0)

    builder.set_grid_dim = lambda self, *_: set_dim(self, *grid, 1)  # type: ignore[method-assign]
    builder.set_grid_idx = at  # type: ignore[method-assign]


def wait(children: list[int]) -> None:
    """Until all have ended. RuntimeError where one fails, or they wait for ever."""
    until, left, codes = time.monotonic() + PATIENCE, set(children), []
    while left and time.monotonic() < until:
        for child in list(left):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                left.discard(child)
                codes.append(os.waitstatus_to_exitcode(status))
        time.sleep(0.01)
    for child in left:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if left or any(codes):
        raise RuntimeError(f"{len(left)} programs wait for ever, the others ended with {sorted(set(codes))}")


def of_meetings() -> Iterator[dict[str, Any]]:
    """Two to eight programs, both ways; and the same with one meeting taken out."""
    limits.AT_ONCE.add("cpu")
    programs = Programs()

    def run(self: Cooperative, asked: Request, device: torch.device) -> None:
        programs(self, asked, device)

    Cooperative.all_at_once = run  # type: ignore[method-assign]
    three = (
        ("lstm", cells.lstm, (3, 18, 2, 64)),  # 2 x 4 programs
        ("lstm_1997", cells.lstm_1997, (3, 3, 2, 32)),  # two states are read by all
        ("zoneout(peephole)", cells.zoneout(cells.peephole, h=0.2, c=0.3), (3, 33, 2, 32)),  # 3 x 2; vectors, masks
    )
    with tiers.only(tiers.Tier.cooperative):
        for name, cell, sizes in three:
            call = call_of(cell, sizes, DOUBLE, CPU)
            for variant, one in (("", call), (", ragged, reverse", ragged(call))) if name == "lstm_1997" else (("", call),):
                programs.seen.clear()
                began = time.monotonic()
                errors = held(one, "float64")[0]
                yield {"cell": name + variant, "errors": errors, "grids": programs.seen, "seconds": time.monotonic() - began}
        for way in ("forward", "backward"):
            call = call_of(cells.lstm, (3, 2, 2, 32), DOUBLE, CPU)
            with without_the_first_meeting(way):
                yield {"missing": way, "errors": held(call, "float64")[0]}


@contextmanager
def without_the_first_meeting(way: str) -> Iterator[None]:
    """In one kernel of newly printed ones the programs do not wait after the first step."""
    printed = sliced.sliced_source

    def lacking(printer: Any) -> str:
        before, head, after = printed(printer).partition(f"def {way}(")
        kernel, meeting, rest = after.partition("meet(COUNT, turn + 1)")
        assert meeting
        return before + head + kernel + "meet(COUNT, turn + 1 if turn > 0 else -1)" + rest

    sliced.cooperative.cache_clear()
    sliced.sliced_source = lacking
    try:
        yield
    finally:
        sliced.sliced_source = printed
        sliced.cooperative.cache_clear()
