"""Nodes: the nodes of an ONNX graph as they are written, one call a node, with the tensors that they read."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

INSTALL = "export_onnx needs {}, not installed here: pip install 'byhand[onnx]'"


def load(name: str) -> ModuleType:
    """Onnx or onnxruntime. ImportError with what to type."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as problem:
        raise ModuleNotFoundError(INSTALL.format(problem.name), name=problem.name) from problem


def element_type(dtype: torch.dtype) -> int:
    """What ONNX calls a number type."""
    names = {torch.float32: "FLOAT", torch.float64: "DOUBLE", torch.int64: "INT64", torch.int32: "INT32", torch.bool: "BOOL"}
    return getattr(load("onnx").TensorProto, names[dtype])


class Graph:
    """What all parts of a graph share: its names, its opset and its constant tensors, of which those asked for twice are kept once.

    taken: names that are in use.
    """

    def __init__(self, opset: int, taken: set[str] | None = None) -> None:
        self.opset, self.taken, self.initializers = opset, taken or set(), list[Any]()
        self.known: dict[Any, str] = {}

    def unique(self, hint: str) -> str:
        """A name that nothing else has."""
        name, count = hint, 0
        while name in self.taken:
            count += 1
            name = f"{hint}_{count}"
        self.taken.add(name)
        return name

    def add(self, key: Any, hint: str, value: Tensor) -> str:
        """The name of the tensor; of the same key the same."""
        if key not in self.known:
            self.known[key] = self.unique(hint)
            plain = value.detach().to("cpu").contiguous()
            data = plain.numpy().astype(plain.numpy().dtype.newbyteorder("<")).tobytes()
            proto = load("onnx").helper.make_tensor(self.known[key], element_type(plain.dtype), plain.shape, data, raw=True)
            self.initializers.append(proto)
        return self.known[key]


class Nodes:
    """A list of nodes, of the graph or of the body of a Scan. scope: what their names begin with. dtype: of constants."""

    def __init__(self, scope: str, dtype: torch.dtype, graph: Graph) -> None:
        self.scope, self.dtype, self.graph = scope, dtype, graph
        self.made: list[Any] = []

    def inside(self, scope: str) -> Nodes:
        """An empty list, for the body of a Scan."""
        return Nodes(f"{self.scope}/{scope}", self.dtype, self.graph)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The only output of a node."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """The outputs of a node; an input that is left out is an empty name."""
        name = self.graph.unique(f"{self.scope}/{kind}")
        made = [self.graph.unique(f"{name}_output_{index}") for index in range(outputs)]
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        self.made.append(load("onnx").helper.make_node(kind, given, made, name=name, **attributes))
        return made

    def tensor(self, hint: str, value: Tensor) -> str:
        """A weight: the same hint stands for the same tensor."""
        return self.graph.add(("tensor", hint), hint, value)

    def number(self, value: float) -> str:
        """A number of the layer's type, without dimensions."""
        tensor = torch.tensor(value, dtype=self.dtype)
        return self.graph.add((repr(value), self.dtype), f"byhand/{value:g}", tensor)

    def ints(self, *values: int) -> str:
        """A list of whole numbers."""
        return self.graph.add(values, f"byhand/{'_'.join(map(str, values))}", torch.tensor(values, dtype=torch.int64))

    def index(self, value: int) -> str:
        """A whole number without dimensions."""
        return self.graph.add(("index", value), f"byhand/at_{value}", torch.tensor(value, dtype=torch.int64))

    def size(self, value: str, axis: int) -> str:
        """The size along an axis, as a list of one."""
        return self.op("Gather", self.op("Shape", value), self.ints(axis), axis=0)

    def slice(self, value: str, start: int, stop: int, axis: int = 0) -> str:
        """A part along an axis."""
        return self.op("Slice", value, self.ints(start), self.ints(stop), self.ints(axis))

    def squeeze(self, value: str, axis: int) -> str:
        return self.op("Squeeze", value, self.ints(axis))

    def unsqueeze(self, value: str, axis: int) -> str:
        return self.op("Unsqueeze", value, self.ints(axis))

    def concat(self, values: list[str], axis: int) -> str:
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=axis)

    def zeros(self, *sizes: str) -> str:
        """Zeros of the layer's type; each size a list of one."""
        value = load("onnx").helper.make_tensor("value", element_type(self.dtype), [1], [0.0])
        return self.op("ConstantOfShape", self.concat(list(sizes), 0), value=value)
