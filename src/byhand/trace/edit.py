"""edit: change what is computed, at any site, step, unit or sequence.

A change is a tensor, a number, a function, or either at some times, units or sequences only; or several, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from byhand.engine.edits import EditFunction, HeldValues, values_of
from byhand.engine.observe import active
from byhand.nn.indices import Where, check_where, chosen
from byhand.trace.layers import layers, names
from byhand.trace.run import unknown

if TYPE_CHECKING:
    from jaxtyping import Bool

    from byhand.engine.call import Call, Result
    from byhand.engine.edits import Shape

    Change = Tensor | float | Callable[[Tensor], Tensor | float]
    Changes: TypeAlias = "Change | At | Sequence[Change | At]"


@dataclass(frozen=True, eq=False)
class At:
    """A change at some times, units and sequences only."""

    change: Change
    time: Where = None
    unit: Where = None
    batch: Where = None


def at(change: Change, *, time: Where = None, unit: Where = None, batch: Where = None) -> At:
    """A change for byhand.edit that holds at some times, units and sequences only.

    `time`, `unit` and `batch` are each an index, a slice, a list of indices or a tensor of booleans; negative indices count
    from the end. Along what is not given the change holds everywhere.

    Args:
        change: a number, a tensor or a function, as for edit.
        time: the steps.
        unit: the units.
        batch: the sequences.

    Returns:
        The change, to be given to edit.

    Raises:
        TypeError: `change` is itself made by at, or a choice is none of these.
    """
    for name, where in (("time", time), ("unit", unit), ("batch", batch)):
        check_where("at", name, where)
    if isinstance(change, At):
        raise TypeError("at expected a number, a tensor or a function, got another at(...): say it all in one")
    return At(change, time, unit, batch)


def edit_function(name: str, spec: Changes) -> EditFunction:
    """What an engine calls: value (batch, hidden), time, number of steps -> the changed value. TypeError."""
    if isinstance(spec, list | tuple):
        return in_order(name, spec)
    if isinstance(spec, At):
        return Partly(name, edit_function(name, spec.change), spec)
    if callable(spec):
        return lambda value, time, steps: fitted(name, spec(value), value)
    if isinstance(spec, Tensor) or (isinstance(spec, int | float) and not isinstance(spec, bool)):
        return Replacing(name, spec if isinstance(spec, Tensor) else torch.tensor(spec, dtype=torch.float64, device="cpu"))
    raise TypeError(
        f"edit of {name} expected a number, a tensor, a function or byhand.at(...), or a list of them, got a {type(spec).__name__}"
    )


def in_order(name: str, spec: Sequence[Change | At]) -> InOrder:
    """TypeError for a list of numbers alone, which is rather meant as a tensor."""
    if spec and not any(isinstance(one, At) or callable(one) for one in spec):
        raise TypeError(
            f"edit of {name} expected byhand.at(...) or functions in its list, got a {type(spec[0]).__name__} and the like: numbers for"
            " each unit are torch.tensor([...])"
        )
    return InOrder([edit_function(name, one) for one in spec])


def fitted(name: str, new: object, value: Tensor) -> Tensor:
    """What a function gave, as a tensor of the value's shape and dtype."""
    if isinstance(new, int | float):
        return torch.full_like(value, new)
    if not isinstance(new, Tensor):
        raise TypeError(f"edit of {name} expected its function to give a tensor, got a {type(new).__name__}")
    if new.shape != value.shape:
        raise ValueError(f"edit of {name} expected its function to give shape {tuple(value.shape)}, got {tuple(new.shape)}")
    return new.to(value.dtype)


class InOrder:
    """Several changes, each of what those before it have left."""

    def __init__(self, functions: Sequence[EditFunction]) -> None:
        self.functions = functions

    def __call__(self, value: Tensor, time: int, steps: int) -> Tensor:
        for change in self.functions:
            value = change(value, time, steps)
        return value

    def held(self, shape: Shape, like: Tensor) -> HeldValues | None:
        """As values, if all of them are."""
        return values_of(self.functions, shape, like)


class Replacing:
    """A tensor in the place of the value."""

    def __init__(self, name: str, new: Tensor) -> None:
        self.name, self.new = name, new

    def __call__(self, value: Tensor, time: int, steps: int) -> Tensor:
        self.check((steps, *value.shape))
        step = self.new if self.new.dim() < 3 else self.new[time if len(self.new) > 1 else 0]
        return step.to(value).expand_as(value)

    def held(self, shape: Shape, like: Tensor) -> HeldValues | None:
        """As a value; None if it needs a gradient, which only a function gets."""
        self.check(shape)
        if self.new.requires_grad and torch.is_grad_enabled():
            return None
        value = self.new.to(like).reshape(*(1,) * (3 - self.new.dim()), *self.new.shape)
        return HeldValues(torch.ones(1, 1, 1, dtype=torch.bool, device=like.device), value)

    def check(self, shape: tuple[int, ...]) -> None:
        """ValueError if it does not broadcast to (time, batch, hidden)."""
        new = self.new.shape
        if len(new) > 3 or any(a not in (1, b) for a, b in zip(reversed(new), reversed(shape), strict=False)):
            raise ValueError(
                f"edit of {self.name} expected a tensor that broadcasts to (time, batch, hidden) = {shape}, got shape {tuple(new)}"
            )


class Partly:
    """A change at some times, sequences and units only."""

    def __init__(self, name: str, change: EditFunction, spec: At) -> None:
        self.name, self.change, self.spec = name, change, spec

    def __call__(self, value: Tensor, time: int, steps: int) -> Tensor:
        if not bool(self.chosen("time", steps)[time]):
            return value
        batch, hidden = value.shape
        there = self.chosen("batch", batch).unsqueeze(1) & self.chosen("unit", hidden)
        return torch.where(there.to(value.device), self.change(value, time, steps), value)

    def held(self, shape: Shape, like: Tensor) -> HeldValues | None:
        """As a value, if the change is one."""
        values = values_of([self.change], shape, like)
        if values is None:
            return None
        where = values.where
        for dimension, (along, size) in enumerate(zip(("time", "batch", "unit"), shape, strict=True)):
            if getattr(self.spec, along) is not None:
                mask = self.chosen(along, size).to(like.device)
                where = where & mask.view(*(-1 if one == dimension else 1 for one in range(3)))
        return HeldValues(where, values.value)

    def chosen(self, along: str, size: int) -> Bool[Tensor, " size"]:
        """IndexError for what is not there."""
        return chosen(f"edit of {self.name}", along, getattr(self.spec, along), size)


class Editor:
    """The observer behind edit."""

    reads = False
    in_graph = False

    def __init__(self, paths: Mapping[nn.Module, str], functions: Mapping[str, EditFunction]) -> None:
        self.paths = paths
        self.by_place: dict[str, dict[str, EditFunction]] = {}
        for name, function in functions.items():
            place, _, site = name.rpartition(".")
            self.by_place.setdefault(place, {})[site] = function

    def edits(self, place: str) -> Mapping[str, EditFunction]:
        return self.by_place.get(place, {})

    def observe(self, place: str, call: Call, result: Result) -> None:
        """Nothing to see."""


@contextmanager
def edit(model: nn.Module, changes: Mapping[str, Changes]) -> Iterator[None]:
    """Replace values while the model runs: {"l0.f": change}, for any number of sites.

    All that follows from the site follows from the changed value, as if the equation had said so. Gradients flow through. In
    nested blocks the inner change comes after the outer one.

    Args:
        model: any module with byhand layers inside.
        changes: name of a site -> change. A change is a tensor or number, which replaces the value (broadcast to (time,
            batch, hidden)); a function of the value of one step, (batch, hidden) -> the same shape; byhand.at(change, time=,
            unit=, batch=) to change a part only; or a list of such changes, each of which changes what the one before has
            left.

    Yields:
        Nothing; the changes hold inside the block.

    Raises:
        TypeError: `model` is no module, `changes` no mapping, or a change is none of these; when the model runs, a function
            gives no tensor.
        ValueError: there is no byhand layer in the model; when it runs, a value is of the wrong shape.
        UnknownSiteError: there is no such site; the message names those that there are.
        IndexError: when the model runs, a time, unit or sequence of byhand.at is not there.
    """
    paths = layers(model, "edit")
    if not isinstance(changes, Mapping):
        raise TypeError(f"edit expected a mapping from names to changes, got a {type(changes).__name__}: write {{'l0.f': ...}}")
    known = names(paths)
    for name in changes:
        if name not in known:
            raise unknown("edit", name, known)
    with active(Editor(paths, {name: edit_function(name, change) for name, change in changes.items()})):
        yield
