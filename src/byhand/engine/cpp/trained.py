"""Prepared calls in autograd's graph: the derivative of one layer, with arguments that are listed once."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byhand.engine.cpp.arguments import address, addresses
from byhand.engine.cpp.autograd import recurrent_bias, shares_output, through_reference, unflatten
from byhand.engine.cpp.kernel import Kernel
from byhand.engine.cpp.values import KernelInputs, torch_multiplies

if TYPE_CHECKING:
    from byhand.engine.call import Call
    from byhand.engine.cpp.arguments import Arguments
    from byhand.engine.packing import Packing


def lay_out(argv: array[int], at: Arguments, packing: Packing) -> None:
    """Say how many steps there are of packed sequences, and where their rows are."""
    argv[at.time] = len(packing.sizes)
    argv[at.offsets], argv[at.lengths] = packing.offsets.buffer_info()[0], packing.lengths.buffer_info()[0]


def is_plain(inputs: KernelInputs) -> bool:
    """Whether the kernel gives every gradient, and nothing is projected; others take the usual way."""
    return inputs.weights.projection is None and not torch_multiplies(inputs.weights)


class TrainedCall:
    """A prepared call with its derivative: one layer, one number of sequences, contiguous tensors in the order of autograd.flatten. First
    states are (batch, width), or (1, batch, width); the last ones and the gradients by both come alike.
    """

    def __init__(self, kernel: Kernel, inputs: KernelInputs, bare: Call) -> None:
        batch, self.at = inputs.input.shape[1], kernel.at
        hidden = inputs.weights.input.shape[0] // len(kernel.cell.gates)
        self.kernel, self.bare, self.states, self.shares_output = kernel, bare, len(inputs.state), shares_output(inputs)
        self.hidden, self.saved, self.carried = hidden, kernel.preactivations * hidden, (self.states, batch, hidden)
        self.wide: dict[str, Any] = (
            {"dtype": kernel.computed} if kernel.rounds else {}
        )  # of sums and states, where it is another
        self.biases_alike = kernel.partition.of_recurrent == kernel.partition.of_input
        self.gate_rows, self.vectors = len(kernel.cell.gates) * hidden, len(inputs.weights.vectors)
        output = inputs.input.new_empty(1, batch, hidden)
        saved = inputs.input.new_empty(1, batch, self.saved, **self.wide)
        histories = [output if keeps else None for keeps in kernel.keeps]
        self.argv = kernel.arguments(inputs, kernel.plain_outputs(output, inputs.state, histories, saved))
        self.offsets = [state * batch * hidden * saved.element_size() for state in range(self.states)]  # of what is carried

    def forward(
        self, tensors: tuple[Any, ...], packing: Packing | None
    ) -> tuple[Tensor, tuple[Tensor, ...], list[Tensor | None], Tensor]:
        """The output, the last states, the histories that are kept beside the output, and what the derivative is made from."""
        new, rows = tensors[0].new_empty, tensors[0].shape[:-1]
        shape = (*rows, self.hidden)
        output, saved = new(shape), new((*rows, self.saved), **self.wide)
        last = tuple([torch.empty_like(one) for one in tensors[-self.states :]])
        histories = [new(shape, **self.wide) if keeps else None for keeps in self.kernel.keeps]
        self.kernel.call(self.bound(packing, tensors, output, last, histories, saved))
        return output, last, histories, saved

    def bound(
        self, packing: Packing | None, tensors: Any, output: Tensor, last: Any, histories: Any, saved: Tensor
    ) -> array[int]:
        argv, at, states, vectors, kernel = array("q", self.argv), self.at, self.states, self.vectors, self.kernel
        if packing is None:
            argv[at.time] = tensors[0].shape[0]
        else:
            lay_out(argv, at, packing)
        ends = [one.data_ptr() for one in last]
        argv[at.threads], argv[at.saved], argv[at.x] = torch.get_num_threads(), saved.data_ptr(), tensors[0].data_ptr()
        argv[at.weight_x], argv[at.weight_h] = tensors[1].data_ptr(), address(tensors[2])
        argv[at.bias_x], argv[at.bias_h] = address(tensors[3]), address(tensors[4])
        argv[kernel.first] = array("q", [one.data_ptr() for one in tensors[-states:]])
        elsewhere = [0] * states if kernel.rounds else ends  # of what is overwritten
        places = [end if one is None else one.data_ptr() for one, end in zip(histories, elsewhere, strict=True)]
        argv[at.history] = array("q", places)
        argv[kernel.output] = output.data_ptr()
        argv[kernel.last] = array("q", ends)
        if vectors:
            start = at.parameter.start
            argv[start : start + vectors] = array("q", [one.data_ptr() for one in tensors[6 : 6 + vectors]])
        return argv

    def backward(
        self, packing: Packing | None, stored: tuple[Any, ...], grads: tuple[Any, ...], needed: tuple[bool, ...]
    ) -> list[Tensor | None]:
        """In the order of autograd.flatten, None where not needed."""
        states, count, at = self.states, 6 + self.vectors, self.at
        tensors, saved = stored[: count + states], stored[-1]
        output, histories = stored[count + states], stored[-states - 1 : -1]
        argv = self.bound(packing, tensors, output, tensors[-states:], histories, saved)  # nothing reads the last states again
        by_output = None if grads[0] is None else grads[0].contiguous()
        wants_first = any(needed[count:])
        by_state: list[Tensor | None] = [None] * states
        if wants_first or any(one is not None for one in grads[1:]):
            by_state = [
                saved.new_zeros(one.shape)
                if grad is None
                else grad.to(saved.dtype, copy=True, memory_format=torch.contiguous_format)
                for one, grad in zip(tensors[-states:], grads[1:], strict=True)
            ]
            argv[at.grad_state] = addresses(by_state)
        else:  # which nobody is told: memory for what flows back from step to step
            carried = saved.new_zeros(self.carried)
            start = carried.data_ptr()
            argv[at.grad_state] = array("q", [start + offset for offset in self.offsets])
        by_input, by_weight, by_recurrent = [
            torch.empty_like(one, **self.wide) if need and one is not None else None
            for one, need in zip(tensors[:3], needed, strict=False)
        ]
        by_bias = saved.new_empty(self.saved)
        wanted = any(needed[6:count])
        by_vectors = [torch.empty_like(one, **self.wide) if wanted else None for one in tensors[6:count]]
        argv[at.wants_first], argv[at.grad_output] = wants_first, address(by_output)
        argv[at.grad_x], argv[at.grad_weight_x], argv[at.grad_weight_h] = map(address, (by_input, by_weight, by_recurrent))
        argv[at.grad_bias] = by_bias.data_ptr()
        for place, one in enumerate(by_vectors, at.grad_parameter.start):
            argv[place] = address(one)
        self.kernel.run_backward(argv)
        by_x = by_u = None
        if needed[3]:
            by_x = by_bias if self.gate_rows == self.saved else by_bias[: self.gate_rows]
        if needed[4]:  # in memory of its own: optimisers write into them
            by_u = by_bias.clone() if self.biases_alike else recurrent_bias(self.kernel, by_bias)
        made = [by_input, by_weight, by_recurrent, by_x, by_u, None, *by_vectors, *by_state]
        return [None if one is None else one.to(output.dtype) for one in made] if self.kernel.rounds else made


class TrainedLayer(torch.autograd.Function):
    """autograd.Layer, for a call that was prepared."""

    @staticmethod
    def forward(ctx: Any, layer: TrainedCall, packing: Packing | None, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        ctx.layer, ctx.packing = layer, packing
        ctx.set_materialize_grads(False)
        output, last, histories, saved = layer.forward(tensors, packing)
        ctx.save_for_backward(*tensors, output, *histories, saved)
        return (
            output if layer.shares_output and packing is None else output.clone(),
            *last,
        )  # as torch's packed one may be written

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        layer: TrainedCall = ctx.layer
        stored, needed = ctx.saved_tensors, ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():  # the derivative is to be differentiated itself
            call = unflatten(layer.bare, stored[: 6 + layer.vectors + layer.states])
            return None, None, *stacked_through_reference(call, ctx.packing, grads, needed)
        return None, None, *layer.backward(ctx.packing, stored, grads, needed)


def stacked_through_reference(
    call: Call, packing: Packing | None, grads: Sequence[Tensor | None], needed: Sequence[bool]
) -> list[Tensor | None]:
    """packed_through_reference, of states (batch, width), or (1, batch, width) as in a stack of one."""
    if call.state[0].dim() == 2:
        return packed_through_reference(call, packing, grads, needed)
    bare = call._replace(state=tuple(one.squeeze(0) for one in call.state))
    last = [None if one is None else one.squeeze(0) for one in grads[1:]]
    found = packed_through_reference(bare, packing, [grads[0], *last], needed)
    start = len(found) - len(call.state)
    return [*found[:start], *(None if one is None else one.unsqueeze(0) for one in found[start:])]


def packed_through_reference(
    call: Call, packing: Packing | None, grads: Sequence[Tensor | None], needed: Sequence[bool]
) -> list[Tensor | None]:
    """autograd.through_reference, of packed sequences padded for it."""
    if packing is None:
        return through_reference(call, grads, needed)
    padded = call._replace(input=packing.pad(call.input), valid=packing.valid)
    by_output = None if grads[0] is None else packing.pad(grads[0])
    by_input, *others = through_reference(padded, (by_output, *grads[1:]), needed)
    return [None if by_input is None else packing.unpad(by_input), *others]
