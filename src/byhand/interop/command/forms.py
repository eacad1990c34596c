"""What byhand convert writes: a layer in the form of another framework, first in a folder of its own; and how that is certified."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from byhand.interop.arrays import needed, numpy_of
from byhand.interop.certify import certify
from byhand.interop.flax_writer import to_flax
from byhand.interop.keras_writer import to_keras
from byhand.interop.load import load_weights
from byhand.interop.parity import ParityReport, difference, versions_of
from byhand.interop.state_dict import to_state_dict
from byhand.nn import LSTM


class Form(NamedTuple):
    """A form of file. ending: of its name; "" of a folder. write: into this path, with the report that writing gave, if any. certify: what
    was written, beside the layer.
    """

    ending: str
    write: Callable[[LSTM, Path], ParityReport | None]
    certify: Callable[[LSTM, Path], ParityReport] | None


def write_keras(layer: LSTM, path: Path) -> None:
    """A Sequential with the layer in it, (batch, time, input) to (batch, time, units)."""
    keras = keras_on_torch()
    made = to_keras(layer)
    if type(made).__name__ != "Sequential":
        made = keras.Sequential([keras.Input((None, layer.input_size), dtype=str(made.dtype)), made])
    made.save(path)


def certify_keras(layer: LSTM, path: Path) -> ParityReport:
    """Run by Keras, out of the file."""
    return certify(layer, keras_on_torch().saving.load_model(path))


def keras_on_torch() -> Any:
    """Keras, on torch unless the user has chosen another backend. ImportError."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return needed("keras", "keras", "--to keras")


def write_flax(layer: LSTM, path: Path) -> None:
    """The parameters of linen, as flax.serialization.to_bytes writes them."""
    serialization = flax_for(layer)
    path.write_bytes(serialization.to_bytes(to_flax(layer)))


def certify_flax(layer: LSTM, path: Path) -> ParityReport:
    """Run by Flax, out of the file."""
    variables = flax_for(layer).msgpack_restore(path.read_bytes())
    return import_module("byhand.interop.flax_side").certify_flax(layer, variables)


def flax_for(layer: LSTM) -> Any:
    """flax.serialization, with JAX in float64 where the layer is. ImportError."""
    serialization = needed("flax.serialization", "flax", "--to flax")
    if next(layer.parameters()).dtype == torch.float64:
        needed("jax", "flax", "--to flax").config.update("jax_enable_x64", True)
    return serialization


def write_onnx(layer: LSTM, path: Path) -> ParityReport:
    """With lengths and first states as inputs; export_onnx runs it in onnxruntime in any case."""
    return import_module("byhand.interop.onnx_export").export_onnx(layer, path, lengths=True, states=True)


def write_safetensors(layer: LSTM, path: Path) -> None:
    """The names of torch."""
    path.write_bytes(import_module("safetensors.torch").save(to_state_dict(layer)))


def write_npz(layer: LSTM, path: Path) -> None:
    """The names of torch, without compression."""
    state = to_state_dict(layer)
    if any(value.dtype == torch.bfloat16 for value in state.values()):
        raise ValueError("--to npz: expected numbers that numpy has, got bfloat16: write --to safetensors")
    content = io.BytesIO()
    import_module("numpy").savez(content, **{name: numpy_of(value) for name, value in state.items()})
    path.write_bytes(content.getvalue())


def write_c(layer: LSTM, path: Path) -> None:
    """A header that takes a step at a time."""
    import_module("byhand.interop.c_export").export_c(layer, path)


def certify_c(layer: LSTM, path: Path) -> ParityReport:
    """Compiled, stepped and timed."""
    return import_module("byhand.interop.c_export").export_c(layer, path, certify=True)


def write_folder(layer: LSTM, path: Path) -> None:
    """What LSTM.from_pretrained reads, with the cell and all options."""
    layer.save_pretrained(path)


def certify_weights(layer: LSTM, path: Path) -> ParityReport:
    """Read back, bit for bit."""
    return same_bits(layer, load_weights(path, cell=None), path)


def certify_folder(layer: LSTM, path: Path) -> ParityReport:
    """Read back, bit for bit."""
    return same_bits(layer, LSTM.from_pretrained(path, cell=layer.cell), path)


def same_bits(layer: LSTM, other: LSTM, path: Path) -> ParityReport:
    """A value for each weight: 0 where all bits are the same. ValueError if the cell is another."""
    if other.cell != layer.cell:
        raise ValueError(f"{path.name}: expected the cell {layer.cell.name} when it is read back, got {other.cell.name}")
    ours, theirs = layer.state_dict(), other.state_dict()
    values = {name: apart(ours.get(name), theirs.get(name)) for name in {**ours, **theirs}}
    return ParityReport("the weights, read back bit for bit", values, 0.0, versions_of(("safetensors", "numpy")))


def apart(one: Tensor | None, other: Tensor | None) -> float:
    """0 for the same bits; else the difference, and infinity where there is none to be seen."""
    if one is None or other is None or one.dtype != other.dtype or one.shape != other.shape:
        return math.inf
    if torch.equal(*(value.contiguous().flatten().view(torch.uint8) for value in (one, other))):
        return 0.0
    return difference(one, other) or math.inf


FORMS: dict[str, Form] = {
    "keras": Form(".keras", write_keras, certify_keras),
    "flax": Form(".msgpack", write_flax, certify_flax),
    "onnx": Form(".onnx", write_onnx, None),
    "safetensors": Form(".safetensors", write_safetensors, certify_weights),
    "npz": Form(".npz", write_npz, certify_weights),
    "c": Form(".h", write_c, certify_c),
    "folder": Form("", write_folder, certify_folder),
}
