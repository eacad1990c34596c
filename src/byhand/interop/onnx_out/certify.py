"""What is checked before a file is kept: ONNX's own checker, then onnxruntime beside the module, at several lengths and batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from byhand.interop.onnx_out.calls import Called, Inputs
from byhand.interop.onnx_out.nodes import load
from byhand.interop.onnx_out.sizes import resized
from byhand.interop.parity import ParityReport, relative, versions_of

LOOP = (
    "a loop over steps in the model's own code is written for the example's length, and a size that it computes in Python is written as a"
    " number"
)


def checked(model: Any) -> bytes:
    """The file's bytes, which onnx.checker accepts. ValueError."""
    onnx = load("onnx")
    try:
        content = model.SerializeToString()
        onnx.checker.check_model(content, full_check=True)
    except Exception as problem:  # protobuf and the checker have errors of their own
        raise RuntimeError(
            f"export_onnx wrote what onnx.checker refuses; nothing is left on disk: {first_lines(problem)}"
        ) from problem
    return content


def compared(
    called: Called,
    inputs: Inputs,
    content: bytes,
    settings: Sequence[Mapping[str, int]],
    tolerance: float,
    notes: tuple[str, ...],
) -> tuple[ParityReport, list[dict[str, tuple[int, ...]]]]:
    """How far onnxruntime is from the module, and the shapes of the outputs at each of the settings. RuntimeError if it cannot run."""
    runtime = load("onnxruntime")
    generator = torch.Generator().manual_seed(0)
    try:
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # onnxruntime's errors have no base of their own
        raise RuntimeError(
            f"export_onnx wrote what onnxruntime cannot load; nothing is left on disk: {first_lines(problem)}"
        ) from problem
    values: dict[str, float] = {}
    shapes = []
    for setting in [None, *settings]:
        where = "the example" if setting is None else ", ".join(f"{name} {size}" for name, size in setting.items())
        tensors = list(inputs.tensors.values()) if setting is None else resized(inputs, setting, generator)
        ours = run_module(called, tensors, where)
        try:
            theirs = run_there(session, dict(zip(inputs.tensors, tensors, strict=True)))
        except Exception as problem:
            raise RuntimeError(
                f"export_onnx wrote what onnxruntime cannot run at {where}; nothing is left on disk: {first_lines(problem)}; {LOOP}"
            ) from problem
        names = [one.name for one in session.get_outputs()]
        for name, mine, other in zip(names, ours, theirs, strict=True):
            values[f"{name}, {where}"] = relative(mine, other)
        if setting is not None:
            shapes.append({name: tuple(mine.shape) for name, mine in zip(names, ours, strict=True)})
    what = "the file in onnxruntime, the module in eval mode"
    return ParityReport(what, values, tolerance, versions_of(("onnx", "onnxruntime")), notes), shapes


def sensitivity(called: Called, inputs: Inputs, settings: Sequence[Mapping[str, int]]) -> float:
    """How far the module's own outputs move when each input is rounded once more: what no file can be closer than."""
    generator, found = torch.Generator().manual_seed(0), 0.0
    for setting in settings:
        tensors = resized(inputs, setting, generator)
        moved = [one * (1 + torch.finfo(one.dtype).eps) if one.is_floating_point() else one for one in tensors]
        pairs = zip(run_module(called, tensors, ""), run_module(called, moved, ""), strict=True)
        found = max([found, *(relative(one, other) for one, other in pairs)])
    return found


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


def run_module(called: Called, tensors: list[Tensor], where: str) -> list[Tensor]:
    try:
        with torch.no_grad():
            return [one.detach().cpu() for one in called(*tensors)]
    except Exception as problem:  # a model may do anything
        raise ValueError(
            f"export_onnx expected a model that runs at {where}, where it raises {type(problem).__name__}: {first_lines(problem)}; name"
            " sizes at which it runs: sizes={'time': (20, 33)}"
        ) from problem


def run_there(session: Any, tensors: dict[str, Tensor]) -> list[Tensor]:
    feeds = {one.name: tensors[one.name].detach().cpu().numpy() for one in session.get_inputs()}
    return [torch.from_numpy(one) for one in session.run(None, feeds)]


def first_lines(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:400]
