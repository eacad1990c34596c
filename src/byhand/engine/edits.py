"""Edits by values: as masks and values that the step reads, so that an engine which knows no Python runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from byhand.cells.held import held

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from byhand.engine.call import Call

EditFunction = Callable[[Tensor, int, int], Tensor]
Shape = tuple[int, int, int]  # (time, batch, hidden)


class HeldValues(NamedTuple):
    """Where a site is held, and at what; each has three dimensions and broadcasts to (time, batch, hidden)."""

    where: Bool[Tensor, "#time #batch #hidden"]
    value: Float[Tensor, "#time #batch #hidden"]

    def then(self, later: HeldValues) -> HeldValues:
        """Both, one after the other: where both hold, the later one does."""
        return HeldValues(self.where | later.where, torch.where(later.where, later.value, self.value))


def values_of(functions: Sequence[EditFunction], shape: Shape, like: Tensor) -> HeldValues | None:
    """What these edits of one site hold together; None if one of them is more than a value: if it has no method `held`, which takes
    the shape and a tensor of the device and number type that are wanted, and gives HeldValues or None.
    """
    together: HeldValues | None = None
    for function in functions:
        method = getattr(function, "held", None)
        one = None if method is None else method(shape, like)
        if one is None:
            return None
        together = one if together is None else together.then(one)
    return together


def held_values(functions: Mapping[str, Sequence[EditFunction]], call: Call) -> Mapping[str, HeldValues] | None:
    """What every edited site is held at, by its public name; None if that is not all that the edits do."""
    time, batch = call.input.shape[:2]
    hidden = len(call.weights.input) // len(call.cell.gates)
    output = call.cell.state[0]
    found = {}
    for site, several in functions.items():
        width = call.state[0].shape[-1] if site == output else hidden
        values = values_of(several, (time, batch, width), call.input)
        if values is None:
            return None
        found[site] = values
    return found


def found_once(functions: Mapping[str, Sequence[EditFunction]]) -> Callable[[Call], Mapping[str, HeldValues] | None]:
    """held_values of these functions, found once for an input: an engine asks before it takes a call and when it runs it."""
    found: list[tuple[Tensor, Mapping[str, HeldValues] | None]] = []

    def held(call: Call) -> Mapping[str, HeldValues] | None:
        if not found or found[0][0] is not call.input:
            found[:] = [(call.input, held_values(functions, call))]
        return found[0][1]

    return held


def as_inputs(call: Call) -> Call | None:
    """The same call without edits, of a cell that reads them as masks and values; None if they are functions, change an output after
    its projection, which is no part of the step, or the step cannot be rewritten.
    """
    if not call.edited:
        return call
    values = None if call.held is None or len(call.step_edits) < len(call.edited) else call.held(call)
    if values is None:
        return None
    try:
        cell = held(call.cell)
    except TypeError:  # the reference engine raises it to the user
        return None
    hidden, like = len(call.weights.input) // len(call.cell.gates), call.input
    nothing = like.new_zeros(1, 1, hidden)
    noise = list(call.noise)
    for site in call.cell.sites:
        one = values.get(call.public_name(site))
        noise += [nothing, nothing] if one is None else [each.to(like).expand(*each.shape[:2], hidden) for each in one]
    return call._replace(cell=cell, noise=tuple(noise), edited=frozenset(), edit=None, held=None)
