"""export_onnx: a layer, or a model with layers in it, as an ONNX file, which is run beside the model before it is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from byhand.engine.observe import unobserved
from byhand.engine.precision import exactly
from byhand.files.atomic import write_whole
from byhand.interop.onnx_out.calls import Alone, Called, Inputs, alone_inputs, read_inputs, settings
from byhand.interop.onnx_out.certify import checked, compared, sensitivity
from byhand.interop.onnx_out.expand import Expansion
from byhand.interop.onnx_out.layer import Layer
from byhand.interop.onnx_out.nodes import load
from byhand.interop.onnx_out.operators import operator_of
from byhand.interop.onnx_out.torch_export import exported
from byhand.interop.parity import ParityReport, versions_of
from byhand.interop.probing import evaluating, first_weight, plain_class
from byhand.interop.swaps import Swap, plan_there, restore, swap
from byhand.nn import LSTM, LSTMCell
from byhand.nn.config import Config

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
LOOSEST = {torch.float32: 1e-3, torch.float64: 1e-9}  # of a model that makes more of a rounding of its input
OPSETS = range(17, 21)


def export_onnx(
    module: nn.Module,
    file: str | os.PathLike[str],
    inputs: Tensor | Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    axes: Mapping[str, Mapping[int, str] | Sequence[str | None]] | None = None,
    lengths: str | bool | None = None,
    states: bool = False,
    outputs: Sequence[str] | None = None,
    form: Literal["auto", "scan"] = "auto",
    opset: int = 17,
    sizes: Mapping[str, Sequence[int]] | None = None,
    tolerance: float | None = None,
) -> ParityReport:
    """Write a layer, or a model with layers in it, as an ONNX file for every length and batch.

    A cell that ONNX's LSTM, GRU or RNN holds exactly is written as one such node for each layer of a stack, any other as a Scan whose
    body is the cell's step. torch.nn's own LSTM, GRU and RNN in the model are written in the same way; all else by torch.onnx.export.
    Everything is in eval mode; the module stays as it is.

    The file is checked before it is kept: by onnx.checker, then by running it in onnxruntime beside the module, on the example and at two
    sizes of each free axis. Its metadata hold the cells, the versions and the report.

    Args:
        module: A byhand.LSTM or LSTMCell, or any module.
        file: Where to write to; what was there is replaced.
        inputs: An example of the model's inputs: a tensor, a sequence in forward's order, or a mapping by forward's names, whose values
            may be tuples of tensors. None for a layer alone: its inputs are then `input`, `lengths` and `h_0`, `c_0`, its outputs
            `output` and `h_n`, `c_n` (`h_1`, `c_1` of an LSTMCell).
        axes: The axes that may have any size, by input: {"x": {0: "time", 1: "batch"}} or {"x": ("time", "batch", None)}. Of a tuple of
            tensors, by its name for all of them, or "hx_0", "hx_1" for each. Not given for a layer alone.
        lengths: True, of a layer alone: with an input `lengths`, (batch,), the steps of each sequence. Of a model the name of the input that
            holds lengths; the inputs of the check then have lengths that fit.
        states: Of a layer alone: with its first states as inputs.
        outputs: Names for the outputs, in order; those of a model are output, or output_0, output_1, or the keys of a dict.
        form: "auto", or "scan" for a Scan in the place of every operator, for runtimes that drop what an operator says.
        opset: The version of ONNX's operators, 17 to 20.
        sizes: Two sizes for an axis, at which the file is checked, where the model does not run at those chosen: {"time": (20, 33)}.
        tolerance: The greatest difference, relative to the greatest value of an output where that is above 1. If not given, 1e-5 in
            float32 and 1e-12 in float64; and up to 1e-3 and 1e-9 in a model that makes more of a rounding of its own inputs, as the report
            then says.

    Returns:
        The differences, output by output and size by size.

    Raises:
        TypeError: `module` is no module, or an input or output is no tensor.
        ValueError: An argument is out of range or names what is not there, a parameter is of another number type than float32 and
            float64, a cell's step cannot be written, or the model does not run at the sizes of the check.
        RuntimeError: torch.onnx.export cannot write the model, or the file computes something else, with the figures. Nothing is left.
        ModuleNotFoundError: onnx or onnxruntime is missing: pip install 'byhand[onnx]'.
        OSError: The file cannot be written.
    """
    check_arguments(module, form, opset, lengths, states, alone=inputs is None)
    load("onnx"), load("onnxruntime")
    given = (
        alone_inputs(module, states=states, lengths=bool(lengths))  # type: ignore[arg-type]
        if inputs is None
        else read_inputs(module, inputs, axes, lengths)  # type: ignore[arg-type]
    )
    dtype = number_type(module, given)
    tried = settings(given, sizes)
    called = Called(Alone(module) if inputs is None else module, given.example)  # type: ignore[arg-type]
    with evaluating(called), exactly(next(iter(given.tensors.values())).device.type):
        model, layers = written(called, given, outputs, form, opset, dtype)
        if outputs is not None:
            called.names = list(outputs)
        limit = TOLERANCE[dtype] if tolerance is None else tolerance
        report, shapes = compared(called, given, checked(model), tried, limit, tuple(map(in_words, layers)))
        if not report.ok:
            report = judged(report, sensitivity(called, given, tried), LOOSEST[dtype] if tolerance is None else tolerance)
    name_axes(model, tried, shapes)
    note(model, layers, report)
    write_whole(Path(file), checked(model))
    return report


def check_arguments(module: object, form: object, opset: object, lengths: object, states: object, *, alone: bool) -> None:
    """TypeError, ValueError, and RuntimeError where somebody watches or changes layers."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"export_onnx expected a module, got a {type(module).__name__}")
    if alone and not isinstance(module, LSTM | LSTMCell):
        raise TypeError(
            f"export_onnx expected an example of the inputs of {type(module).__name__}, got none: export_onnx(model, file, {{'x': x}},"
            " axes={'x': {0: 'time', 1: 'batch'}})"
        )
    if form not in ("auto", "scan"):
        raise ValueError(f"export_onnx expected form='auto' or 'scan', got {form!r}")
    if opset not in OPSETS:
        raise ValueError(f"export_onnx expected an opset from {OPSETS[0]} to {OPSETS[-1]}, got {opset!r}")
    if alone and isinstance(lengths, str):
        raise ValueError(f"export_onnx expected lengths=True for a layer alone, got {lengths!r}")
    if alone and lengths and isinstance(module, LSTMCell):
        raise ValueError("export_onnx expected no lengths for an LSTMCell, which runs one step, got lengths=True")
    if not alone and (states or isinstance(lengths, bool)):
        raise ValueError(
            "export_onnx expected states=True and lengths=True for a layer alone only: name the states among the inputs, and the input"
            " that holds lengths by lengths='NAME'"
        )
    if not unobserved():
        raise RuntimeError("export_onnx expected no open record, edit or use_engine around it: call it outside the block")


def judged(report: ParityReport, rounding: float, loosest: float) -> ParityReport:
    """The report, if what it found is rounding. RuntimeError if it is more, with the figures.

    rounding: how far the module's own outputs move when its inputs are rounded once more.
    """
    allowed = min(10 * rounding, loosest)
    moved = f"inputs that are rounded once more move the module's own outputs by {rounding:.1e}"
    if report.worst <= allowed:
        return replace(report, tolerance=allowed, notes=(*report.notes, f"tolerance: ten times that, since {moved}"))
    raise RuntimeError(
        f"export_onnx wrote a file that computes something else; nothing is left on disk. Where rounding is the reason ({moved}), give"
        f" another tolerance=...\n{report}"
    )


def number_type(module: nn.Module, given: Inputs) -> torch.dtype:
    """The one number type of the parameters. ValueError for one in which no runtime computes."""
    values = [*module.parameters(), *given.tensors.values()]
    found = {one.dtype for one in values if one.is_floating_point()}
    wrong = next((one for one in found if one not in TOLERANCE), None)
    if wrong is not None:
        raise ValueError(f"export_onnx expected float32 or float64, got {wrong}: export_onnx(copy.deepcopy(module).float(), ...)")
    return torch.float64 if found == {torch.float64} else torch.float32


@contextmanager
def torchs_as_byhands(model: nn.Module) -> Iterator[None]:
    """Torch's own recurrent layers in the model are byhand's inside the block; subclasses with code of their own stay as they are."""
    plan = [one for one in plan_there(model, keep_class=False)[0] if not one.foreign]
    done: list[tuple[Swap, type[nn.Module], dict[str, Any]]] = []
    try:
        for one in plan:
            done.append((one, type(one.module), dict(vars(one.module))))
            swap(one)
        yield
    finally:
        for one, was, state in done:
            restore(one.module, was, state)


def written(
    called: Called, given: Inputs, outputs: Sequence[str] | None, form: str, opset: int, dtype: torch.dtype
) -> tuple[Any, list[Layer]]:
    """The model with its layers in ONNX's operators, and the layers."""
    tensors = tuple(given.tensors.values())
    with torch.no_grad():
        called(*tensors)
    names = list(called.names if outputs is None else outputs)
    if len(names) != len(called.names) or not names or len({*names, *given.tensors}) < len(names) + len(given.tensors):
        raise ValueError(
            f"export_onnx expected {len(called.names)} names for the outputs, other than those of the inputs, got {names}"
        )
    with torchs_as_byhands(called.model), torch.no_grad():
        try:
            model, modules = exported(called, tensors, list(given.tensors), names, given.axes, opset)
        except ValueError:
            raise
        except Exception as problem:  # the exporter has errors of many kinds
            raise RuntimeError(
                f"torch.onnx.export cannot write this model; nothing is left on disk: {' '.join(str(problem).split())[:400]}"
            ) from problem
        layers = [layer_of(called.model, one, form) for one in modules]
        Expansion(model, layers, opset, dtype).run()
    return model, layers


def layer_of(model: nn.Module, module: nn.Module, form: str) -> Layer:
    """How a layer is written."""
    found = next((path for path, one in model.named_modules() if one is module), type(module).__name__)
    path = found.removeprefix("layer") if isinstance(model, Alone) else found
    config = Config.of(module) if isinstance(module, LSTM) else module.reader.config  # type: ignore[union-attr]
    exact = form == "auto" and not config.proj_size and first_weight(module).dtype == torch.float32
    return Layer(module, path, config, operator_of(config.cell) if exact else None, set())


def in_words(layer: Layer) -> str:
    """A layer's line in the report."""
    name = layer.path or plain_class(layer.module).__name__
    return f"{name}: cell {layer.config.cell.name}, as {' and '.join(sorted(layer.forms))}"


def name_axes(model: Any, tried: list[dict[str, int]], shapes: list[dict[str, tuple[int, ...]]]) -> None:
    """Give the outputs' free axes the names of those that they were as large as at every size of the check; the others no name, but
    their size where ONNX itself infers it.
    """
    inferred = load("onnx").shape_inference.infer_shapes(model).graph.output
    for output, known in zip(model.graph.output, inferred, strict=True):
        dimensions = zip(output.type.tensor_type.shape.dim, known.type.tensor_type.shape.dim, strict=True)
        for axis, (dimension, other) in enumerate(dimensions):
            seen = [shape[output.name][axis] for shape in shapes]
            fits = [name for name in tried[0] if all(one[name] == size for one, size in zip(tried, seen, strict=True))]
            if fits and len(set(seen)) > 1:
                dimension.dim_param = fits[0]
            elif dimension.HasField("dim_param"):
                dimension.Clear()
                if other.HasField("dim_value"):
                    dimension.dim_value = other.dim_value


def note(model: Any, layers: list[Layer], report: ParityReport) -> None:
    """Write into the file's metadata what it was made from and how it was checked."""
    cells = {layer.path: {"cell": layer.config.cell.name, "form": sorted(layer.forms)} for layer in layers}
    words = {
        "byhand.version": versions_of()["byhand"],
        "byhand.cells": json.dumps(cells),
        "byhand.certificate": report.to_json(),
    }
    for key, value in words.items():
        model.metadata_props.add(key=key, value=value)
