"""What the kernels of layers of any width have in common, line by line. sliced_source.py says how they work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.engine.triton.blocks import LEAST, Plan, power_at_least, slice_of
from byhand.engine.triton.printer import OPTIONS, Printer, indented, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from byhand.cells import Cell
    from byhand.engine.triton.limits import Chip
    from byhand.ir.partition import Partition

STARTS, LENGTH, FIRST_ADDRESS = 0, 1, 2  # places in the table
SPECIAL = ("OWN", "MEET")
SHAPES = ((16, 16), (16, 32), (32, 32), (64, 32))  # sequences and units of a program, the smallest first
ROOM = 128 << 10  # bytes on the chip that there are where programs run blocks of the last shape, which need 100 KB
INNER = {torch.float64: 16, torch.float32: 32, torch.bfloat16: 64, torch.float16: 64}  # products summed at once


class Slices(NamedTuple):
    """What one program runs: so many sequences and units; and how many products it sums at once."""

    rows: int
    units: int
    inner: int


def slices_for(batch: int, sizes: tuple[int, int | None], dtype: torch.dtype, chip: Chip, *, meets: bool = False) -> Slices:
    """The smallest blocks with which one program for each of the GPU's processors is enough: estimated, as the table of tiers is.

    sizes: of units, and of outputs if they are projected. meets: of kernels that run all steps. These, those in float64, and those whose
    rows cannot be read in whole words, run out of registers in larger blocks.
    """
    units = max(one or 0 for one in sizes)
    few = meets or dtype == torch.float64 or not in_words(sizes)
    shapes = SHAPES[:2] if few else SHAPES if chip.shared >= ROOM else SHAPES[:-1]
    enough = [(rows, wide) for rows, wide in shapes if -(-batch // rows) * -(-units // wide) <= chip.processors]
    rows, wide = (enough or shapes[-1:])[0]
    return Slices(rows, wide, INNER[dtype])


def in_words(sizes: tuple[int, int | None]) -> bool:
    """Whether rows of these sizes begin where a GPU reads 16 bytes at once, as far as its compiler looks."""
    return all((one or 0) % LEAST == 0 for one in sizes)


class SlicedPrinter(NamedTuple):
    """What the text is made from: that of the other kernels with axes that are one block each, and the sizes that are summed over."""

    base: Printer
    sizes: dict[str, int]
    inner: int

    def head(self, name: str, pointers: list[str]) -> Iterator[str]:
        """The function's first lines: its arguments, and its tensors out of the table."""
        base = self.base
        masks = [f"{kind}_{place}" for place in range(base.vectors, len(base.cell.parameters)) for kind in ("TIME", "ROW")]
        options = [f"{one}: tl.constexpr" for one in (*OPTIONS, *SPECIAL)]
        yield '@triton.jit(do_not_specialize=["OFFSET", "B"])'
        yield f"def {name}({', '.join(['TABLE', 'OFFSET', *masks, 'B', 'H', 'O', *options])}):"
        body = [f"{one} = there(TABLE, {place}, {kind_of(one)})" for place, one in enumerate(pointers, FIRST_ADDRESS)]
        body.append(f"start = tl.load(TABLE + {STARTS}).to(tl.int32) + OFFSET")
        body.append(f"T = tl.load(TABLE + {LENGTH}).to(tl.int32)")
        yield from indented(body)

    def summed(self, letter: str, lines: Iterable[str]) -> Iterator[str]:
        """Lines that add to sums, for every block of an axis: i_k its indices, has_k which there are. The rest, a block of another size,
        has names of its own, since what a loop assigns keeps its shape.
        """
        lines = list(lines)
        whole, rest = divmod(self.sizes[letter], self.inner)
        if whole:
            # A bound that the compiler does not know: it would unroll the loop.
            yield f"for first_k in range(0, {letter} // {self.inner} * {self.inner}, {self.inner}):"
            yield from indented([f"i_k = first_k + tl.arange(0, {self.inner})", f"has_k = i_k < {letter}", *lines])
        if rest:
            last = [f"i_k = {whole * self.inner} + tl.arange(0, {power_at_least(rest)})", f"has_k = i_k < {letter}", *lines]
            yield from (re.sub(r"\b(i_k|has_k|r|w)\b", r"\1_rest", line) for line in last)


def kind_of(pointer: str) -> str:
    """The number type of what a tensor holds: the layer's own, that of sums, or int32."""
    if pointer in ("LENGTHS", "COUNT"):
        return "tl.int32"
    kind = pointer.rstrip("0123456789").rstrip("_")
    return "OWN" if kind in ("U", "W", "BIAS", "FIRST", "GIVEN", "P", "BY_OUTPUT") else "ACC"


def sliced_printer(cell: Cell, parts: Partition, hidden: int, projected: int | None, slices: Slices) -> SlicedPrinter:
    """For layers of these sizes."""
    outputs = None if projected is None else slice_of("O", slices.units)
    axes = Plan(slice_of("H", slices.units), outputs)
    return SlicedPrinter(
        Printer(cell, parts, axes), {"H": hidden, "O": hidden if projected is None else projected}, slices.inner
    )


def pointers(p: Printer) -> dict[str, list[str]]:
    """The tensors that kernels find in the table, in its order, on the way forward and back."""
    states, vectors = range(len(p.cell.state)), range(p.vectors)
    both = ["U", "W", "LENGTHS", "COUNT", *names("P", range(len(p.cell.parameters)))]
    ahead = ["X", "BIAS", "UNPROJECTED", *names("CARRY", states), *names("GIVEN", states), *names("STATE", states)]
    back = ["A", "BY_OUTPUT", "BY_A", "BY_PROJECTED", *names("FIRST", states), *names("STATE", states)]
    back += [*names("BY", states), *names("BY_P", vectors)]
    return {"forward": [*both, *ahead], "backward": [*both, *back]}


def addresses(name: str, tensors: list[str]) -> Iterator[str]:
    """The kernel that writes the table, so that it is written in its turn, in a graph of the caller's, too."""
    yield '@triton.jit(do_not_specialize=["T"])'
    yield f"def {name}(TABLE, T, {', '.join(tensors)}):"
    yield f"    tl.store(TABLE + {STARTS}, 0)"
    yield f"    tl.store(TABLE + {LENGTH}, tl.cast(T, tl.int64))"
    for place, one in enumerate(tensors, FIRST_ADDRESS):
        yield f"    if {one} is not None:"
        yield f"        tl.store(TABLE + {place}, {one}.to(tl.int64))"


def repeated(lines: Iterable[str], steps: str) -> Iterator[str]:
    """The step that a launch runs; or all, between which the programs meet."""
    yield f"for turn in range({steps} if MEET else 1):"
    yield from indented(["step = start + turn", *lines, "if MEET:", "    meet(COUNT, turn + 1)"])
