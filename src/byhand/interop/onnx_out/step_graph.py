"""The step of a cell that no program can hold, as torch's exporter writes it, put into the body of a Scan."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import linear

from byhand.cells.graph import as_it_is
from byhand.interop.onnx_out.nodes import load
from byhand.interop.onnx_out.torch_export import exported

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from byhand.cells import Cell
    from byhand.interop.onnx_out.nodes import Nodes


def arguments_of(cell: Cell) -> dict[str, str]:
    """The arguments of a step, one by one -> their kind: of a step that makes products itself, the weights and biases of these, too."""
    found = {f"x.{gate}": "values" for gate in cell.gates}
    for gate in cell.gates if cell.sources else ():
        found |= {f"weight.{gate}": "weight", f"bias.{gate}": "vector"} if gate in cell.inner else {f"u.{gate}": "values"}
    return found | {f"s.{name}": "values" for name in cell.state} | {f"p.{name}": "vector" for name in cell.parameters}


def step_of(cell: Cell) -> Callable[..., tuple[Tensor, ...]]:
    """A cell's step as a function of arguments_of it."""

    def step(*values: Tensor) -> tuple[Tensor, ...]:
        named: dict[str, Any] = dict(zip(arguments_of(cell), values, strict=True))
        inner = {
            f"u.{gate}": partial(linear, weight=named[f"weight.{gate}"], bias=named[f"bias.{gate}"]) for gate in cell.inner
        }
        named |= inner
        u = [named[f"u.{gate}"] for gate in cell.gates] if cell.sources else []
        x, s, p = (
            [named[f"{kind}.{one}"] for one in names]
            for kind, names in zip("xsp", (cell.gates, cell.state, cell.parameters), strict=True)
        )
        return tuple(as_it_is(cell)(*x, *u, *s, *p)[0])

    return step


def write_step_graph(body: Nodes, cell: Cell, hidden: int, given: dict[str, str]) -> list[str]:
    """The new states. given: arguments_of the cell -> names in the graph.

    Raises:
        ValueError: torch cannot write an operation of the step.
    """
    from torch.fx.experimental.proxy_tensor import make_fx  # noqa: PLC0415 (it takes a second to load)

    shapes = {"values": (3, hidden), "vector": (hidden,), "weight": (hidden, hidden)}
    arguments = arguments_of(cell)
    example = tuple(torch.rand(*shapes[kind], dtype=body.dtype) for kind in arguments.values())
    axes = {name: {0: "batch"} for name, kind in arguments.items() if kind == "values"}
    try:
        graph = make_fx(step_of(cell))(*example)  # torch's other recorder, for which widths are numbers
        model, _ = exported(graph, example, list(arguments), [f"n.{name}" for name in cell.state], axes, body.graph.opset)
    except Exception as problem:  # the exporter has errors of many kinds
        raise ValueError(
            f"export_onnx cannot write the step of cell {cell.name!r}, for which there is no program, since torch.onnx.export cannot:"
            f" {' '.join(str(problem).split())[:300]}"
        ) from problem
    return inlined(body, model.graph, given)


def inlined(body: Nodes, graph: Any, given: dict[str, str]) -> list[str]:
    """The nodes of a graph after those of the body; its outputs' names there."""
    names, copy = {"": "", **given}, load("onnx").NodeProto
    for tensor in graph.initializer:
        names[tensor.name] = body.graph.unique(f"{body.scope}/{tensor.name}")
        tensor.name = names[tensor.name]
        body.graph.initializers.append(tensor)
    for node in graph.node:
        if any(attribute.HasField("g") for attribute in node.attribute):
            raise ValueError(
                f"export_onnx cannot write a step with {node.op_type} in it, which torch made of a decision: write torch.where"
            )
        made = copy()
        made.CopyFrom(node)
        names |= {name: body.graph.unique(f"{body.scope}/{name}") for name in node.output}
        made.name = body.graph.unique(f"{body.scope}/{node.name}")
        made.input[:], made.output[:] = [names[name] for name in node.input], [names[name] for name in node.output]
        body.made.append(made)
    return [names[output.name] for output in graph.output]
