"""The step of a cell that is not elementwise, as torch's exporter writes it, put into the body of a Scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from byhand.cells.graph import as_it_is
from byhand.interop.onnx_out.nodes import load
from byhand.interop.onnx_out.torch_export import exported

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from byhand.cells import Cell
    from byhand.interop.onnx_out.nodes import Nodes


def step_of(cell: Cell) -> Callable[..., tuple[Tensor, ...]]:
    """A cell's step as a function of its arguments, one by one."""
    run = as_it_is(cell)
    return lambda *values: tuple(run(*values)[0])


def write_step_graph(body: Nodes, cell: Cell, hidden: int, given: dict[str, str]) -> list[str]:
    """The new states. given: x.GATE, u.GATE, s.STATE and p.NAME -> names in the graph, in any order.

    Raises:
        ValueError: torch cannot write an operation of the step, or not for every batch.
    """
    parts = {"x": cell.gates, "u": cell.gates if cell.sources else (), "s": cell.state, "p": cell.parameters}
    inputs = [f"{kind}.{name}" for kind, names in parts.items() for name in names]
    example = tuple(torch.rand(*([] if name[0] == "p" else [3]), hidden, dtype=body.dtype) for name in inputs)
    from torch.fx.experimental.proxy_tensor import make_fx  # noqa: PLC0415 (it takes a second to load)

    outputs = [f"n.{name}" for name in cell.state]
    axes = {name: {0: "batch"} for name in inputs if name[0] != "p"}
    try:
        graph = make_fx(step_of(cell))(*example)  # torch's other recorder, for which widths are numbers
        model, _ = exported(graph, example, inputs, outputs, axes, body.graph.opset)
    except Exception as problem:  # the exporter has errors of many kinds
        raise ValueError(
            f"export_onnx cannot write the step of cell {cell.name!r}, which is not elementwise, since torch.onnx.export cannot:"
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
            raise ValueError(f"export_onnx cannot write a step with {node.op_type} in it, which torch made of a decision: write torch.where")
        made = copy()
        made.CopyFrom(node)
        names |= {name: body.graph.unique(f"{body.scope}/{name}") for name in node.output}
        made.name = body.graph.unique(f"{body.scope}/{node.name}")
        made.input[:], made.output[:] = [names[name] for name in node.input], [names[name] for name in node.output]
        body.made.append(made)
    return [names[output.name] for output in graph.output]
