"""How a number of units is covered by blocks, which in Triton have powers of two as sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST = 16  # the smallest block that a matrix product takes


class Axis(NamedTuple):
    """One dimension of a kernel's tensors: the letter of its size, and its blocks as (first index, size); from where, in Triton's words,
    they are counted.
    """

    letter: str
    blocks: tuple[tuple[int, int], ...]
    origin: str = ""

    @property
    def width(self) -> int:
        """The size that is computed: at least the dimension's own."""
        return sum(size for _, size in self.blocks)

    def named(self, kind: str) -> list[str]:
        """The names of a kind of index or mask, block by block: see lines."""
        return [f"{kind}{self.letter.lower()}{j}" for j in range(len(self.blocks))]

    def lines(self) -> Iterator[str]:
        """Indices (i), which are there (has), which are there of the program's rows (m), where they lie in one step (at), and zeros (z)."""
        for (first, size), i, has, m, at, z in zip(
            self.blocks, *(self.named(kind) for kind in ("i", "has", "m", "at", "z")), strict=True
        ):
            yield f"{i} = {self.origin}{first} + tl.arange(0, {size})"
            yield f"{has} = {i} < {self.letter}"
            yield f"{m} = has_row[:, None] & {has}[None, :]"
            yield f"{at} = row[:, None] * {self.letter} + {i}[None, :]"
            yield f"{z} = tl.zeros((ROWS, {size}), ACC)"


class Plan(NamedTuple):
    """The axes of a layer: its units (H), and its outputs (O) where they are projected."""

    units: Axis
    outputs: Axis | None


def plan(hidden: int, projected: int | None) -> Plan:
    """The blocks of a layer with these sizes."""
    return Plan(Axis("H", cover(hidden)), None if projected is None else Axis("O", cover(projected)))


def slice_of(letter: str, size: int) -> Axis:
    """One block of an axis that programs share: the second number of a program is that of its block."""
    return Axis(letter, ((0, size),), f"tl.program_id(1) * {size} + ")


def cover(size: int) -> tuple[tuple[int, int], ...]:
    """One block, or two where that is less: 96 is 64 + 32, not 128."""
    whole = power_at_least(size)
    half = whole // 2
    rest = power_at_least(size - half) if size > half else whole
    return ((0, whole),) if half < LEAST or half + rest >= whole else ((0, half), (half, rest))


def power_at_least(size: int) -> int:
    """The smallest power of two that is no less than size and LEAST."""
    return max(LEAST, 1 << (size - 1).bit_length())
