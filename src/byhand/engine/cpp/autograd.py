"""The C++ engine under autograd: forward and backward of one layer and direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from byhand.engine import precision, reference
from byhand.engine.call import Call, Listener, Weights
from byhand.engine.cpp.kernel import Kernel, kernel
from byhand.engine.cpp.values import KernelGradients, KernelInputs, KernelOutputs
from byhand.engine.names import site_names

if TYPE_CHECKING:
    from collections.abc import Sequence


def flatten(call: Call) -> tuple[Tensor | None, ...]:
    """All tensors that a gradient can be asked for: input, five weights, vectors, first states, those to start again from."""
    return (call.input, *call.weights[:5], *call.weights.vectors, *call.state, *call.restart)


def without_tensors(call: Call) -> Call:
    """The call without what flatten gives, for autograd keeps that itself."""
    return call._replace(input=None, weights=None, state=(), restart=(), sites=False, in_graph=False)  # type: ignore[arg-type]


def unflatten(call: Call, tensors: Sequence[Any]) -> Call:
    """The call with these tensors, as flatten gives them."""
    start = 6 + len(call.cell.vectors)
    end = start + len(call.cell.state)
    weights = Weights(*tensors[1:6], vectors=tuple(tensors[6:start]))
    return call._replace(input=tensors[0], weights=weights, state=tuple(tensors[start:end]), restart=tuple(tensors[end:]))


def kernel_inputs(call: Call) -> KernelInputs:
    """As the kernel wants them: contiguous."""
    weights = Weights(*(None if one is None else one.contiguous() for one in call.weights[:5]), call.weights.vectors)  # type: ignore[arg-type]
    parameters = tuple(one.contiguous() for one in (*call.weights.vectors, *call.noise))
    return KernelInputs(
        call.input.contiguous(),
        tuple(one.contiguous() for one in call.state),
        weights,
        parameters,
        call.lengths,
        call.reverse,
        None if call.cut is None else call.cut.contiguous(),
        tuple(one.contiguous() for one in call.restart),
    )


class Layer(torch.autograd.Function):
    """bare: the call without its tensors, which are as in flatten; gives the output, then the last states."""

    @staticmethod
    def forward(
        ctx: Any,
        bare: Call,
        ran: list[tuple[KernelInputs, KernelOutputs]],
        listeners: list[Listener],
        *tensors: Tensor | None,
    ) -> tuple[Tensor, ...]:
        ctx.bare, ctx.listeners = bare, listeners
        ctx.set_materialize_grads(False)
        inputs = kernel_inputs(unflatten(bare, tensors))
        outputs = kernel(bare.cell, inputs.input.dtype).forward(inputs, keep=True)
        ran.append((inputs, outputs))
        ctx.save_for_backward(*tensors, *outputs.histories, *outputs.rounded, outputs.saved, outputs.unprojected)
        return (outputs.output if shares_output(inputs) else outputs.output.clone(), *outputs.last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        bare: Call = ctx.bare
        needed, stored, states = ctx.needs_input_grad[3:], ctx.saved_tensors, len(bare.cell.state)
        tensors, rest = stored[: len(needed)], stored[len(needed) :]
        call = unflatten(bare, tensors)
        if torch.is_grad_enabled():  # the derivative is to be differentiated itself
            return None, None, None, *through_reference(call, grads, needed)
        outputs = outputs_again(call, rest[:states], rest[states:-2], rest[-2], rest[-1])
        compiled = kernel(bare.cell, call.input.dtype)
        made = gradients(compiled, kernel_inputs(call), outputs, grads, needed, ctx.listeners)
        return None, None, None, *(one if one is None else one.to(call.input.dtype) for one in made)


def shares_output(call: Call | KernelInputs) -> bool:
    """Whether the caller gets the very output that the derivative is made from, which autograd lets nobody write in place. So it is
    with torch.nn.LSTM in float32 without a projection; what torch's other layers return may be written, which takes a copy here.
    """
    return call.input.dtype == torch.float32 and call.weights.projection is None and len(call.state) > 1


def outputs_again(
    call: Call,
    histories: Sequence[Tensor | None],
    rounded: Sequence[Tensor | None],
    saved: Tensor | None,
    unprojected: Tensor | None,
) -> KernelOutputs:
    """What the derivative is made from. The last states, which nothing reads again, are not kept: the caller may write into them."""
    output = (*rounded, *histories)[0]
    assert output is not None
    return KernelOutputs(output, call.state, tuple(histories), saved, unprojected, tuple(rounded))


@precision.exact
def through_reference(call: Call, grads: Sequence[Tensor | None], needed: Sequence[bool]) -> list[Tensor | None]:
    """The same gradients from the reference engine, as functions of the call's tensors and grads."""
    result = precision.run(call, reference.run)
    made = [(value, grad) for value, grad in zip((result.output, *result.state), grads, strict=True) if grad is not None]
    wanted = [one for one, need in zip(flatten(call), needed, strict=True) if need and one is not None]
    outputs = [value for value, _ in made if value.requires_grad]
    by = [grad for value, grad in made if value.requires_grad]
    found = iter(torch.autograd.grad(outputs, wanted, by, create_graph=True, allow_unused=True))
    return [next(found) if need else None for need in needed]


@precision.exact
def gradients(
    kernel: Kernel,
    inputs: KernelInputs,
    outputs: KernelOutputs,
    grads: Sequence[Tensor | None],
    needed: Sequence[bool],
    listeners: Sequence[Listener],
) -> list[Tensor | None]:
    """In the order of flatten, None where not needed."""
    start = 6 + len(inputs.weights.vectors)
    end = start + len(inputs.state)
    wanted = (*needed[:3], needed[5], any(needed[6:start]), any(needed[start:end]), any(needed[end:]))
    grad_output = None if grads[0] is None else grads[0].contiguous()
    made = kernel.backward(inputs, outputs, grad_output, grads[1:], wanted, every_state=bool(listeners))
    if listeners:
        by_site = by_sites(kernel, *widened(inputs, outputs), made)
        for listener in listeners:
            listener(by_site)
    gates, hidden = len(kernel.cell.gates), made.bias.numel() // kernel.preactivations
    by_x = made.bias[: gates * hidden] if needed[3] else None
    # The two biases get gradients of their own: autograd takes them as they are, and optimisers write into them.
    by_u = recurrent_bias(kernel, made.bias) if needed[4] else None
    products = made[2:6] if made.preactivations is None else large_products(kernel, inputs, outputs, made, needed)
    return [*products[:3], by_x, by_u, products[3], *made.vectors, *made.state, *(made.restart or [None] * len(inputs.restart))]


def recurrent_bias(kernel: Kernel, by_preactivations: Tensor) -> Tensor:
    """The gradient by the recurrent product's bias, in memory of its own."""
    parts = by_preactivations.view(kernel.preactivations, -1)
    return torch.cat([parts[place] for place in kernel.partition.of_recurrent])


def widened(inputs: KernelInputs, outputs: KernelOutputs) -> tuple[KernelInputs, KernelOutputs]:
    """The same in float32, where a kernel in bfloat16 ran: with a history of each state that was read."""
    if not outputs.rounded:
        return inputs, outputs
    weights = Weights(*(None if one is None else one.float() for one in inputs.weights[:5]), inputs.weights.vectors)  # type: ignore[arg-type]
    both = zip(outputs.histories, outputs.rounded, strict=True)
    histories = tuple(one if one is not None or low is None else low.float() for one, low in both)
    parameters = tuple(one.float() for one in inputs.parameters)
    wide = inputs._replace(input=inputs.input.float(), weights=weights, parameters=parameters)
    return wide._replace(state=tuple(one.float() for one in inputs.state)), outputs._replace(histories=histories)


def by_sites(kernel: Kernel, inputs: KernelInputs, outputs: KernelOutputs, made: KernelGradients) -> dict[str, Tensor]:
    """Gradients by all that the steps computed, out of those by the new states: one pass over all steps at once."""
    assert outputs.saved is not None
    cell, hidden = kernel.cell, made.bias.numel() // kernel.preactivations
    time, batch = outputs.saved.shape[:2]
    before = {
        name: shifted(history, index, inputs)
        for index, (name, history) in enumerate(zip(cell.state, outputs.histories, strict=True))
        if history is not None
    }
    values = preactivations_again(kernel, inputs, before) | {f"s.{name}": value for name, value in before.items()}
    values |= {
        f"p.{name}": one.expand(time, batch, hidden) for name, one in zip(cell.parameters, inputs.parameters, strict=True)
    }
    with torch.enable_grad():
        sites: dict[str, Tensor] = {}
        for name, value in kernel.partition.recompute.run(values).items():
            again = any(value is other for other in sites.values())  # a second name has a gradient of its own
            sites[name] = value.view_as(value) if again else value
        reached = [(sites[name], by) for name, by in zip(cell.state, made.histories, strict=True)]
        loss = torch.stack([(value * by).sum() for value, by in reached]).sum()
        found = torch.autograd.grad(loss, list(sites.values()), materialize_grads=True)
    if inputs.lengths is not None:  # what was kept of steps after the end is anything
        there = (torch.arange(time, device=inputs.lengths.device).unsqueeze(1) < inputs.lengths).unsqueeze(-1)
        found = tuple(torch.where(there, one, 0) for one in found)
    if made.projected is None:
        return dict(zip(sites, found, strict=True))
    names = site_names(cell, projected=True)
    return dict(zip(names, (*found, made.projected), strict=True))


def preactivations_again(kernel: Kernel, inputs: KernelInputs, before: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the products gave to each step; only the part that the derivative needs was kept."""
    cell, weights = kernel.cell, inputs.weights
    by_gate = dict(
        zip(cell.gates, linear(inputs.input, weights.input, weights.bias_input).chunk(len(cell.gates), -1), strict=True)
    )
    made = {f"x.{gate}": value for gate, value in by_gate.items()}
    if weights.recurrent is not None:
        read = torch.cat([before[name] for name in cell.sources], -1)
        parts = linear(read, weights.recurrent, weights.bias_recurrent).chunk(len(cell.gates), -1)
        made |= {f"u.{gate}": value for gate, value in zip(cell.gates, parts, strict=True)}
        made |= {f"a.{gate}": made[f"x.{gate}"] + made[f"u.{gate}"] for gate in cell.gates}
    return {name: made[name].detach().requires_grad_() for name in kernel.partition.preactivations}


def shifted(history: Tensor, state: int, inputs: KernelInputs) -> Tensor:
    """What a state was before each step."""
    first = inputs.state[state]
    before = torch.cat([history[1:], first[None]] if inputs.reverse else [first[None], history[:-1]])
    if inputs.reverse and inputs.lengths is not None:
        before[last_of_each(inputs.lengths)] = first
    return before if inputs.cut is None else torch.where(inputs.cut.unsqueeze(-1), inputs.restart[state], before)


def last_of_each(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The index of each sequence's last step, (time, batch)."""
    return lengths - 1, torch.arange(len(lengths), device=lengths.device)


def large_products(
    kernel: Kernel, inputs: KernelInputs, outputs: KernelOutputs, made: KernelGradients, needed: Sequence[bool]
) -> tuple[Tensor | None, ...]:
    """Gradients by input, input weights, recurrent weights and projection, where the weights are large."""
    assert made.preactivations is not None
    by_preactivations, rows = made.preactivations.flatten(0, 1), inputs.weights.input.shape[0]
    by_x, by_projection = by_preactivations[:, :rows], None
    if needed[5] and made.projected is not None and outputs.unprojected is not None:
        by_projection = torch.mm(made.projected.flatten(0, 1).t(), outputs.unprojected.flatten(0, 1))
    return (
        torch.mm(by_x, inputs.weights.input).view(inputs.input.shape) if needed[0] else None,
        torch.mm(by_x.t(), inputs.input.flatten(0, 1)) if needed[1] else None,
        by_recurrent(kernel, inputs, outputs, made.preactivations) if needed[2] else None,
        by_projection,
    )


def by_recurrent(kernel: Kernel, inputs: KernelInputs, outputs: KernelOutputs, grads: Tensor) -> Tensor:
    """U's gradient: Σ over steps of (gradient by the pre-activations)ᵀ · (what was read)."""
    weight, size = inputs.weights.recurrent, grads.shape[-1] // kernel.preactivations
    assert weight is not None
    grad, column = torch.empty_like(weight), 0
    first = grads[-1 if inputs.reverse else 0]
    if inputs.reverse and inputs.lengths is not None:
        first = grads[last_of_each(inputs.lengths)]
    later = (grads[:-1] if inputs.reverse else grads[1:]).flatten(0, 1)
    for state in kernel.sources:
        history, start = outputs.histories[state], inputs.state[state]
        assert history is not None
        read = (history[1:] if inputs.reverse else history[:-1]).flatten(0, 1)
        if inputs.cut is not None:
            first, start, later = grads.flatten(0, 1), shifted(history, state, inputs).flatten(0, 1), later[:0]
        for gate, first_row, count in runs(kernel.partition.of_recurrent):
            there = grad[gate * size : (gate + count) * size, column : column + start.shape[-1]]
            block = slice(first_row * size, (first_row + count) * size)
            torch.mm(first[:, block].t(), start, out=there)
            if len(later):
                there.addmm_(later[:, block].t(), read)
        column += start.shape[-1]
    return grad


def runs(of_recurrent: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Gates whose pre-activations lie side by side, as (first gate, first pre-activation, how many)."""
    found: list[tuple[int, int, int]] = []
    for gate, place in enumerate(of_recurrent):
        if found and place == found[-1][1] + found[-1][2]:
            found[-1] = (*found[-1][:2], found[-1][2] + 1)
        else:
            found.append((gate, place, 1))
    return found
