"""The reference engine: a loop over time. It is the specification; every other engine is tested against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import linear

from byhand.cells.graph import Compiled, as_it_is, compiled
from byhand.engine.call import Call, Result

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell

    States = tuple[Tensor, ...]


name = "reference"


def refuses(call: Call) -> str | None:
    """Why it cannot run this call: never, it runs everything."""
    return None


def run(call: Call) -> Result:
    """One input product for all steps; then, step by step, one recurrent product and the cell."""
    step = step_of(call)
    arguments = all_arguments(call, step)
    x = linear(call.input, call.weights.input, input_bias(call, step)).unbind(0)
    state, outputs, seen = call.state, [x[0]] * len(x), [{}] * len(x)
    for t in reversed(range(len(x))) if call.reverse else range(len(x)):
        if call.cut is not None:
            state = chosen(call.cut[t], call.restart, state)
        new, seen[t] = step.run(*arguments(x[t], state, t))
        if call.weights.projection is not None:
            new, seen[t] = project(call, t, new, seen[t])
        outputs[t], state = new[0], new if call.valid is None else chosen(call.valid[t], new, state)
    output = torch.stack(outputs) if call.valid is None else torch.where(call.valid.unsqueeze(-1), torch.stack(outputs), 0)
    sites = {name: [values[name] for values in seen] for name in seen[0]} if call.sites else None
    return Result(output, state, sites)


def prepare(call: Call, *, pack: bool = False) -> None:
    """Nothing: a loop has nothing to prepare."""


def traced(call: Call) -> None:
    """Nothing: whoever records operations sees those of the loop."""


def step_of(call: Call) -> Compiled:
    """The step, rewritten where that makes it faster or has edits in it; as it is for torch.compile, which rewrites it itself."""
    if torch.compiler.is_dynamo_compiling():
        return Compiled(as_it_is(call.cell), fused=False)
    return compiled(call.cell, call.step_edits, sites=call.sites)


def input_bias(call: Call, step: Compiled) -> Tensor | None:
    """The bias of the input product; where the step only ever reads sums, the recurrent one is in it too."""
    one, other = call.weights.bias_input, call.weights.bias_recurrent
    if not step.fused or one is None or other is None:
        return one
    return one + 1 * other  # a product, so that each has a gradient of its own in memory


def all_arguments(call: Call, step: Compiled) -> Callable[[Tensor, States, int], tuple]:
    """A function of W·x_t, the last states and t: what the step is run with. First, gate by gate, W·x_t and U·h_{t-1}, or their sum
    where that is all the step reads; then the states; then vectors, masks and, if it has edits, edit(site, value).
    """
    weight, gates = call.weights.recurrent, len(call.cell.gates)
    read, further = reader(call.cell), parameters(call)
    if weight is None:
        return lambda x, state, t: (*x.chunk(gates, -1), *state, *further(t))
    if step.fused:
        across = weight.t()
        return lambda x, state, t: (*torch.addmm(x, read(state), across).chunk(gates, -1), *state, *further(t))
    products = recurrent_products(call)
    return lambda x, state, t: (*x.chunk(gates, -1), *products(read(state)), *state, *further(t))


def recurrent_products(call: Call) -> Callable[[Tensor], Sequence[Tensor | Callable[[Tensor], Tensor]]]:
    """A function of what is read of the states: U·h gate by gate, and for a gate of cell.inner a function of what its rows multiply."""
    weight, bias, gates, inner = call.weights.recurrent, call.weights.bias_recurrent, call.cell.gates, call.cell.inner
    assert weight is not None
    if not inner:
        return lambda h: linear(h, weight, bias).chunk(len(gates), -1)
    rows = dict(zip(gates, weight.chunk(len(gates)), strict=True))
    biases = dict.fromkeys(gates) if bias is None else dict(zip(gates, bias.chunk(len(gates)), strict=True))
    functions = {gate: partial(linear, weight=rows[gate], bias=biases[gate]) for gate in inner}
    before = [gate for gate in gates if gate not in inner]
    if not before:
        return lambda h: [functions[gate] for gate in gates]
    across = torch.cat([rows[gate] for gate in before])
    offset = None if bias is None else torch.cat([biases[gate] for gate in before])  # type: ignore[arg-type]

    def products(h: Tensor) -> list[Tensor | Callable[[Tensor], Tensor]]:
        made: dict[str, Any] = dict(zip(before, linear(h, across, offset).chunk(len(before), -1), strict=True))
        return [(made | functions)[gate] for gate in gates]

    return products


def reader(cell: Cell) -> Callable[[States], Tensor]:
    """A function of the states: what the recurrent product reads of them."""
    places = [cell.state.index(name) for name in cell.sources]
    if len(places) == 1 and not cell.truncated:
        return itemgetter(*places)

    def read(state: States) -> Tensor:
        h = torch.cat([state[place] for place in places], -1)
        return h.detach() if cell.truncated else h

    return read


def parameters(call: Call) -> Callable[[int], tuple]:
    """A function of the time: vectors, masks and, if the step has edits, edit(site, value)."""
    vectors, noise, change = call.weights.vectors, [mask.unbind(0) for mask in call.noise], call.edit
    if not noise and not call.step_edits:
        return lambda t: vectors

    def at(t: int) -> tuple:
        masks = [mask[t % len(mask)] for mask in noise]
        if change is None or not call.step_edits:
            return (*vectors, *masks)
        return (*vectors, *masks, partial(edited, change, call, t))

    return at


def edited(change: Callable[[str, int, Tensor], Tensor], call: Call, t: int, name: str, value: Tensor) -> Tensor:
    return change(call.public_name(name), t, value)


def project(call: Call, t: int, new: States, sites: dict[str, Tensor]) -> tuple[States, dict[str, Tensor]]:
    """The output h = W_hr·m, where m is what the step gave as its output (Sak, Senior & Beaufays 2014)."""
    name, weight = call.cell.state[0], call.weights.projection
    assert weight is not None
    h = linear(new[0], weight)
    if call.edit is not None and name in call.edited:
        h = call.edit(name, t, h)
    named = {call.public_name(site): value for site, value in sites.items()} | {name: h} if call.sites else {}
    return (h, *new[1:]), named


def chosen(mask: Tensor, these: States, others: States) -> States:
    """These states for the sequences where mask (batch,) is True, the others elsewhere."""
    there = mask.unsqueeze(-1)
    return tuple(torch.where(there, one, other) for one, other in zip(these, others, strict=True))
