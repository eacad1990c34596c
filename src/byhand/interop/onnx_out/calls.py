"""How a model is called in ONNX: its inputs and outputs as flat lists of named tensors."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from byhand.interop.onnx_out.recorded import run_lengths
from byhand.nn import LSTM, LSTMCell, export

Axes = dict[str, dict[int, str]]


class Inputs(NamedTuple):
    """The example, by name; the tensors among them, flat; their free axes; which of them holds the lengths of the sequences."""

    example: Mapping[str, Any]
    tensors: dict[str, Tensor]
    axes: Axes
    lengths: str | None = None


class Called(nn.Module):
    """A model as a function of flat tensors, which gives flat tensors. names: those of its outputs, once it has run."""

    def __init__(self, model: nn.Module, example: Mapping[str, Any]) -> None:
        super().__init__()
        self.model, self.example = model, example
        self.names: list[str] = []

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """What the model gives, in order."""
        left = iter(tensors)
        given = {name: rebuilt(value, left) for name, value in self.example.items()}
        found = flat("output", self.model(**given))
        self.names = list(found)
        return tuple(found.values())


class Alone(nn.Module):
    """A layer as a model of its own: lengths and states are inputs like any other."""

    def __init__(self, layer: LSTM | LSTMCell) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, input: Tensor, lengths: Tensor | None = None, **states: Tensor) -> dict[str, Tensor]:
        """The output, padded with zeros, and the last states."""
        hx: Any = tuple(states.values()) or None
        hx = hx[0] if hx and len(hx) == 1 else hx
        names = self.layer.cell.state
        if isinstance(self.layer, LSTMCell):
            made: Any = self.layer(input, hx)
            return dict(zip((f"{name}_1" for name in names), [made] if isinstance(made, Tensor) else made, strict=True))
        record = export.recorder.get()
        if lengths is None:
            output, last = self.layer(input, hx)
        elif record is not None:
            output, last = record(self.layer, input, hx, None, lengths)
        else:
            output, last = run_lengths(
                lambda packed, hx, _: self.layer(packed, hx), input, lengths, hx, batch_first=self.layer.batch_first
            )
        return {"output": output} | dict(
            zip((f"{name}_n" for name in names), [last] if isinstance(last, Tensor) else last, strict=True)
        )


def rebuilt(value: Any, left: Any) -> Any:
    """The value with each tensor in it replaced by the next one."""
    if isinstance(value, Tensor):
        return next(left)
    if isinstance(value, tuple | list):
        return type(value)(rebuilt(one, left) for one in value)
    return value


def flat(name: str, value: Any) -> dict[str, Tensor]:
    """The tensors in a value, each under a name of its own. TypeError for what no ONNX file can give."""
    if isinstance(value, Tensor):
        return {name: value}
    if isinstance(value, PackedSequence):
        raise TypeError(
            f"export_onnx expected tensors, got a PackedSequence for {name}: pad it in the model, by pad_packed_sequence"
        )
    if isinstance(value, Mapping):
        parts = [(str(key), one) for key, one in value.items()]
    elif isinstance(value, tuple | list):
        parts = [(f"{name}_{index}", one) for index, one in enumerate(value)]
    else:
        return {}
    return {key: tensor for part, one in parts for key, tensor in flat(part, one).items()}


def read_inputs(module: nn.Module, inputs: Any, axes: Mapping[str, Any] | None, lengths: str | None) -> Inputs:
    """The example and its free axes, checked. TypeError, ValueError."""
    example = named_inputs(module, inputs)
    tensors = {key: tensor for name, value in example.items() for key, tensor in flat(name, value).items()}
    if not tensors:
        raise TypeError("export_onnx expected an example of the model's inputs, got no tensor: inputs={'x': x}")
    free: Axes = {}
    for name, value in (axes or {}).items():
        members = [key for key in tensors if key == name] or list(flat(name, example.get(name)))
        if not members:
            raise ValueError(f"export_onnx expected axes of the inputs {', '.join(tensors)}, got {name!r}")
        named = dict(value) if isinstance(value, Mapping) else dict(enumerate(value))
        for key in members:
            free[key] = checked_axes(key, tensors[key], named)
    if not any(free.values()):
        first = next(iter(tensors))
        raise ValueError(
            f"export_onnx expected the axes that may have any size, got none: axes={{{first!r}: {{0: 'time', 1: 'batch'}}}}"
        )
    if lengths is not None and (lengths not in tensors or tensors[lengths].dtype not in (torch.int64, torch.int32)):
        raise ValueError(
            f"export_onnx expected lengths to name an input of whole numbers out of {', '.join(tensors)}, got {lengths!r}"
        )
    return Inputs(example, tensors, free, lengths)


def checked_axes(name: str, tensor: Tensor, named: Mapping[Any, Any]) -> dict[int, str]:
    found = {}
    for axis, word in named.items():
        if word is None:
            continue
        if not isinstance(axis, int) or not -tensor.dim() <= axis < tensor.dim() or not isinstance(word, str):
            raise ValueError(
                f"export_onnx expected the axes of {name!r}, of shape {tuple(tensor.shape)}, as {{0: 'time', 1: 'batch'}}, got"
                f" {axis!r}: {word!r}"
            )
        found[axis % tensor.dim()] = word
    return found


def named_inputs(module: nn.Module, inputs: Any) -> dict[str, Any]:
    """The example by the names of forward's arguments."""
    if isinstance(inputs, Mapping):
        return dict(inputs)
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    names = list(inspect.signature(module.forward).parameters)
    if len(given) > len(names):
        raise TypeError(f"export_onnx expected at most {len(names)} inputs, {', '.join(names)}, got {len(given)}")
    return dict(zip(names, given, strict=False))


def alone_inputs(layer: LSTM | LSTMCell, *, states: bool, lengths: bool) -> Inputs:
    """An example for a layer alone: time 6, batch 2."""
    weight = next(layer.parameters())
    single = isinstance(layer, LSTMCell)
    first = not single and layer.batch_first
    time, batch, features = 6, 2, layer.input_size
    shape = (batch, features) if single else (batch, time, features) if first else (time, batch, features)
    free = {0: "batch"} if single else {0: "batch", 1: "time"} if first else {0: "time", 1: "batch"}
    example, axes = {"input": weight.new_zeros(shape).normal_()}, {"input": free}
    if lengths:
        example["lengths"] = torch.tensor([time, 4], device="cpu")
        axes["lengths"] = {0: "batch"}
    if states:
        widths = [
            (layer.proj_size if not single else 0) or layer.hidden_size,
            *[layer.hidden_size] * (len(layer.cell.state) - 1),
        ]
        for name, width in zip(layer.cell.state, widths, strict=True):
            sizes = (batch, width) if single else (len(layer.sublayers), batch, width)
            example[f"{name}_0"] = weight.new_zeros(sizes).normal_()
            axes[f"{name}_0"] = {0 if single else 1: "batch"}
    return Inputs(example, dict(example), axes, "lengths" if lengths else None)
