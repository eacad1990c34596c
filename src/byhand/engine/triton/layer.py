"""A call on the GPU engine under autograd, and the products of all steps at once, which torch computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from byhand.engine import precision
from byhand.engine.cpp.autograd import runs, shares_output, through_reference, unflatten
from byhand.engine.triton.kernels import Kernel, kernel_of
from byhand.engine.triton.values import Inputs, Outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from byhand.engine.call import Call


class Layer(torch.autograd.Function):
    """bare: the call without its tensors, which are as in flatten; gives the output, then the last states, and puts all into ran."""

    @staticmethod
    def forward(ctx: Any, bare: Call, ran: list[Outputs], *tensors: Tensor | None) -> tuple[Tensor, ...]:
        call = unflatten(bare, tensors)
        outputs = run_kernel(call, keep=True)
        ran.append(outputs)
        output = outputs.output
        ctx.bare = bare
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *outputs.given, *outputs.states, outputs.unprojected)
        return (output if shares_output(call) else output.clone(), *outputs.last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        needed, stored, states = ctx.needs_input_grad[2:], ctx.saved_tensors, len(ctx.bare.cell.state)
        call, kept = unflatten(ctx.bare, stored[: len(needed)]), stored[len(needed) :]
        if torch.is_grad_enabled():  # the derivative is to be differentiated itself
            return None, None, *through_reference(call, grads, needed)
        outputs = Outputs(call.state, kept[:states], kept[states : 2 * states], kept[-1])
        return None, None, *gradients(call, outputs, grads, needed)


def run_kernel(call: Call, *, keep: bool) -> Outputs:
    """The call, without a graph. keep: what a derivative is made from."""
    with precision.exactly(call.input.device.type), torch.no_grad():
        compiled = kernel_of(call)
        return compiled.forward(inputs_of(compiled, call, input_product(compiled, call)), keep=keep)


def sums_in(call: Call) -> torch.dtype:
    """The number type of sums and states."""
    return torch.float64 if call.input.dtype == torch.float64 else torch.float32


def inputs_of(kernel: Kernel, call: Call, product: Tensor) -> Inputs:
    """As the kernel wants them."""
    weights, lengths, cut = call.weights, call.lengths, call.cut
    bias = weights.bias_recurrent
    if kernel.printer.separate and bias is None:
        bias = weights.input.new_zeros(len(weights.input))

    def contiguous(one: Tensor | None) -> Tensor | None:
        return None if one is None else one.contiguous()

    return Inputs(
        product,
        contiguous(weights.recurrent),
        contiguous(bias),
        contiguous(weights.projection),
        tuple(one.contiguous() for one in weights.vectors),
        tuple(one.contiguous() for one in call.noise),
        tuple(one.contiguous() for one in call.state),
        None if lengths is None else lengths.to(torch.int32),
        call.reverse,
        None if cut is None else cut.contiguous().view(torch.uint8),
        tuple(one.contiguous() for one in call.restart),
    )


def input_product(kernel: Kernel, call: Call) -> Tensor:
    """W·x and its bias, of all steps; the recurrent bias, too, where the step only reads the sum."""
    weights, sums = call.weights, sums_in(call)
    bias = None if weights.bias_input is None else weights.bias_input.to(sums)
    if bias is not None and weights.bias_recurrent is not None:
        further = weights.bias_recurrent.to(sums).view(len(kernel.cell.gates), -1).clone()
        for gate in kernel.printer.separate.values():  # one by one: a list of them would be copied to the GPU
            further[gate] = 0
        bias = bias + further.flatten()
    return linear(call.input.to(sums), weights.input.to(sums), bias)


def states_before(kernel: Kernel, call: Call, outputs: Outputs) -> Tensor | None:
    """What the recurrent product read at each step, (time * batch, width), in the number type of sums."""
    found = []
    for state in kernel.printer.sources:
        history = outputs.given[state]
        assert history is not None
        found.append(shifted(call, history, state).to(sums_in(call)))
    return torch.cat(found, -1).flatten(0, 1) if found else None


def shifted(call: Call, history: Tensor, state: int) -> Tensor:
    """What a state was before each step, (time, batch, width)."""
    first, lengths = call.state[state].to(history.dtype), call.lengths
    before = torch.cat([history[1:], first[None]] if call.reverse else [first[None], history[:-1]])
    if call.reverse and lengths is not None:
        before[lengths - 1, torch.arange(len(first), device=first.device)] = first
    if call.cut is None:
        return before
    return torch.where(call.cut.unsqueeze(-1), call.restart[state].to(history.dtype), before)


def preactivations(kernel: Kernel, call: Call, read: Tensor | None) -> Tensor:
    """What both products gave to each step, (time, batch, preactivations*hidden), out of what the recurrent one read."""
    (time, batch), hidden, weights = call.input.shape[:2], kernel.hidden, call.weights
    whole = input_product(kernel, call)
    if read is None or weights.recurrent is None:
        return whole
    count, sums = len(kernel.partition.preactivations), sums_in(call)
    made = whole.flatten(0, 1)
    if count > len(kernel.cell.gates):
        made = whole.new_zeros(time * batch, count * hidden)
        made[:, : whole.shape[-1]] = whole.flatten(0, 1)
        if weights.bias_recurrent is not None:
            for slot, gate in kernel.printer.separate.items():
                made[:, slot * hidden : (slot + 1) * hidden] = weights.bias_recurrent[gate * hidden : (gate + 1) * hidden]
    recurrent = weights.recurrent.to(sums)
    for gate, slot, several in runs(kernel.partition.of_recurrent):
        rows = recurrent[gate * hidden : (gate + several) * hidden]
        made[:, slot * hidden : (slot + several) * hidden].addmm_(read, rows.t())
    return made.view(time, batch, count * hidden)


def gradients(call: Call, outputs: Outputs, grads: Sequence[Tensor | None], needed: Sequence[bool]) -> list[Tensor | None]:
    """In the order of flatten, None where not needed. grads: by the output and each last state."""
    with precision.exactly(call.input.device.type), torch.no_grad():
        kernel = kernel_of(call)
        read = states_before(kernel, call, outputs)
        every = preactivations(kernel, call, read)
        by_output = None if grads[0] is None else grads[0].contiguous()
        made = kernel.backward(inputs_of(kernel, call, every), outputs, every, by_output, grads[1:])
        by, hidden, weights = made.preactivations.flatten(0, 1), kernel.hidden, call.weights
        by_x = by[:, : len(weights.input)]
        sums, of_recurrent = by.dtype, kernel.partition.of_recurrent

        def by_recurrent() -> Tensor:
            assert read is not None
            assert weights.recurrent is not None
            grad = torch.empty_like(weights.recurrent, dtype=sums)
            for gate, slot, several in runs(of_recurrent):
                there = grad[gate * hidden : (gate + several) * hidden]
                torch.mm(by[:, slot * hidden : (slot + several) * hidden].t(), read, out=there)
            return grad

        def by_projection() -> Tensor:
            assert made.projected is not None
            assert outputs.unprojected is not None
            return torch.mm(made.projected.flatten(0, 1).t(), outputs.unprojected.flatten(0, 1))

        by_bias = by.sum(0) if needed[3] or needed[4] else None
        found: list[Tensor | None] = [
            torch.mm(by_x, weights.input.to(sums)).view(call.input.shape) if needed[0] else None,
            torch.mm(by_x.t(), call.input.flatten(0, 1).to(sums)) if needed[1] else None,
            by_recurrent() if needed[2] else None,
            by_bias[: len(weights.input)].clone() if needed[3] and by_bias is not None else None,
            torch.cat([by_bias.view(-1, hidden)[slot] for slot in of_recurrent]) if needed[4] and by_bias is not None else None,
            by_projection() if needed[5] else None,
            *made.vectors,
            *made.state,
            *made.restart,
        ]
        own = call.input.dtype
        return [one.to(own) if need and one is not None else None for one, need in zip(found, needed, strict=True)]
