"""byhand explore MODEL.onnx: the model is run on the user's input, and one recurrent layer is shown on its true input inside the model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byhand.engine.names import parse_place
from byhand.explorer.explorer import Explorer, explore
from byhand.explorer.load.model import STEPS
from byhand.explorer.load.onnx_fit import Filled, fill
from byhand.interop.choosing import meant
from byhand.interop.onnx_in.model import OnnxModel, open_onnx
from byhand.trace import Trace
from byhand.trace.record import record
from byhand.trace.run import Run, join

if TYPE_CHECKING:
    from byhand.interop.onnx_in.given import Input

PIECES = "a model that hears its input piece by piece: --chunk SIZE, and --context SIZE if each piece begins with the end of the one before"


def explore_onnx(options: argparse.Namespace) -> Explorer:
    """The explorer on one layer of a model. ValueError, TypeError, OSError, ModuleNotFoundError, which say what to do."""
    refuse_others(options)
    model = open_onnx(options.checkpoint)
    filled = fill(model.inputs, options.input, options.set, options.zeros, options.time_axis)
    notices = [f"left to onnxruntime: {name}: {why}" for name, why in model.left.items()] + filled.notices
    trace = Trace()
    try:
        with torch.no_grad(), record(model) as trace:
            notices += run_pieces(model, filled, options.chunk, options.context)
    except (RuntimeError, ValueError) as problem:
        if str(problem).startswith("--"):
            raise
        hint = "" if options.chunk else f"; or it is {PIECES}"
        raise ValueError(f"{options.checkpoint}: the model does not run on this input: {problem}{hint}") from problem
    name = chosen(model, trace, options.node)
    notices += others(model, trace, name)
    notices.append(certified(model))
    title = options.title or " on ".join(
        filter(None, [f"{options.checkpoint.name}, {model.titles[name]}", options.input and options.input.name])
    )
    made = page(model, name, trace, title, options, filled)
    made.document["notices"] += notices
    return made


def refuse_others(options: argparse.Namespace) -> None:
    """ValueError for options of other kinds of files, and for what makes no sense together."""
    for name, instead in (
        ("layer", "write --node"),
        ("layout", "its node says it"),
        ("cell", "its cells are in the file"),
        ("sequence", "give several sequences in an .npz"),
    ):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name}: not of an ONNX model: {instead}")
    if options.chunk is not None and options.chunk < 1:
        raise ValueError(f"--chunk: expected at least 1, got {options.chunk}")
    if options.context < 0 or (options.context and options.chunk is None):
        raise ValueError(f"--context: expected a number from 0 on beside --chunk, got {options.context}")
    if options.chunk is not None and (options.input is None or options.input.suffix.lower() == ".npz"):
        raise ValueError("--chunk: expected an --input that is one series, such as a .wav or .csv file")


def run_pieces(model: OnnxModel, filled: Filled, chunk: int | None, context: int) -> list[str]:
    """Run the model on the whole input, or piece by piece with its states handed on; gives what there is to say of it. ValueError."""
    if filled.name is None or filled.value is None:
        model(filled.values)
        return []
    if chunk is None:
        model(filled.values | {filled.name: filled.value})
        return []
    values, steps = dict(filled.values), filled.value.shape[filled.axis]
    count = min(steps // chunk, STEPS)
    if not count:
        raise ValueError(f"--chunk: expected at most the {steps} steps of the input, got {chunk}")
    handed: dict[str, str] = {}
    for number, piece in enumerate(pieces(filled.value, filled.axis, chunk, context, count)):
        outputs = model(values | {filled.name: piece})
        handed = handed_on(model.inputs, filled.states, values, outputs) if not number else handed
        values |= {state: outputs[output] for state, output in handed.items()}
    said = [
        f"called {count} times on {chunk} steps of {filled.name}" + (f" after the {context} before them" if context else "")
    ]
    said += [f"{output} of each call is {state} of the next" for state, output in handed.items()]
    said += [f"{name} is the same in every call" for name in filled.values if name not in handed]
    left = steps - count * chunk
    return said + ([f"the last {left} steps of the input are left out"] if left else [])


def pieces(value: Tensor, axis: int, chunk: int, context: int, count: int) -> Iterator[Tensor]:
    """Each with the context before it, zeros before the first."""
    sizes = list(value.shape)
    sizes[axis] = context
    padded = torch.cat([value.new_zeros(sizes), value], axis)
    for number in range(count):
        yield padded.narrow(axis, number * chunk, context + chunk).contiguous()


def handed_on(inputs: list[Input], states: list[str], values: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, str]:
    """State input -> the output that is its next value: those of its sizes and type, in order. ValueError if they are not as many."""
    found: dict[str, str] = {}
    for state in states:
        alike = [one for one in states if same(values[one], values[state])]
        there = [name for name, value in outputs.items() if isinstance(value, Tensor) and same(value, values[state])]
        if len(there) != len(alike):
            raise ValueError(
                f"--chunk: expected an output {list(values[state].shape)} for the next {', '.join(alike)}, got {', '.join(there) or 'none'}"
            )
        found[state] = there[alike.index(state)]
    return found


def same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype


def chosen(model: OnnxModel, trace: Trace, wanted: str | None) -> str:
    """The layer that --node names, or the first that ran. ValueError."""
    ran = layers_in(trace)
    if not ran:
        raise ValueError(f"expected a recurrent layer to run on this input, and none of {', '.join(model.layers)} did")
    if wanted is None:
        return ran[0]
    found = meant(model.titles, wanted)
    found = [name for name in found if name in ran] or found
    if len(found) != 1:
        raise ValueError(
            f"--node {wanted}: expected the name of one layer, got {', '.join(found) or 'none'}; there are {', '.join(model.layers)}"
        )
    if found[0] not in ran:
        raise ValueError(f"--node {wanted}: {found[0]} does not run on this input; {', '.join(ran)} does")
    return found[0]


def layers_in(trace: Trace) -> list[str]:
    return list(dict.fromkeys(parse_place(place)[0] for place in trace.places))


def others(model: OnnxModel, trace: Trace, name: str) -> list[str]:
    """What there is to say of the layers that are not shown."""
    ran, found = [one for one in layers_in(trace) if one != name], []
    quiet = [one for one in model.layers if one != name and one not in ran]
    if ran:
        found.append(f"these ran too: {', '.join(ran)}; one of them: --node {ran[0]}")
    if quiet:
        found.append(f"these did not run on this input: {', '.join(quiet)}")
    return found


def certified(model: OnnxModel) -> str:
    """What the certificate says, in a line."""
    try:
        report = model.certificate
    except (RuntimeError, ValueError) as problem:
        return f"not compared with onnxruntime: {problem}"
    notes = "".join(f"; {note}" for note in report.notes)
    verdict = "equal to onnxruntime" if report.ok else "DIFFERENT from onnxruntime"
    return f"{verdict} on the last call: greatest difference {report.worst:.1e}, {report.tolerance:g} allowed{notes}"


def page(model: OnnxModel, name: str, trace: Trace, title: str, options: argparse.Namespace, filled: Filled) -> Explorer:
    """The layer itself on what went into it, live, where its calls are one sequence; else what was recorded."""
    runs = {place: several for place, several in trace.runs.items() if parse_place(place)[0] == name}
    first = next(iter(runs.values()))
    shared = {"title": title, "full": options.full, "name": "layer"}
    notice = f"in Python: layer = byhand.open_onnx({options.checkpoint.name!r}).layers[{name!r}]"
    if len(first) > 1 and not all(
        parse_place(place)[1].reverse is False and goes_on(several) for place, several in runs.items()
    ):
        made = explore(Trace(runs), **shared)
        made.document["notices"].append(f"{len(first)} calls, which are not one sequence, one after the other; {notice}")
        return made
    whole = {place: join(place, several) if len(several) > 1 else several[0] for place, several in runs.items()}
    run = next(iter(whole.values()))
    lengths = run.valid.sum(0)
    kept = (lengths > 0).nonzero().flatten()
    if not len(kept):
        raise ValueError(f"{name} got sequences of length 0 only: there is nothing to show")
    states = [torch.stack([one.initial[state][kept] for one in whole.values()]) for state in run.initial]
    hx = tuple(states) if len(states) > 1 else states[0]
    layer = model.layers[name]
    given: dict[str, Any] = {"hx": hx, "lengths": None if bool(run.valid[:, kept].all()) else lengths[kept]}
    features = filled.features if filled.features is not None and len(filled.features) == layer.input_size else None
    made = explore(layer, run.input[:, kept], **given, items=items_for(options.input, kept), features=features, **shared)
    gone = [f"{len(lengths) - len(kept)} sequence(s) of length 0 are left out"] if len(kept) < len(lengths) else []
    made.document["notices"] += [*gone, notice]
    return made


def items_for(path: Path | None, kept: Tensor) -> list[str]:
    """Names of the sequences: the file, and a number where there are several."""
    name = path.name if path is not None else "sequence"
    return [name] if len(kept) == 1 else [f"{name}, {number + 1}" for number in kept.tolist()]


def goes_on(runs: list[Run]) -> bool:
    """Whether each call begins with exactly the states that the one before has left, so that they are one sequence."""
    for before, after in pairwise(runs):
        same_batch = before.input.shape[1:] == after.input.shape[1:] and bool(before.valid.all())
        if not same_batch or not all(torch.equal(before.value(state)[-1], value) for state, value in after.initial.items()):
            return False
    return True
