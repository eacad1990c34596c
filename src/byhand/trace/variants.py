"""Variants: runs of one model on one input that differ in what is held; a layer computes them together where it can.

A model runs from start to end once for each variant, so that whatever it is made of, it does what it does. But a byhand layer that is
called with the very numbers that it was called with in the first run, where nothing was held, gives

    what it gave then                                       if nothing of it is held in this variant
    its part of one call for many variants at once          otherwise: the sequences repeated, each copy with its own masks and values

and else runs as ever: a layer that follows one that is held, the later steps of a loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from byhand.engine import transforms
from byhand.engine.names import join, split
from byhand.engine.observe import EditFunction, active, unwatched
from byhand.nn import LSTM, LSTMCell
from byhand.trace.edit import Editor, edit_function
from byhand.trace.layers import places
from byhand.trace.repeated import ByCopy, Layout, copied, equal, is_simple, parts, repeated

if TYPE_CHECKING:
    from byhand.engine.call import Call, Result
    from byhand.trace.edit import Changes

BYTES = 32 << 20  # of what one call for many variants reads and writes, about; a single variant may be larger


class First(NamedTuple):
    """A layer's call in the first run: what it was given, what it gave, with which weights; and parts of a call for many variants."""

    given: tuple[Any, ...]
    result: Any
    weights: tuple[tuple[str, Tensor, int], ...]
    slots: int  # for parameters, with those that are None
    parts: dict[int, Any]


class Variants:
    """The observer behind them. In `first()` the model runs as it is; after that plan() says what is held, and in `held(k)` it runs as
    variant k says.
    """

    reads = in_graph = False

    def __init__(self, paths: Mapping[nn.Module, str]) -> None:
        self.paths = paths
        self.module_of = {join(path, place): module for module, path in paths.items() for place in places(module)}  # type: ignore[arg-type]
        self.calls: Counter[nn.Module] = Counter()
        self.before: dict[tuple[nn.Module, int], First] = {}
        self.planned: list[Mapping[str, EditFunction]] = []
        self.now: int | None = None

    @contextmanager
    def first(self) -> Iterator[None]:
        """The run with which the others are compared."""
        self.calls.clear()
        with active(self):
            yield

    def plan(self, changes: Sequence[Mapping[str, Changes]]) -> None:
        """What is held in each variant: name of a site -> change, as for edit. TypeError."""
        self.planned = [{name: edit_function(name, change) for name, change in one.items()} for one in changes]

    @contextmanager
    def held(self, variant: int) -> Iterator[None]:
        """A run of this variant; the cheapest order is that of the plan."""
        self.calls.clear()
        self.now = variant
        try:
            with active(self):
                yield
        finally:
            self.now = None

    def edits(self, place: str) -> Mapping[str, EditFunction]:
        held = {} if self.now is None else self.planned[self.now]
        return {split(name)[1]: change for name, change in held.items() if split(name)[0] == place}

    def observe(self, place: str, call: Call, result: Result) -> None:
        """Nothing to see."""

    def answer(self, module: nn.Module, given: tuple[Any, ...], run: Callable[..., Any], *, alone: bool) -> Any:
        """See byhand.engine.observe.answered."""
        key = module, self.calls[module]
        self.calls[module] += 1
        if self.now is None:
            self.before.pop(key, None)
            result = run(*given)
            weights = own_weights(module) if is_simple(given) and is_repeatable(module) else None
            if weights is not None:
                self.before[key] = First(copied(given), copied(result), weights, len(module._parameters), {})
            return result
        before = self.before.get(key)
        if before is None or not alone or not is_repeatable(module) or not is_as_before(module, given, before):
            return run(*given)
        if not self.concerns(self.now, module):
            return copied(before.result)
        if self.now not in before.parts and not self.run_together(module, before):
            return run(*given)
        return before.parts.pop(self.now)

    def concerns(self, variant: int, module: nn.Module) -> bool:
        return any(self.module_of[split(name)[0]] is module for name in self.planned[variant])

    def run_together(self, module: nn.Module, before: First) -> bool:
        """Run this variant and the next ones of this layer in one call; False if there is but one."""
        assert self.now is not None
        assert isinstance(module, LSTM | LSTMCell)
        following = (k for k in range(self.now, len(self.planned)) if self.concerns(k, module))
        variants = list(islice(following, max(1, BYTES // bytes_of(module, before.given[0]))))
        count, layout = len(variants), Layout.of(module, before.given[0])
        before.parts.clear()
        if count == 1:
            return False
        names = {name for k in variants for name in self.planned[k] if self.module_of[split(name)[0]] is module}
        together = {name: ByCopy([self.planned[k].get(name) for k in variants]) for name in sorted(names)}
        with unwatched(), active(Editor(self.paths, together)):
            made = module.run(*repeated(before.given, layout, count))
        before.parts.update(zip(variants, parts(made, before.result, layout, count), strict=True))
        return True


def bytes_of(module: LSTM | LSTMCell, input: Any) -> int:
    """What one variant takes, about: input and output of every layer, and masks and values of one site that may differ at each step."""
    data = input if isinstance(input, Tensor) else input.data
    rows = data.numel() // module.input_size
    width = module.input_size + 4 * module.hidden_size * len(module.sublayers)
    return max(1, rows * width * data.element_size())


def is_repeatable(module: nn.Module) -> bool:
    """Whether the layer's answer follows from what it is given, without gradients: nothing is drawn, and nobody listens in on torch."""
    draws = module.training and (getattr(module, "dropout", 0) or module.cell.noise)  # type: ignore[union-attr]
    return not draws and not torch.is_grad_enabled() and transforms.is_plain()


def own_weights(module: nn.Module) -> tuple[tuple[str, Tensor, int], ...] | None:
    """The parameters by name, with how often they were written to; None if the layer multiplies by anything but its own."""
    assert isinstance(module, LSTM | LSTMCell)
    layers = (
        [module.layer_parameters(one) for one in module.sublayers] if isinstance(module, LSTM) else [module.layer_parameters]
    )
    own = module._parameters
    if any(own.get(name) is None or own[name].is_inference() for layer in layers for name in layer.names()):  # type: ignore[union-attr]
        return None
    return tuple((name, one, one._version) for name, one in own.items() if one is not None)


def is_as_before(module: nn.Module, given: tuple[Any, ...], before: First) -> bool:
    """Whether the layer multiplies what it multiplied in the first run."""
    own = module._parameters
    same = all(own.get(name) is one and one._version == version for name, one, version in before.weights)
    return same and len(own) == before.slots and equal(given, before.given)
