"""What a step of one layer multiplies by, laid out for C: column by column, so that compilers make vectors of sums in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.ir.partition import partition

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.engine.call import Call
    from byhand.ir.program import Program


class LayerInC(NamedTuple):
    """One layer. Rows stand pre-activation by pre-activation, `hidden` of each; first those that read the input alone, last those that
    read the states alone.

    input (columns, input_rows * hidden) goes to the first rows, recurrent (columns, recurrent_rows * hidden) to the last.
    """

    program: Program  # pre-activations, s.STATE, p.NAME -> the new states
    preactivations: tuple[str, ...]
    input: Tensor
    input_rows: int
    recurrent: Tensor | None
    recurrent_rows: int
    bias: Tensor
    parameters: dict[str, Tensor]  # vector or mask -> (hidden,)
    projection: Tensor | None  # (hidden, projected)
    hidden: int
    start: dict[str, Tensor]  # state -> what it starts from
    states: tuple[str, ...]
    sources: tuple[str, ...]


def laid_out(call: Call) -> LayerInC:
    """A layer's call on one sequence, for C. UntraceableError for a cell that is not computed unit by unit."""
    cell, weights = call.cell, call.weights
    parts = partition(cell)
    names = parts.preactivations
    by_input = {names[place]: gate for gate, place in enumerate(parts.of_input)}
    by_states = {names[place]: gate for gate, place in enumerate(parts.of_recurrent)}
    order = sorted(names, key=lambda name: (name not in by_input, name in by_states))
    hidden = weights.input.shape[0] // len(cell.gates)

    def rows(value: Tensor | None, gates: dict[str, int]) -> Tensor | None:
        if value is None:
            return None
        each = value.detach().unflatten(0, (len(cell.gates), hidden))
        return torch.cat([each[gates[name]] for name in order if name in gates])

    recurrent = rows(weights.recurrent, by_states)
    bias = weights.input.new_zeros(len(order) * hidden)
    for value, gates, start in (
        (weights.bias_input, by_input, 0),
        (weights.bias_recurrent, by_states, -len(by_states) * hidden),
    ):
        if (found := rows(value, gates)) is not None:
            bias[start : start + len(found) or None] += found
    wide = [*weights.vectors, *call.noise]
    vectors = {name: value.detach().reshape(-1) for name, value in zip(cell.parameters, wide, strict=True)}
    made = rows(weights.input, by_input)
    assert made is not None
    return LayerInC(
        parts.forward.only({name: parts.forward.results[name] for name in cell.state}),
        tuple(order),
        made.t(),
        len(by_input),
        None if recurrent is None else recurrent.t(),
        len(by_states),
        bias,
        vectors,
        None if weights.projection is None else weights.projection.detach().t(),
        hidden,
        {name: value[0].detach() for name, value in zip(cell.state, call.state, strict=True)},
        cell.state,
        cell.sources,
    )
