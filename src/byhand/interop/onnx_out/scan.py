"""One layer of a stack as ONNX's Scan: W·x of all steps before it in one product, the rest of a step as its body.

The body is printed from the cell's checked program, an operator a line; of a cell that has none, such as one that is not elementwise,
from torch's graph of its step. Sequences that have ended keep their states and give 0, as in the reference engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from byhand.interop.onnx_out.nodes import element_type, load
from byhand.interop.onnx_out.scan_step import Direction, program_from, write_step

if TYPE_CHECKING:
    from byhand.engine.names import Sublayer
    from byhand.interop.onnx_out.layer import Layer, Sequences
    from byhand.interop.onnx_out.nodes import Nodes


def write_scan(n: Nodes, layer: Layer, sublayers: Sequence[Sublayer], given: Sequences) -> tuple[str, list[str]]:
    """The output (time, batch, directions * width) and the last states, (directions, batch, width) each."""
    cell = layer.config.cell
    program = program_from(cell)
    valid = None if given.lengths is None else valid_steps(n, given.input, given.lengths)
    outputs, last = [], [list[str]() for _ in cell.state]
    for place, sublayer in enumerate(sublayers):
        output, states = write_direction(n, Direction(layer, sublayer, place, layer.weights(sublayer), program), given, valid)
        outputs.append(output)
        for found, state in zip(last, states, strict=True):
            found.append(n.unsqueeze(state, 0))
    return n.concat(outputs, 2), [n.concat(found, 0) for found in last]


def valid_steps(n: Nodes, x: str, lengths: str) -> str:
    """Whether a sequence has not ended, (time, batch, 1)."""
    steps = n.op("Range", n.index(0), n.squeeze(n.size(x, 0), 0), n.index(1))
    return n.unsqueeze(n.op("Less", n.unsqueeze(steps, 1), n.unsqueeze(lengths, 0)), 2)


def write_direction(n: Nodes, one: Direction, given: Sequences, valid: str | None) -> tuple[str, list[str]]:
    scanned = {"products": input_product(n, one, given.input)}
    if valid is not None:
        scanned["valid"] = valid
    restart = None
    if given.reset is not None:
        scanned["cut"] = cuts(n, given.reset, reverse=one.sublayer.reverse)
        restart = states_of(n, one, given, given.restart)
    body = write_body(n, one, list(scanned), restart)
    backwards = {"scan_input_directions": [1] * len(scanned), "scan_output_directions": [1]} if one.sublayer.reverse else {}
    first = states_of(n, one, given, given.states)
    made = n.ops(
        "Scan", *first, *scanned.values(), outputs=len(first) + 1, body=body, num_scan_inputs=len(scanned), **backwards
    )
    return made[-1], made[:-1]


def states_of(n: Nodes, one: Direction, given: Sequences, states: list[str] | None) -> list[str]:
    """Each state of the direction, (batch, width); zeros if there are none."""
    if states is not None:
        return [n.op("Gather", value, n.index(one.place), axis=0) for value in states]
    batch = n.size(given.input, 1)
    return [n.zeros(batch, n.ints(width)) for width in widths(one)]


def widths(one: Direction) -> list[int]:
    """How wide each state is."""
    config = one.layer.config
    return [config.proj_size or config.hidden_size, *[config.hidden_size] * (len(config.cell.state) - 1)]


def input_product(n: Nodes, one: Direction, x: str) -> str:
    """W·x + b of all steps, (time, batch, gates * hidden); with both biases, where the step reads sums only."""
    weights, bias = one.weights, one.weights.bias_input
    product = n.op("MatMul", x, one.tensor(n, "weight_ih_transposed", weights.input.t()))
    if bias is None:
        return product
    if one.fused and weights.bias_recurrent is not None:
        return n.op("Add", product, one.tensor(n, "bias", bias + weights.bias_recurrent))
    return n.op("Add", product, one.tensor(n, "bias_ih", bias))


def cuts(n: Nodes, reset: str, *, reverse: bool) -> str:
    """Where the state before a step, in the order of the direction, is that of a new start, (time, batch, 1)."""
    if reverse:
        none = n.op("And", n.slice(reset, 0, 1), n.op("Not", n.slice(reset, 0, 1)))
        reset = n.concat([n.slice(reset, 1, 2**62), none], 0)
    return n.unsqueeze(reset, 2)


def write_body(n: Nodes, one: Direction, scanned: list[str], restart: list[str] | None) -> Any:
    """The graph of one step: the states and what is scanned in; the new states and the output out."""
    config, body = one.layer.config, n.inside("step")
    cell = config.cell
    names = {name: n.graph.unique(f"{body.scope}/{name}") for name in (*cell.state, *scanned)}
    state = [names[name] for name in cell.state]
    if restart is not None:
        state = [body.op("Where", names["cut"], start, was) for start, was in zip(restart, state, strict=True)]
    new = write_step(body, one, names["products"], dict(zip(cell.state, state, strict=True)))
    if one.weights.projection is not None:
        new[0] = body.op("MatMul", new[0], one.tensor(n, "weight_hr_transposed", one.weights.projection.t()))
    output = new[0]
    if "valid" in scanned:
        output = body.op("Where", names["valid"], output, body.number(0.0))
        new = [body.op("Where", names["valid"], value, was) for value, was in zip(new, state, strict=True)]
    new = [body.op("Expand", value, body.op("Shape", names[name])) for name, value in zip(cell.state, new, strict=True)]
    return graph_of(body, one, names, [*new, body.op("Identity", output)])


def graph_of(body: Nodes, one: Direction, names: dict[str, str], made: list[str]) -> Any:
    helper, real, truth = load("onnx").helper, element_type(body.dtype), element_type(torch.bool)
    cell, sizes = one.layer.config.cell, widths(one)
    wide = dict(zip(cell.state, sizes, strict=True)) | {"products": one.weights.input.shape[0], "valid": 1, "cut": 1}
    kinds = {"valid": truth, "cut": truth}
    inputs = [helper.make_tensor_value_info(name, kinds.get(what, real), [None, wide[what]]) for what, name in names.items()]
    outputs = [
        helper.make_tensor_value_info(name, real, [None, width]) for name, width in zip(made, [*sizes, sizes[0]], strict=True)
    ]
    return helper.make_graph(body.made, f"{body.scope}/body", inputs, outputs)
