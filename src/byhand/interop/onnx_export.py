"""export_onnx: a layer, or a model with layers in it, as an ONNX file, which is run beside the model before it is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from byhand.engine.observe import unobserved
from byhand.engine.precision import exactly
from byhand.files.atomic import write_whole
from byhand.interop.onnx_out.calls import Alone, Called, Inputs, alone_inputs, read_inputs
from byhand.interop.onnx_out.certify import checked, compared, judged, sensitivity
from byhand.interop.onnx_out.labels import in_words, name_axes, note
from byhand.interop.onnx_out.nodes import load
from byhand.interop.onnx_out.sizes import settings
from byhand.interop.onnx_out.writing import written
from byhand.interop.parity import ParityReport
from byhand.nn import LSTM, LSTMCell
from byhand.nn.modes import evaluating

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
        lengths: True, of a layer alone: with an input `lengths`, (batch,), the steps of each sequence. Of a model the name of the
            input that holds lengths; the inputs of the check then have lengths that fit.
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
    for package in ("onnx", "onnxruntime"):
        load(package)
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


def number_type(module: nn.Module, given: Inputs) -> torch.dtype:
    """The one number type of the parameters. ValueError for one in which no runtime computes."""
    values = [*module.parameters(), *given.tensors.values()]
    found = {one.dtype for one in values if one.is_floating_point()}
    wrong = next((one for one in found if one not in TOLERANCE), None)
    if wrong is not None:
        raise ValueError(
            f"export_onnx expected float32 or float64, got {wrong}: export_onnx(copy.deepcopy(module).float(), ...)"
        )
    return torch.float64 if found == {torch.float64} else torch.float32
