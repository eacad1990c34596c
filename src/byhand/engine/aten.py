"""Torch's own kernels, for the cells that torch has: without a compiler, and on devices for which there is no engine of ours.

They give no sites. Those come afterwards: once every hidden state is known, one product over all steps gives every pre-activation, and
the cell's step, without its products, gives the rest. So recording changes no bit of the results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from byhand.cells.gru import gru
from byhand.cells.lstm import lstm
from byhand.cells.rnn import rnn
from byhand.engine import precision, reference, transforms
from byhand.engine.aten_prepared import PreparedAten
from byhand.engine.call import Call, Listener, Result

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell

    States = tuple[Tensor, ...]

name = "aten"
KERNELS: dict[Cell, Callable[..., Any]] = {lstm: torch.lstm, gru: torch.gru, rnn: torch.rnn_tanh}


def refuses(call: Call) -> str | None:
    """Why it cannot run this call, or None."""
    return refuses_cell(call) or refuses_use(call)


def refuses_cell(call: Call) -> str | None:
    if call.cell not in KERNELS:
        return f"torch has kernels for {', '.join(cell.name for cell in KERNELS)}, not for {call.cell.name}"
    if call.weights.projection is not None and call.cell != lstm:
        return f"torch has no kernel for {call.cell.name} with a projection"
    return None


def refuses_use(call: Call) -> str | None:
    if call.edited:
        return "values are edited inside the steps"
    if call.in_graph and torch.is_grad_enabled():
        return "the values inside the steps are wanted in the graph"
    if call.cut is not None:
        return "sequences start again inside"
    tensors = [one for one in (call.input, *call.state, *call.weights[:5]) if one is not None]
    if transforms.is_recorded(tensors):
        return "operations are recorded, by torch.jit.trace or a dispatch mode"
    strange = transforms.strange_tensor(tensors) or transforms.transform()
    return strange or ("a sequence has no step" if call.has_empty else None)


def run(call: Call) -> Result:
    """The whole sequence in one call of torch's operator; sites and the gradients by them afterwards, where they are wanted."""
    output, state = forward(call)
    if not call.sites:
        return Result(output, state, None)
    with torch.no_grad():
        values = sites(call, output)
    return Result(output, state, values, on_gradients(call, (output, *state)))  # type: ignore[arg-type]


def prepare(call: Call, *, pack: bool = False, frozen: str | None = None) -> PreparedAten | None:
    """The call with nothing left to find out, where it runs forward on the CPU, in a number type in which torch's kernel keeps its states
    as they are. There is nothing to pack.
    """
    exact = call.input.device.type == "cpu" and precision.computed_in(call) is None
    if not exact or pack or call.reverse or call.sites or call.valid is not None or refuses(call) is not None:
        return None
    return PreparedAten.of(KERNELS[call.cell], call)


def traced(call: Call) -> None:
    """Nothing: whoever records operations sees those of the reference engine."""


def forward(call: Call) -> tuple[Tensor, States]:
    """The output and the last states. The reverse direction runs forward over its steps in reverse order."""
    order = backwards(call) if call.reverse else None
    output, state = forward_in_order(call, call.input if order is None else order(call.input))
    return (output if order is None else order(output)), state


def backwards(call: Call) -> Callable[[Tensor], Tensor]:
    """A function that puts each sequence's own steps in reverse order, and undoes it."""
    lengths = call.lengths
    if lengths is None:
        return lambda values: values.flip(0)
    step = torch.arange(len(call.input), device=lengths.device).unsqueeze(1)
    place = torch.where(step < lengths, lengths - 1 - step, step).unsqueeze(-1)
    return lambda values: values.gather(0, place.expand_as(values))


def forward_in_order(call: Call, x: Tensor) -> tuple[Tensor, States]:
    kernel, weights, lengths = KERNELS[call.cell], [one for one in call.weights[:5] if one is not None], call.lengths
    # A bias or not, one layer, no dropout, with what a derivative needs (cuDNN gives none without), one direction.
    options = (call.weights.bias_input is not None, 1, 0.0, torch.is_grad_enabled(), False)
    first = [one.unsqueeze(0).contiguous() for one in call.state]
    if lengths is None:
        output, *last = kernel(x, first if len(first) > 1 else first[0], weights, *options, False)
        return output, tuple(one.squeeze(0) for one in last)
    packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
    assert packed.sorted_indices is not None
    assert packed.unsorted_indices is not None
    first = [one.index_select(1, packed.sorted_indices) for one in first]
    data, *last = kernel(packed.data, packed.batch_sizes, first if len(first) > 1 else first[0], weights, *options)
    output = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    padded = pad_packed_sequence(output, total_length=len(x))[0]
    return padded, tuple(one.index_select(1, packed.unsorted_indices).squeeze(0) for one in last)


def sites(call: Call, output: Tensor) -> dict[str, Tensor]:
    """Every site, (time, batch, hidden): the states that the recurrent product read are known, the others are carried on here."""
    cell, step, before = call.cell, reference.step_of(call), states_before(call, output)
    x = linear(call.input, call.weights.input, reference.input_bias(call, step))
    assert call.weights.recurrent is not None
    u = linear(before, call.weights.recurrent, None if step.fused else call.weights.bias_recurrent)
    products = [x + u] if step.fused else [x, u]
    gates, time, seen = len(cell.gates), len(x), [{}] * len(x)
    state = call.state
    for t in reversed(range(time)) if call.reverse else range(time):
        arguments = [one for product in products for one in product[t].chunk(gates, -1)]
        new, seen[t] = step.run(*arguments, before[t], *state[1:])
        state = new if call.valid is None else reference.chosen(call.valid[t], new, (new[0], *state[1:]))
    stacked = {call.public_name(site): torch.stack([values[site] for values in seen]) for site in seen[0]}
    return stacked | {cell.state[0]: output.detach().clone()}  # to the bit; the caller may write into the output


def states_before(call: Call, output: Tensor) -> Tensor:
    """The first state before each step, which is the output of the step before."""
    first = call.state[0].unsqueeze(0)
    if not call.reverse:
        return torch.cat([first, output[:-1]])
    before = torch.cat([output[1:], first])
    if call.lengths is not None:
        before[call.lengths - 1, torch.arange(len(call.lengths), device=output.device)] = call.state[0]
    return before


def on_gradients(call: Call, results: States) -> Callable[[Listener], None]:
    """Takes listeners; once the gradients by all results are there, they get those by every site, from the reference engine."""
    listeners: list[Listener] = []
    reached = [one for one in results if one.requires_grad]

    @precision.exact
    def hear(grads: Sequence[Tensor | None]) -> None:
        if not listeners:
            return
        with torch.enable_grad():
            again = reference.run(call._replace(input=call.input.detach().requires_grad_(), in_graph=True))
            assert again.sites is not None
            there = [one for one, mine in zip((again.output, *again.state), results, strict=True) if mine.requires_grad]
            given = [(one, grad) for one, grad in zip(there, grads, strict=True) if grad is not None]
            steps = [one for values in again.sites.values() for one in values]
            found = torch.autograd.grad(
                [one for one, _ in given], steps, [grad for _, grad in given], allow_unused=True, materialize_grads=True
            )
        time = len(call.input)
        by_site = {site: torch.stack(found[k * time : (k + 1) * time]) for k, site in enumerate(again.sites)}
        for listener in listeners:
            listener(by_site)

    if reached:
        torch.autograd.graph.register_multi_grad_hook(reached, hear)
    return listeners.append
