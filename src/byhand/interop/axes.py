"""One array of a framework, taken apart into blocks of one gate, and put together again: by reshaping and reordering only.

The axes of an array are written in words, one per dimension, with parentheses where one dimension holds two:

    "(slot unit) width"   torch: the rows of one gate after those of another
    "width (slot unit)"   Keras: the same, transposed
    "unit width"          a matrix without gates, such as a projection
    "pair (slot unit)"    the bias of Keras's GRU, (2, 3H): the two biases are the rows
    "slot head unit width"  FlashRNN: units in heads, which do not read each other

A slot is what a block holds: a parameter and a gate, as in ("weight_ih", "f"). A block is (unit, width), or (unit,) for a bias.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

Slot = tuple[str, str]  # parameter, gate
ORDER = ("pair", "slot", "head", "unit", "width")
WORDS = re.compile(r"\(([^)]*)\)|(\w+)")


class Array(NamedTuple):
    """One array of a framework's layer: its name there, what it holds, slot by slot, and how its axes are laid out."""

    name: str
    slots: tuple[Slot, ...]
    axes: str

    @property
    def dimensions(self) -> list[list[str]]:
        """The words of each dimension."""
        return [(together or alone).split() for together, alone in WORDS.findall(self.axes)]

    @property
    def is_bias(self) -> bool:
        """Whether it holds biases only."""
        return all(parameter.startswith("bias") for parameter, _ in self.slots)


def rows(parameter: str, gates: str | tuple[str, ...]) -> tuple[Slot, ...]:
    """The slots of one parameter, for gates in this order."""
    return tuple((parameter, gate) for gate in gates)


def split(array: Array, value: Tensor) -> dict[Slot, Tensor]:
    """The blocks of an array. ValueError if its shape is not that of the array."""
    dimensions, words = array.dimensions, [word for dimension in array.dimensions for word in dimension]
    pairs = 2 if "pair" in words else 1
    known = {"pair": pairs, "slot": len(array.slots) // pairs}
    shape: list[int] = []
    if value.dim() != len(dimensions):
        raise _misshapen(array, value)
    for size, dimension in zip(value.shape, dimensions, strict=True):
        fixed = known.get(dimension[0])
        if fixed is not None and (size % fixed or (len(dimension) == 1 and size != fixed)):
            raise _misshapen(array, value)
        shape += [size] if len(dimension) == 1 else [fixed or 1, size // (fixed or 1)]
    apart = value.reshape(shape).permute(*(words.index(word) for word in ORDER if word in words))
    there = [word for word in ORDER if word in words]
    if "pair" in there:
        apart = apart.flatten(0, 1)
        there.remove("pair")
    if "slot" not in there:
        apart = apart.unsqueeze(0)
    if "head" in there:
        apart = _diagonal(apart) if "width" in there else apart.flatten(1, 2)
    return dict(zip(array.slots, apart.unbind(0), strict=True))


def join(array: Array, blocks: Mapping[Slot, Tensor], heads: int = 1) -> Tensor:
    """The array of these blocks: the inverse of split. ValueError if units of one head read those of another."""
    words = [word for dimension in array.dimensions for word in dimension]
    whole = torch.stack([blocks[slot] for slot in array.slots])
    there = [word for word in ORDER if word in words]
    if "head" in there:
        whole = _heads(array, whole, heads) if "width" in there else whole.unflatten(1, (heads, -1))
    if "pair" in there:
        whole = whole.unflatten(0, (2, -1))
    if "slot" not in there:
        whole = whole.squeeze(0)
    whole = whole.permute(*(there.index(word) for word in words))
    for at, dimension in enumerate(array.dimensions):
        if len(dimension) > 1:
            whole = whole.flatten(at, at + 1)
    return whole.contiguous()


def _diagonal(apart: Tensor) -> Tensor:
    """(slot, head, unit, width) as (slot, all units, all widths), with 0 between the heads."""
    return torch.stack([torch.block_diag(*one) for one in apart])


def _heads(array: Array, whole: Tensor, heads: int) -> Tensor:
    """The inverse of _diagonal."""
    _, units, width = whole.shape
    if units % heads or width % heads:
        raise ValueError(f"{array.name} expected units and inputs in {heads} heads, got {units} and {width}")
    apart = whole.unflatten(2, (heads, -1)).unflatten(1, (heads, -1))  # slot, head, unit, head, width
    kept = torch.stack([apart[:, head, :, head] for head in range(heads)], 1)
    if heads > 1 and not torch.equal(_diagonal(kept), whole):
        raise ValueError(f"{array.name} expected {heads} heads that do not read each other, got weights between them")
    return kept


def _misshapen(array: Array, value: Tensor) -> ValueError:
    count = len(array.slots)
    of = f" with {count} blocks of units" if count > 1 else ""
    return ValueError(f"{array.name} expected axes {array.axes}{of}, got shape {tuple(value.shape)}")
