"""Diagnosis: what is wrong with a model, or looks it, each with its evidence and advice.

Of any module: parameters that are not finite or silent, that nothing depends on, or that are one parameter in disguise
(parameter_checks). Of the byhand layers inside: numbers that are not finite, dead inputs and units, gates that are always shut or
open or saturated, duplicated units (trace_checks), memories that drift (drift_check), gradients that vanish or explode over the
steps (gradient_checks).

A finding is a reason to look, with the number that gave it; limits stand in the files of the checks. Nothing of the model is
changed: it is run in evaluation mode, and put back as it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from byhand.engine.dispatch import use_engine
from byhand.engine.names import is_reverse
from byhand.engine.observe import active
from byhand.explain.calls import goes_on, parts
from byhand.explain.diagnose.drift_check import Drift
from byhand.explain.diagnose.findings import Diagnosis, Finding
from byhand.explain.diagnose.gradient_checks import check_gradients
from byhand.explain.diagnose.parameter_checks import Scalar, check_parameters, check_values
from byhand.explain.diagnose.seen import Seen
from byhand.explain.diagnose.trace_checks import check_traces
from byhand.explain.execution import Watched, differentiable_inputs, fits, function, run, same_random_numbers, single
from byhand.explain.gradient_paths import cells_of, main_state
from byhand.explain.lookup import along_time, in_order, name_of
from byhand.explain.progress import progress
from byhand.nn import LSTM, LSTMCell
from byhand.nn.modes import evaluating
from byhand.trace.layers import layers
from byhand.trace.record import record
from byhand.trace.run import Run, steps_of

if TYPE_CHECKING:
    Loss = Callable[[Any, Any], Tensor]
    Call = Callable[[nn.Module, Any], Any]

ALL: dict[str, Any] = {"allow_unused": True, "materialize_grads": True, "retain_graph": True}


def diagnose(
    model: nn.Module,
    data: Tensor | PackedSequence | tuple[Any, ...] | Mapping[str, Any] | Iterable[Any],
    loss: Loss | None = None,
    *,
    call: Call | None = None,
    most: int = 32,
) -> Diagnosis:
    """Look for what is commonly wrong with recurrent models.

    Args:
        model: any module.
        data: one input: a tensor, a PackedSequence, a tuple of the model's arguments, or a mapping of them by name. Or several of
            these in a list, a DataLoader or any other iterable. Of an item that is a list or tuple, as loaders give, the model gets
            the first part (again a tuple or mapping, if it takes several arguments); or all parts, if it cannot be called with one.
        loss: a function of output and item that gives one number; without it, gradients are those of a random mixture of all outputs.
        call: a function of model and item that gives the output, where the model wants something else.
        most: how many items are looked at.

    Returns:
        The findings, in the order of the checks; false, and printed as "nothing found", where nothing is.

    Raises:
        TypeError: an argument is of the wrong type, the model cannot be called with an item, or `loss` gives no tensor.
        ValueError: there is nothing to look at, `most` is below 1, `loss` gives more than one number, or, without `loss`, no
            output has a gradient.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"diagnose expected a module, got a {type(model).__name__}")
    items = listed(model, data, most, free=call is not None)
    call = (run if alone(data) else called) if call is None else function(call, "diagnose", "call")
    scalar = mixture if loss is None else one_number(function(loss, "diagnose", "loss"))
    with progress("diagnose"), evaluating(model), use_engine("reference"):  # there is nothing to compile for a few runs
        findings = [
            *check_values(model),
            *layer_findings(model, call, items, scalar),
            *check_parameters(model, call, items, scalar),
        ]
    inputs = "1 input" if len(items) == 1 else f"{len(items)} inputs"
    return Diagnosis(findings, f"looked at {type(model).__name__} on {inputs}")


def alone(data: Any) -> bool:
    """Whether it is one input, not several."""
    return isinstance(data, Tensor | PackedSequence | Mapping) or type(data) is tuple


def listed(model: nn.Module, data: Any, most: int, *, free: bool) -> list[Any]:
    """The items that are looked at. free: how the model is called is not known. TypeError, ValueError."""
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ValueError(f"diagnose expected most to be at least 1, got {most!r}")
    if not isinstance(data, Iterable):
        raise TypeError(f"diagnose expected an input, or a list or DataLoader of several, got a {type(data).__name__}")
    if type(data) is tuple and not free and not fits(model, *data):
        raise TypeError(
            f"diagnose expected a tuple to hold the arguments of {type(model).__name__}, got {len(data)}, with which it cannot be called:"
            " several inputs go into a list, [x, y]"
        )
    items = [data] if alone(data) else list(itertools.islice(data, most))
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
    """The output for one of several items. TypeError if it is not plain what of the item the model takes."""
    if not isinstance(item, list | tuple) or isinstance(item, PackedSequence):
        return run(model, item)
    first = item[0]
    if fits(model, *first) if type(first) is tuple else fits(model, first):
        return run(model, first)
    if isinstance(first, Mapping) and fits(model, **first):
        return run(model, first)
    if fits(model, *item):
        return model(*item)
    raise TypeError(
        f"diagnose expected items of which {type(model).__name__} takes the first part, or all {len(item)} parts, and it can be called"
        " with neither: say call=, as in call=lambda model, item: model(item[0], item[2])"
    )


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


def layer_findings(model: nn.Module, call: Call, items: Sequence[Any], scalar: Scalar) -> Iterator[Finding]:
    """Of all byhand layers inside, on all items. Several calls of a layer are taken along time, if their batches are of one size."""
    if not any(isinstance(module, LSTM | LSTMCell) for module in model.modules()):
        return
    cells = cells_of(model)
    runs: dict[str, list[Run]] = {place: [] for place in cells}
    ways: dict[str, list[Tensor]] = {place: [] for place in cells}
    drifts = {place: Drift(place, main_state(cell), []) for place, cell in cells.items()}
    for item in items:
        with torch.no_grad(), same_random_numbers(0), record(model) as trace:
            call(model, item)
        for place, calls in along_time(trace).runs.items():
            runs[place] += calls
        for place, seen, by_loss, by_mixture in gradients(model, call, item, scalar):
            if by_loss is not None:
                ways[place] += lengths(seen, main_state(cells[place]), by_loss, reverse=is_reverse(place))
            drifts[place].add(seen, by_mixture)
    for place, cell in cells.items():
        if runs[place]:
            yield from check_traces(Seen(place, cell, is_reverse(place), runs[place]))
            drift = list(drifts[place].findings())
            yield from drift
            for finding in check_gradients(place, main_state(cell), ways[place]):
                if (
                    finding.kind != "exploding gradients" or not drift
                ):  # what is heard no more gets no gradient: that is no growth before
                    yield finding


def gradients(model: nn.Module, call: Call, item: Any, scalar: Scalar) -> Iterator[tuple[str, Run, Tensor | None, Tensor]]:
    """For every place and call: the call, and the gradients by its memory, (time, batch, hidden): that of the loss, if it has one, and
    that of a mixture of all that the layers hand on.
    """
    cells, paths = cells_of(model), layers(model, "diagnose")
    names = [name_of(place, main_state(cell)) for place, cell in cells.items()]
    watched = Watched(paths)
    live = record(model, names, detach=False)
    with torch.enable_grad(), same_random_numbers(0), live as trace, active(watched), differentiable_inputs(paths):
        value = scalar(call(model, item), item)
    found = [
        (place, seen, list(steps_of(seen.sites[main_state(cells[place])])))
        for place, several in along_time(trace).runs.items()
        for seen in several
    ]
    asked = [step for _, _, steps in found for step in steps]
    if not asked:
        return
    by_mixture = iter(torch.autograd.grad(mixture(watched.outputs, None), asked, **ALL))
    by_loss = iter(torch.autograd.grad(value, asked, **ALL)) if value.requires_grad else None
    for place, seen, steps in found:
        of_loss = None if by_loss is None else torch.stack([next(by_loss) for _ in steps])
        yield place, seen, of_loss, torch.stack([next(by_mixture) for _ in steps])


def lengths(seen: Run, state: str, gradient: Tensor, *, reverse: bool) -> list[Tensor]:
    """How long the gradient is at each step, over units and sequences, in the direction's order. Calls that begin elsewhere, or that no
    gradient reaches, as where states are detached between them, are apart.
    """
    way = in_order(gradient, reverse=reverse).double().flatten(1).norm(dim=1)
    on = goes_on(seen, state, reverse=reverse).any(1)
    starts = [part.start for part in parts(seen, reverse=reverse)[1:]]
    return list(way.tensor_split([start for start in starts if not bool(on[start]) or not bool(way[:start].any())]))
