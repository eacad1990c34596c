"""The two optional packages, onnx and onnxruntime: imported when they are needed, and sessions made of parts of a model."""

from __future__ import annotations

import importlib
from typing import Any

import torch

FATAL = 4  # onnxruntime's log level: what goes wrong is raised, and need not be printed as well
MODEL_BYTES = 2**31 - 1  # the most that one protobuf message can hold


def onnx() -> Any:
    """The package onnx, with the parts of it that are used here. ModuleNotFoundError, which says what to install."""
    for part in ("checker", "external_data_helper", "helper", "inliner", "numpy_helper", "shape_inference"):
        found(f"onnx.{part}")
    return found("onnx")


def onnxruntime() -> Any:
    """The package onnxruntime. ModuleNotFoundError, which says what to install."""
    return found("onnxruntime")


def found(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as problem:
        raise ModuleNotFoundError(
            f"open_onnx needs {name.partition('.')[0]}, not installed here: pip install 'byhand[onnx]'", name=problem.name
        ) from problem


def session(model: Any) -> Any:
    """A session of onnxruntime on the CPU. Errors of onnxruntime's own, for a model that it refuses."""
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = FATAL
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads would take byhand's processors
    return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def values_of(one: Any, feeds: dict[str, Any]) -> dict[str, Any]:
    """Output name -> value, of a session. Errors of onnxruntime's own."""
    names = [output.name for output in one.get_outputs()]
    return dict(zip(names, one.run(names, feeds), strict=True))


def refusals() -> tuple[type[Exception], ...]:
    """What onnxruntime raises, beside TypeError and ValueError for values of the wrong kind."""
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    kinds = [one for one in vars(state).values() if isinstance(one, type) and issubclass(one, Exception)]
    return (*kinds, RuntimeError, ValueError, TypeError, MemoryError)


def first_line(problem: BaseException) -> str:
    """What a problem says, in one line of reasonable length."""
    said = " ".join(str(problem).split())
    return f"{type(problem).__name__}: {said[:300]}{' ...' if len(said) > 300 else ''}"
