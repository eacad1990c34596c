"""Diagnosis: what is wrong with a model, or looks it, each with its evidence and advice.

Of any module: parameters that are not finite or silent, that nothing depends on, or that are one parameter in disguise
(parameter_checks). Of the byhand layers inside: numbers that are not finite, dead inputs and units, gates that are always shut or
open or saturated, duplicated units, memories that drift (trace_checks), gradients that vanish or explode over the steps
(gradient_checks).

A finding is a reason to look, with the number that gave it; limits stand in the files of the checks. Nothing of the model is
changed: it is run in evaluation mode, and put back as it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from byhand.engine.dispatch import use_engine
from byhand.explain.findings import Diagnosis, Finding
from byhand.explain.gradient_checks import check_gradients
from byhand.explain.gradient_paths import cells_of, main_state
from byhand.explain.parameter_checks import Scalar, check_parameters, check_values
from byhand.explain.places import is_reverse, name_of
from byhand.explain.running import differentiable, function, same_random_numbers, single
from byhand.explain.trace_checks import Seen, check_traces
from byhand.nn import LSTM, LSTMCell
from byhand.record import record
from byhand.trace import Run, steps_of

if TYPE_CHECKING:
    Loss = Callable[[Any, Any], Tensor]
    Call = Callable[[nn.Module, Any], Any]


def diagnose(
    model: nn.Module,
    data: Tensor | PackedSequence | Iterable[Any],
    loss: Loss | None = None,
    *,
    call: Call | None = None,
    most: int = 32,
) -> Diagnosis:
    """Look for what is commonly wrong with recurrent models. False, and "nothing found", where nothing is.

    data: one input, or any iterable of them, such as a list or a DataLoader; of a list or tuple, as loaders give, the model gets the
    first part. call: a function of model and item that gives the output, where the model wants something else. loss: a function of
    output and item that gives one number; without it, gradients are those of a random mixture of all outputs. most: how many items
    are looked at. TypeError, ValueError.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"diagnose expected a module, got a {type(model).__name__}")
    items = listed(data, most)
    call = called if call is None else function(call, "diagnose", "call")
    scalar = mixture if loss is None else one_number(function(loss, "diagnose", "loss"))
    with evaluating(model), use_engine("reference"):  # there is nothing to compile for a few runs
        findings = [
            *check_values(model),
            *layer_findings(model, call, items, scalar),
            *check_parameters(model, call, items, scalar),
        ]
    inputs = "1 input" if len(items) == 1 else f"{len(items)} inputs"
    return Diagnosis(findings, f"looked at {type(model).__name__} on {inputs}")


def listed(data: Any, most: int) -> list[Any]:
    """The items that are looked at. TypeError, ValueError."""
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ValueError(f"diagnose expected most to be at least 1, got {most!r}")
    if not isinstance(data, Tensor | PackedSequence | Iterable):
        raise TypeError(f"diagnose expected an input, or a list or DataLoader of several, got a {type(data).__name__}")
    items = [data] if isinstance(data, Tensor | PackedSequence) else list(itertools.islice(data, most))
    if not items:
        raise ValueError("diagnose expected data with at least one input, got none")
    for index, item in enumerate(items):
        found = list(tensors(item))
        if found and not any(value.numel() for value in found):
            raise ValueError(f"diagnose got nothing to look at in input {index}: it is of shape {tuple(found[0].shape)}")
    return items


def one_number(loss: Loss) -> Loss:
    """The same loss. TypeError, ValueError where it gives anything else than one number."""

    def checked(output: Any, item: Any) -> Tensor:
        return single(loss(output, item), "diagnose", "loss")

    return checked


def called(model: nn.Module, item: Any) -> Any:
    return model(item[0]) if isinstance(item, list | tuple) and not isinstance(item, PackedSequence) else model(item)


def mixture(output: Any, item: Any) -> Tensor:
    """All outputs, each times a random number that is always the same."""
    generator = torch.Generator().manual_seed(0)
    parts = [
        (value * torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)).sum()
        for value in tensors(output)
        if value.is_floating_point() and value.requires_grad
    ]
    if not parts:
        raise ValueError("diagnose found no output that has a gradient: say loss=, or call= if the model is called otherwise")
    return torch.stack(parts).sum()


def tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, PackedSequence):
        yield output.data
    elif isinstance(output, dict):
        for one in output.values():
            yield from tensors(one)
    elif isinstance(output, list | tuple):
        for one in output:
            yield from tensors(one)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """In evaluation mode, and afterwards each module as it was."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def layer_findings(model: nn.Module, call: Call, items: Sequence[Any], scalar: Scalar) -> Iterator[Finding]:
    """Of all byhand layers inside, on all items."""
    if not any(isinstance(module, LSTM | LSTMCell) for module in model.modules()):
        return
    cells = cells_of(model)
    runs: dict[str, list[Run]] = {place: [] for place in cells}
    ways: dict[str, list[Tensor]] = {place: [] for place in cells}
    for item in items:
        with torch.no_grad(), same_random_numbers(0), record(model) as trace:
            call(model, item)
        for place, seen in trace.runs.items():
            runs[place] += seen
        for place, found in lengths(model, call, item, scalar).items():
            ways[place] += found
    for place, cell in cells.items():
        if runs[place]:
            yield from check_traces(Seen(place, cell, is_reverse(place), runs[place]))
            yield from check_gradients(place, main_state(cell), ways[place])


def lengths(model: nn.Module, call: Call, item: Any, scalar: Scalar) -> dict[str, list[Tensor]]:
    """For every place and call, how long the gradient by the memory is at each step, over units and sequences."""
    cells = cells_of(model)
    names = [name_of(place, main_state(cell)) for place, cell in cells.items()]
    given = differentiable(item) if isinstance(item, Tensor | PackedSequence) else item
    with torch.enable_grad(), same_random_numbers(0), record(model, names, detach=False) as trace:
        value = scalar(call(model, given), given)
        steps = [
            (place, list(steps_of(run.sites[main_state(cells[place])])))
            for place, several in trace.runs.items()
            for run in several
        ]
        asked = [step for _, values in steps for step in values]
        if not value.requires_grad or not all(step.requires_grad for step in asked):  # all is frozen
            return {}
        found = iter(torch.autograd.grad(value, asked, allow_unused=True, materialize_grads=True))
    ways: dict[str, list[Tensor]] = {}
    for place, values in steps:
        ways.setdefault(place, []).append(torch.stack([next(found).double().norm() for _ in values]))
    return ways
