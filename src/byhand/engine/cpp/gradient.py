"""The C++ engine under autograd: forward and backward of one layer and direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from byhand.engine import reference
from byhand.engine.call import Call, Listener, Weights, site_names
from byhand.engine.cpp.kernel import Given, Grads, Kernel, Ran, kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from byhand.cells import Cell


class Fixed(NamedTuple):
    """What of a call is no tensor that a gradient is asked for."""

    cell: Cell
    reverse: bool
    valid: Tensor | None
    lengths: Tensor | None
    noise: tuple[Tensor, ...]


def flatten(call: Call) -> tuple[Tensor | None, ...]:
    """All tensors that a gradient can be asked for: input, five weights, vectors, states."""
    return (call.input, *call.weights[:5], *call.weights.vectors, *call.state)


def unflatten(fixed: Fixed, tensors: Sequence[Any]) -> Call:
    """The call again."""
    vectors = len(fixed.cell.vectors)
    weights = Weights(*tensors[1:6], vectors=tuple(tensors[6 : 6 + vectors]))
    return Call(fixed.cell, tensors[0], tuple(tensors[6 + vectors :]), weights, fixed.reverse, fixed.valid, fixed.noise)


def given(fixed: Fixed, call: Call) -> Given:
    """As the kernel wants it: contiguous."""
    weights = Weights(*(None if one is None else one.contiguous() for one in call.weights[:5]), call.weights.vectors)  # type: ignore[arg-type]
    parameters = tuple(one.contiguous() for one in (*call.weights.vectors, *fixed.noise))
    return Given(
        call.input.contiguous(),
        tuple(one.contiguous() for one in call.state),
        weights,
        parameters,
        fixed.lengths,
        fixed.reverse,
    )


class Layer(torch.autograd.Function):
    """tensors as in flatten; gives the output, then the last states."""

    @staticmethod
    def forward(
        ctx: Any, fixed: Fixed, kept: list[tuple[Given, Ran]], listeners: list[Listener], *tensors: Tensor | None
    ) -> tuple[Tensor, ...]:
        ctx.fixed, ctx.listeners = fixed, listeners
        ctx.set_materialize_grads(False)
        call = unflatten(fixed, tensors)
        what = given(fixed, call)
        ran = kernel(fixed.cell, what.input.dtype).forward(what, keep=True)
        kept.append((what, ran))
        saved = [*tensors, ran.output, *ran.last, *ran.histories, ran.kept, ran.unprojected]
        ctx.save_for_backward(*saved)
        return (ran.output, *ran.last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        fixed: Fixed = ctx.fixed
        saved, states = ctx.saved_tensors, len(fixed.cell.state)
        tensors, rest = saved[: -(2 * states + 3)], saved[-(2 * states + 3) :]
        needed = ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():  # the derivative is to be differentiated itself
            return None, None, None, *through_reference(fixed, tensors, grads, needed)
        call = unflatten(fixed, tensors)
        ran = Ran(rest[0], rest[1 : 1 + states], rest[1 + states : 1 + 2 * states], rest[-2], rest[-1])
        compiled, what = kernel(fixed.cell, call.input.dtype), given(fixed, call)
        return None, None, None, *gradients(compiled, what, ran, grads, needed, ctx.listeners)


def through_reference(
    fixed: Fixed, tensors: Sequence[Tensor | None], grads: Sequence[Tensor | None], needed: Sequence[bool]
) -> list[Tensor | None]:
    """The same gradients from the reference engine, as functions of tensors and grads."""
    result = reference.run(unflatten(fixed, tensors))
    made = [(value, grad) for value, grad in zip((result.output, *result.state), grads, strict=True) if grad is not None]
    wanted = [one for one, need in zip(tensors, needed, strict=True) if need and one is not None]
    outputs = [value for value, _ in made if value.requires_grad]
    by = [grad for value, grad in made if value.requires_grad]
    found = iter(torch.autograd.grad(outputs, wanted, by, create_graph=True, allow_unused=True))
    return [next(found) if need else None for need in needed]


def gradients(
    kernel: Kernel,
    given: Given,
    ran: Ran,
    grads: Sequence[Tensor | None],
    needed: Sequence[bool],
    listeners: Sequence[Listener],
) -> list[Tensor | None]:
    """In the order of flatten, None where not needed."""
    vectors = len(given.weights.vectors)
    wanted = (*needed[:3], needed[5], any(needed[6 : 6 + vectors]), any(needed[6 + vectors :]))
    grad_output = None if grads[0] is None else grads[0].contiguous()
    made = kernel.backward(given, ran, grad_output, grads[1:], wanted, every_state=bool(listeners))
    if listeners:
        told = by_sites(kernel, given, ran, made)
        for listener in listeners:
            listener(told)
    gates, hidden = len(kernel.cell.gates), made.bias.numel() // kernel.slots
    by_u = made.bias[: gates * hidden]
    if needed[4] and kernel.programs.u_slots != kernel.programs.x_slots:
        by_u = torch.cat([made.bias[slot * hidden : (slot + 1) * hidden] for slot in kernel.programs.u_slots])
    by_bias = made.bias[: gates * hidden] if needed[3] else None, by_u if needed[4] else None
    products = made[2:6] if made.slots is None else large_products(kernel, given, ran, made, needed)
    return [*products[:3], *by_bias, products[3], *made.vectors, *made.state]


def by_sites(kernel: Kernel, given: Given, ran: Ran, made: Grads) -> dict[str, Tensor]:
    """Gradients by all that the steps computed, out of those by the new states: one pass over all steps at once."""
    assert ran.kept is not None
    cell, hidden = kernel.cell, made.bias.numel() // kernel.slots
    time, batch = ran.kept.shape[:2]
    before = {
        name: shifted(history, first, given)
        for name, history, first in zip(cell.state, ran.histories, given.state, strict=True)
        if history is not None
    }
    values = slots_again(kernel, given, before) | {f"s.{name}": value for name, value in before.items()}
    values |= {
        f"p.{name}": one.expand(time, batch, hidden) for name, one in zip(cell.parameters, given.parameters, strict=True)
    }
    with torch.enable_grad():
        sites: dict[str, Tensor] = {}
        for name, value in kernel.programs.again.run(values).items():
            again = any(value is other for other in sites.values())  # a second name has a gradient of its own
            sites[name] = value.view_as(value) if again else value
        reached = [(sites[name], by) for name, by in zip(cell.state, made.histories, strict=True)]
        loss = torch.stack([(value * by).sum() for value, by in reached]).sum()
        found = torch.autograd.grad(loss, list(sites.values()), materialize_grads=True)
    if given.lengths is not None:  # what was kept of steps after the end is anything
        there = (torch.arange(time).unsqueeze(1) < given.lengths).unsqueeze(-1)
        found = tuple(torch.where(there, one, 0) for one in found)
    if made.projected is None:
        return dict(zip(sites, found, strict=True))
    names = site_names(cell, projected=True)
    return dict(zip(names, (*found, made.projected), strict=True))


def slots_again(kernel: Kernel, given: Given, before: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the products gave to each step; only the part that the derivative needs was kept."""
    cell, weights, programs = kernel.cell, given.weights, kernel.programs
    slots = dict(
        zip(cell.gates, linear(given.input, weights.input, weights.bias_input).chunk(len(cell.gates), -1), strict=True)
    )
    made = {f"x.{gate}": value for gate, value in slots.items()}
    if weights.recurrent is not None:
        read = torch.cat([before[name] for name in cell.sources], -1)
        parts = linear(read, weights.recurrent, weights.bias_recurrent).chunk(len(cell.gates), -1)
        made |= {f"u.{gate}": value for gate, value in zip(cell.gates, parts, strict=True)}
        made |= {f"a.{gate}": made[f"x.{gate}"] + made[f"u.{gate}"] for gate in cell.gates}
    return {slot: made[slot].detach().requires_grad_() for slot in programs.slots}


def shifted(history: Tensor, first: Tensor, given: Given) -> Tensor:
    """What a state was before each step."""
    before = torch.cat([history[1:], first[None]] if given.reverse else [first[None], history[:-1]])
    if given.reverse and given.lengths is not None:
        before[given.lengths - 1, torch.arange(len(given.lengths))] = first
    return before


def large_products(kernel: Kernel, given: Given, ran: Ran, made: Grads, needed: Sequence[bool]) -> tuple[Tensor | None, ...]:
    """Gradients by input, input weights, recurrent weights and projection, where the weights are large."""
    assert made.slots is not None
    by_slots, rows = made.slots.flatten(0, 1), given.weights.input.shape[0]
    by_x, by_projection = by_slots[:, :rows], None
    if needed[5] and made.projected is not None and ran.unprojected is not None:
        by_projection = torch.mm(made.projected.flatten(0, 1).t(), ran.unprojected.flatten(0, 1))
    return (
        torch.mm(by_x, given.weights.input).view(given.input.shape) if needed[0] else None,
        torch.mm(by_x.t(), given.input.flatten(0, 1)) if needed[1] else None,
        by_recurrent(kernel, given, ran, made.slots) if needed[2] else None,
        by_projection,
    )


def by_recurrent(kernel: Kernel, given: Given, ran: Ran, slots: Tensor) -> Tensor:
    """U's gradient: Σ over steps of (gradient by the slots)ᵀ · (what was read)."""
    weight, size = given.weights.recurrent, slots.shape[-1] // kernel.slots
    assert weight is not None
    grad, column = torch.empty_like(weight), 0
    first = slots[-1 if given.reverse else 0]
    if given.reverse and given.lengths is not None:
        first = slots[given.lengths - 1, torch.arange(len(given.lengths))]
    later = (slots[:-1] if given.reverse else slots[1:]).flatten(0, 1)
    for state in kernel.sources:
        history, start = ran.histories[state], given.state[state]
        assert history is not None
        read = (history[1:] if given.reverse else history[:-1]).flatten(0, 1)
        for gate, slot, count in runs(kernel.programs.u_slots):
            there = grad[gate * size : (gate + count) * size, column : column + start.shape[1]]
            block = slice(slot * size, (slot + count) * size)
            torch.mm(first[:, block].t(), start, out=there)
            if len(later):
                there.addmm_(later[:, block].t(), read)
        column += start.shape[1]
    return grad


def runs(u_slots: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Gates whose slots lie side by side, as (first gate, first slot, how many)."""
    found: list[tuple[int, int, int]] = []
    for gate, slot in enumerate(u_slots):
        if found and slot == found[-1][1] + found[-1][2]:
            found[-1] = (*found[-1][:2], found[-1][2] + 1)
        else:
            found.append((gate, slot, 1))
    return found
