"""The step inside a Scan: from W·x of a step and the states before it to the new states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.errors import UntraceableError
from byhand.interop.onnx_out.step_graph import write_step_graph
from byhand.interop.onnx_out.steps import write_program
from byhand.ir import partition, program_of

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.engine.call import Weights
    from byhand.engine.names import Sublayer
    from byhand.interop.onnx_out.layer import Layer
    from byhand.interop.onnx_out.nodes import Nodes
    from byhand.ir import Program


class Direction(NamedTuple):
    """One layer and direction. place: where it stands among the states of this layer. program: of the step, from W·x + U·h where it
    reads nothing else of them (a.GATE), or from both (x.GATE, u.GATE), to the new states; None if there is none.
    """

    layer: Layer
    sublayer: Sublayer
    place: int
    weights: Weights
    program: Program | None

    @property
    def fused(self) -> bool:
        """Whether the program reads sums."""
        return self.program is not None and any(name.startswith("a.") for name in self.program.inputs)

    def tensor(self, n: Nodes, name: str, value: torch.Tensor) -> str:
        """A weight of it, by its name without the layer."""
        return n.tensor(self.layer.named(f"{name}{self.sublayer.suffix}"), value)


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
    made = (
        [product]
        if len(gates) == 1
        else body.ops("Split", product, body.ints(*[hidden] * len(gates)), outputs=len(gates), axis=1)
    )
    return {f"{kind}.{gate}": value for gate, value in zip(gates, made, strict=True)}
