"""Weights that a file computes from its constants, such as by slicing and joining: computed once, when it is opened.

Nothing is computed whose size is not known beforehand to be small: a few numbers in a file could ask for all memory there is.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from byhand.interop.onnx_in.graph import STANDARD, Graph, attributes, subgraphs
from byhand.interop.onnx_in.operator import UnfitError
from byhand.interop.onnx_in.runtime import first_line, onnx, refusals, session, values_of

LARGEST = 2**28  # bytes of one computed value
MOST_NODES = 1000  # that one weight is computed by
RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout")


def constant(graph: Graph, name: str, model: Any) -> Tensor:
    """The value of a name that does not depend on the model's inputs. UnfitError if it does, or is no plain tensor."""
    found = graph.constant(name)
    if found is None:
        found = made_by_constant_node(graph, name)
    if found is not None and hasattr(found, "dims") and not hasattr(found, "values"):
        return tensor_of(name, onnx().numpy_helper.to_array(found))
    if found is not None:
        raise UnfitError(f"{name} is a sparse tensor")
    return computed(graph, name, model)


def made_by_constant_node(graph: Graph, name: str) -> Any | None:
    home = graph.home(name)
    node = home.makers.get(name) if home is not None else None
    if node is None or node.op_type != "Constant" or node.domain not in STANDARD:
        return None
    return attributes(node).get("value")


def tensor_of(name: str, array: Any) -> Tensor:
    """A copy. UnfitError for text and number types that torch does not have."""
    try:
        return torch.from_numpy(array.copy())
    except (TypeError, AttributeError) as problem:
        raise UnfitError(
            f"{name} holds {getattr(array, 'dtype', type(array).__name__)}, expected numbers that torch has"
        ) from problem


def computed(graph: Graph, name: str, model: Any) -> Tensor:
    """By onnxruntime, from all that it depends on. UnfitError."""
    package = onnx()
    nodes, constants = dependencies(graph, name)
    types = graph.types.get(name)
    output = package.ValueInfoProto(name=name)
    if types is not None and types.HasField("tensor_type"):
        output.type.tensor_type.elem_type = types.tensor_type.elem_type
    part = package.helper.make_graph(nodes, "weights", [], [output], initializer=constants)
    made = package.helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    check_sizes(made, name)
    try:
        return tensor_of(name, values_of(session(made), {})[name])
    except refusals() as problem:
        raise UnfitError(f"{name} cannot be computed from the file's constants ({first_line(problem)})") from problem


def dependencies(graph: Graph, name: str) -> tuple[list[Any], list[Any]]:
    """The nodes that a value is computed by, in order, and their constants. UnfitError if an input of the model is among them."""
    nodes: list[Any] = []
    constants: dict[str, Any] = {}
    done, waiting = set[str](), [name]
    while waiting:
        one = waiting[-1]
        home = graph.home(one)
        if one in done or home is None or home.constants.get(one) is not None:
            if home is None:
                raise UnfitError(f"{one} is defined nowhere")
            if one in home.constants:
                constants[one] = home.constants[one]
            done.add(waiting.pop())
            continue
        node = home.makers.get(one)
        if node is None:
            raise UnfitError(f"{name} is computed from {one}, an input: its weights are not fixed")
        if node.op_type in RANDOM or node.domain not in STANDARD or subgraphs(node) or len(nodes) >= MOST_NODES:
            raise UnfitError(
                f"{name} is computed by {node.op_type}, and byhand computes weights by plain operators of ONNX's own only"
            )
        missing = [each for each in node.input if each and each not in done]
        if missing and not set(missing) & set(waiting):
            waiting += missing
            continue
        if missing:
            raise UnfitError(f"{name} depends on itself")
        nodes.append(node)
        done.update(node.output)
        waiting.pop()
    return nodes, list(constants.values())


def check_sizes(model: Any, name: str) -> None:
    """UnfitError unless every value's size is known and small before anything is computed."""
    package = onnx()
    try:
        inferred = package.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as problem:
        raise UnfitError(f"{name} is computed from constants that do not fit ({first_line(problem)})") from problem
    known = {one.name: one.type.tensor_type for one in (*inferred.graph.value_info, *inferred.graph.output)}
    for node in inferred.graph.node:
        for output in filter(None, node.output):
            kind = known.get(output)
            sizes = [one.dim_value for one in kind.shape.dim if one.HasField("dim_value")] if kind is not None else []
            if kind is None or not kind.HasField("shape") or len(sizes) < len(kind.shape.dim):
                raise UnfitError(f"{name} is computed through {output}, whose size is not known before it is computed")
            if math.prod(sizes) * 8 > LARGEST:
                raise UnfitError(f"{name} is computed through {output}, which has more than {LARGEST // 8:,} numbers")
