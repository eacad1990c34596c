"""One layer's call for several runs at once: its sequences repeated, each copy edited in its own way, and each run's part of the results.

The copies of a sequence lie side by side: row b·n + k of the batch is sequence b in run k of n.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from byhand.engine.edits import EditFunction, HeldValues, values_of
from byhand.engine.transforms import PLAIN
from byhand.nn import LSTM

if TYPE_CHECKING:
    from byhand.engine.edits import Shape


class Layout(NamedTuple):
    """Along which dimension the sequences lie: of input and output, and of the states. single: there is one, without a batch. of_steps:
    the layer gives outputs beside the states.
    """

    input: int
    state: int
    single: bool
    of_steps: bool

    @classmethod
    def of(cls, module: nn.Module, input: Tensor | PackedSequence) -> Layout:
        if not isinstance(module, LSTM):
            return cls(0, 0, single=isinstance(input, Tensor) and input.dim() == 1, of_steps=False)
        if isinstance(input, PackedSequence):
            return cls(1, 1, single=False, of_steps=True)
        return cls(0 if module.batch_first else 1, 1, single=input.dim() == 2, of_steps=True)


def repeated(given: Sequence[Any], layout: Layout, count: int) -> list[Any]:
    """Input, states and, if the layer takes one, the reset mask, of `count` copies of every sequence."""
    dimensions = (layout.input, layout.state, layout.input)
    return [many(one, dimension, count, layout.single) for one, dimension in zip(given, dimensions, strict=False)]


def many(value: Any, dimension: int, count: int, single: bool) -> Any:
    if value is None:
        return None
    if isinstance(value, PackedSequence):
        indices = [
            None if one is None else (one.unsqueeze(1) * count + torch.arange(count, device=one.device)).flatten()
            for one in value[2:]
        ]
        return PackedSequence(value.data.repeat_interleave(count, 0), value.batch_sizes * count, *indices)
    if isinstance(value, Tensor):
        return (value.unsqueeze(dimension) if single else value).repeat_interleave(count, dimension)
    return tuple(many(one, dimension, count, single) for one in value)


def parts(made: Any, alone: Any, layout: Layout, count: int) -> list[Any]:
    """Each run's part of what the layer gave for all. alone: a result of one run; the parts are laid out like it, and none lies in
    another's memory.
    """
    if layout.of_steps:
        output, state = (
            apart(one, other, dimension, count) for one, other, dimension in zip(made, alone, layout[:2], strict=True)
        )
        return list(zip(output, state, strict=True))
    return apart(made, alone, layout.state, count)


def apart(made: Any, alone: Any, dimension: int, count: int) -> list[Any]:
    if isinstance(alone, PackedSequence):
        return [alone._replace(data=one) for one in apart(made.data, alone.data, 0, count)]
    if isinstance(alone, tuple):
        return list(zip(*(apart(one, other, dimension, count) for one, other in zip(made, alone, strict=True)), strict=True))
    extent = 1 + sum((size - 1) * stride for size, stride in zip(alone.shape, alone.stride(), strict=True))
    found = made.new_empty_strided((count, *alone.shape), (extent, *alone.stride()))
    found.copy_(made.unflatten(dimension, (-1, count)).movedim(dimension + 1, 0).reshape(found.shape))
    return list(found.unbind(0))


def copied(value: Any) -> Any:
    """In memory of its own, laid out alike."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, PackedSequence):
        return value._replace(data=copied(value.data))
    return tuple(map(copied, value)) if isinstance(value, tuple) else value


def equal(one: Any, other: Any) -> bool:
    """Whether both are the same numbers in the same form, of plain tensors; never where a number is NaN."""
    if isinstance(other, Tensor):
        return type(one) in PLAIN and one.dtype == other.dtype and one.device == other.device and torch.equal(one, other)
    if isinstance(other, tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    return one is other


def is_simple(value: Any) -> bool:
    """Whether it is made of plain tensors only."""
    return value is None or type(value) in PLAIN or (isinstance(value, tuple) and all(map(is_simple, value)))


class ByCopy:
    """An edit of a batch of copies: each copy is edited by a function of its own, or not at all."""

    def __init__(self, functions: Sequence[EditFunction | None]) -> None:
        self.functions = functions

    def __call__(self, value: Tensor, time: int, steps: int) -> Tensor:
        copies = value.unflatten(0, (-1, len(self.functions))).unbind(1)
        pairs = zip(copies, self.functions, strict=True)
        return torch.stack([one if change is None else change(one, time, steps) for one, change in pairs], 1).flatten(0, 1)

    def held(self, shape: Shape, like: Tensor) -> HeldValues | None:
        """As values, if all of them are."""
        count, (time, batch, hidden) = len(self.functions), shape
        nothing = HeldValues(torch.zeros(1, 1, 1, dtype=torch.bool, device=like.device), like.new_zeros(1, 1, 1))
        found = []
        for change in self.functions:
            values = nothing if change is None else values_of([change], (time, batch // count, hidden), like)
            if values is None:
                return None
            found.append(values)
        return HeldValues(*(side_by_side(one, batch // count) for one in zip(*found, strict=True)))


def side_by_side(copies: Sequence[Tensor], batch: int) -> Tensor:
    """What holds for each copy, (#time, #batch, #hidden), as what holds for the batch of copies, (#time, batch * copies, #hidden)."""
    together = torch.stack(torch.broadcast_tensors(*copies), 2)
    return together.expand(-1, batch, -1, -1).flatten(1, 2)
