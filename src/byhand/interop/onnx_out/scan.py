"""One layer of a stack as ONNX's Scan: W·x of all steps before it in one product, the rest of a step as its body.

The body is printed from the cell's checked program, an operator a line; of a cell that has none, such as one that is not elementwise,
from torch's graph of its step. Sequences that have ended keep their states and give 0, as in the reference engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from byhand.errors import UntraceableError
from byhand.interop.onnx_out.nodes import element_type, load
from byhand.interop.onnx_out.step_graph import write_step_graph
from byhand.interop.onnx_out.steps import write_program
from byhand.ir import partition, program_of

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.engine.call import Weights
    from byhand.engine.names import Sublayer
    from byhand.interop.onnx_out.layer import Layer, Sequences
    from byhand.interop.onnx_out.nodes import Nodes
    from byhand.ir import Program


class Direction(NamedTuple):
    """One layer and direction. index: its place among the states of this layer. program: of the step, from W·x + U·h where it reads nothing
    else of them (a.GATE), or from both (x.GATE, u.GATE), to the new states; None if there is none.
    """

    layer: Layer
    sublayer: Sublayer
    index: int
    weights: Weights
    program: Program | None

    @property
    def fused(self) -> bool:
        """Whether the program reads sums."""
        return self.program is not None and any(name.startswith("a.") for name in self.program.inputs)

    def tensor(self, n: Nodes, name: str, value: torch.Tensor) -> str:
        """A weight of it, by its name without the layer."""
        return n.tensor(self.layer.named(f"{name}{self.sublayer.suffix}"), value)


def write_scan(n: Nodes, layer: Layer, sublayers: Sequence[Sublayer], given: Sequences) -> tuple[str, list[str]]:
    """The output (time, batch, directions * width) and the last states, (directions, batch, width) each."""
    cell = layer.config.cell
    program = program_from(cell)
    valid = None if given.lengths is None else valid_steps(n, given.input, given.lengths)
    outputs, last = [], [list[str]() for _ in cell.state]
    for index, sublayer in enumerate(sublayers):
        output, states = write_direction(n, Direction(layer, sublayer, index, layer.weights(sublayer), program), given, valid)
        outputs.append(output)
        for found, state in zip(last, states, strict=True):
            found.append(n.unsqueeze(state, 0))
    return n.concat(outputs, 2), [n.concat(found, 0) for found in last]


def program_from(cell: Cell) -> Program | None:
    """The program of a Direction; None of a cell that is not elementwise, or whose step no program can hold."""
    if not cell.elementwise:
        return None
    try:
        parts = partition(cell)
    except UntraceableError:
        return None
    if cell.sources and all(name.startswith("a.") for name in parts.preactivations):
        return parts.forward.only({name: parts.forward.results[name] for name in cell.state})
    whole = program_of(cell)
    return whole.only({name: whole.results[f"n.{name}"] for name in cell.state})


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
    made = n.ops("Scan", *first, *scanned.values(), outputs=len(first) + 1, body=body, num_scan_inputs=len(scanned), **backwards)
    return made[-1], made[:-1]


def states_of(n: Nodes, one: Direction, given: Sequences, states: list[str] | None) -> list[str]:
    """Each state of the direction, (batch, width); zeros if there are none."""
    if states is not None:
        return [n.op("Gather", value, n.index(one.index), axis=0) for value in states]
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
    inputs = [
        helper.make_tensor_value_info(name, kinds.get(what, real), [None, wide[what]]) for what, name in names.items()
    ]
    outputs = [
        helper.make_tensor_value_info(name, real, [None, width]) for name, width in zip(made, [*sizes, sizes[0]], strict=True)
    ]
    return helper.make_graph(body.made, f"{body.scope}/body", inputs, outputs)


def write_step(body: Nodes, one: Direction, products: str, state: dict[str, str]) -> list[str]:
    """The new states, in order, before a projection."""
    cell, weights = one.layer.config.cell, one.weights
    given = {f"s.{name}": value for name, value in state.items()}
    for name, value in zip(cell.vectors, weights.vectors, strict=True):
        given[f"p.{name}"] = one.tensor(body, name, value)
    given |= {f"p.{noise.name}": body.number(noise.mean) for noise in cell.noise}
    recurrent = recurrent_product(body, one, state)
    if one.fused and recurrent is not None:
        given |= parts(body, one, "a", body.op("Add", products, recurrent), cell.gates)
    else:
        given |= parts(body, one, "x", products, cell.gates)
        if recurrent is not None:
            given |= parts(body, one, "u", recurrent, outer(cell))
    if one.program is None:
        return write_step_graph(body, cell, one.layer.config.hidden_size, given | inner_weights(body, one))
    made = write_program(body, one.program, given)
    return [made[name] for name in cell.state]


def recurrent_product(body: Nodes, one: Direction, state: dict[str, str]) -> str | None:
    """U·h + b of the gates whose product the step does not make itself; None if there are none, or the cell reads no state."""
    cell, weight, bias = one.layer.config.cell, one.weights.recurrent, one.weights.bias_recurrent
    if weight is None or not outer(cell):
        return None
    if cell.inner:
        weight, bias = (None if value is None else rows_of(cell, value, outer(cell)) for value in (weight, bias))
        assert weight is not None
    read = body.concat([state[name] for name in cell.sources], 1)
    product = body.op("MatMul", read, one.tensor(body, "weight_hh_transposed", weight.t()))
    if bias is None or one.fused:
        return product
    return body.op("Add", product, one.tensor(body, "bias_hh", bias))


def outer(cell: Cell) -> tuple[str, ...]:
    """The gates whose recurrent product comes before the step."""
    return tuple(gate for gate in cell.gates if gate not in cell.inner)


def rows_of(cell: Cell, value: torch.Tensor, gates: Sequence[str]) -> torch.Tensor:
    """The rows of some gates, of a weight or bias of all."""
    named = dict(zip(cell.gates, value.chunk(len(cell.gates)), strict=True))
    return torch.cat([named[gate] for gate in gates])


def inner_weights(body: Nodes, one: Direction) -> dict[str, str]:
    """The weights and biases of the products that the step makes itself."""
    cell, weights, found = one.layer.config.cell, one.weights, {}
    for gate in cell.inner:
        assert weights.recurrent is not None
        found[f"weight.{gate}"] = one.tensor(body, f"weight_hh_{gate}", rows_of(cell, weights.recurrent, [gate]))
        bias = weights.bias_recurrent
        bias = weights.recurrent.new_zeros(one.layer.config.hidden_size) if bias is None else rows_of(cell, bias, [gate])
        found[f"bias.{gate}"] = one.tensor(body, f"bias_hh_{gate}", bias)
    return found


def parts(body: Nodes, one: Direction, kind: str, product: str, gates: Sequence[str]) -> dict[str, str]:
    """A product gate by gate."""
    hidden = one.layer.config.hidden_size
    made = [product] if len(gates) == 1 else body.ops("Split", product, body.ints(*[hidden] * len(gates)), outputs=len(gates), axis=1)
    return {f"{kind}.{gate}": value for gate, value in zip(gates, made, strict=True)}
