"""Prepared calls of the operators: the kernel's arguments, listed once for each set of shapes.

An operator is given tensors and a name, so a call is found again by what decides its arguments: the cell's full name, the direction, the
number type and every shape. Addresses and the number of steps are filled in at each call.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from copy import copy
from typing import NamedTuple

import torch
from torch import Tensor

from byhand.cells.names import named
from byhand.engine.call import Call
from byhand.engine.cpp.autograd import kernel_inputs, unflatten, without_tensors
from byhand.engine.cpp.kernel import kernel
from byhand.engine.cpp.trained import TrainedCall, is_plain

MOST = 64  # kept; ever new shapes begin again


class OperatorCall(NamedTuple):
    """The calls of an operator with these shapes. plain: of one that keeps nothing for a derivative."""

    trained: TrainedCall
    plain: TrainedCall

    def forward(self, tensors: tuple[Tensor | None, ...], *, keep: bool) -> list[Tensor]:
        """Output and last states; then, if they are to be kept, the histories and what the derivative is made from."""
        if keep:
            output, last, histories, saved = self.trained.forward(tensors, None)
            return [output, *last, *[one for one in histories if one is not None], saved]
        call, x = self.plain, tensors[0]
        assert x is not None
        output = x.new_empty((len(x), *call.carried[1:]))
        last = [torch.empty_like(one) for one in tensors[-call.states :]]  # type: ignore[arg-type]
        # Nothing is written where `saved` would be.
        call.kernel.call(call.bound(None, tensors, output, last, [None] * call.states, output))
        return [output, *last]

    def backward(
        self,
        tensors: tuple[Tensor | None, ...],
        kept: Sequence[Tensor],
        grads: tuple[Tensor | None, ...],
        needed: Sequence[bool],
    ) -> list[Tensor | None]:
        """The gradients in the order of autograd.flatten, None where not needed. kept: what forward gave."""
        call, there = self.trained, iter(kept[1 + self.trained.states : -1])
        histories = [next(there) if keeps else None for keeps in call.kernel.keeps]
        return call.backward(None, (*tensors, kept[0], *histories, kept[-1]), grads, tuple(needed))


_prepared: dict[tuple[Hashable, ...], OperatorCall | None] = {}


def prepared(name: str, tensors: tuple[Tensor | None, ...], *, reverse: bool) -> OperatorCall | None:
    """The prepared call for tensors in the order of autograd.flatten; None where it has to go the usual way, as it has with masks, or
    if a tensor is not contiguous or the input is empty.
    """
    x = tensors[0]
    assert x is not None
    key: list[Hashable] = [name, reverse, x.dtype, x.shape[1:]]
    for one in tensors[1:]:
        if one is None:
            key.append(None)
        elif one.is_contiguous():
            key.append(one.shape)
        else:
            return None
    if not x.is_contiguous() or x.numel() == 0:
        return None
    found = tuple(key)
    if found not in _prepared:
        if len(_prepared) >= MOST:
            _prepared.clear()
        _prepared[found] = prepare(name, tensors, reverse=reverse)
    return _prepared[found]


def prepare(name: str, tensors: tuple[Tensor | None, ...], *, reverse: bool) -> OperatorCall | None:
    """prepared(), of tensors that are contiguous."""
    cell = named(name)
    if cell.noise:
        return None
    bare = Call(cell, None, (), None, reverse)  # type: ignore[arg-type]
    call = unflatten(bare, tensors)
    inputs, compiled = kernel_inputs(call), kernel(cell, call.input.dtype)
    if compiled.sources not in ([0], []) or not is_plain(inputs):
        return None
    trained = TrainedCall(compiled, inputs, without_tensors(call))
    plain, output = copy(trained), inputs.input.new_empty(1, *trained.carried[1:])
    plain.argv = compiled.arguments(inputs, compiled.plain_outputs(output, inputs.state, [None] * trained.states))
    return OperatorCall(trained, plain)
