"""Prepared calls: for short sequences, where listing the arguments takes longer than the kernel.

The arguments of one shape are listed once; a call copies them and fills in what differs: addresses and the number of threads.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byhand.engine.cpp.autograd import Layer, kernel_inputs, shares_output, through_reference, unflatten, without_tensors
from byhand.engine.cpp.kernel import Kernel, KernelInputs, address, kernel, torch_multiplies

if TYPE_CHECKING:
    from byhand.engine.call import Call


def prepare(call: Call, *, pack: bool) -> PreparedCall | None:
    """The call bound to its shape, for other inputs and states; None if it is not of that kind: with ragged lengths, or more read by
    the recurrent product than the output.
    """
    compiled, inputs = kernel(call.cell, call.input.dtype), kernel_inputs(call)
    if inputs.lengths is not None or compiled.sources not in ([0], []):
        return None
    return PreparedCall(compiled, inputs, call, compiled.pack(inputs) if pack else None)


class PreparedCall:
    """One layer's call, for one shape of input; see byhand.engine.protocol.Prepared. The output's states are overwritten in place.

    packed: the weights as the kernel packs them; without, they are read where they are at each call.
    """

    def __init__(self, kernel: Kernel, inputs: KernelInputs, call: Call, packed: Tensor | None) -> None:
        (time, batch), self.at = inputs.input.shape[:2], kernel.at
        self.kernel, self.inputs, self.packed = kernel, inputs, packed  # whose memory the arguments point to
        hidden, projection = inputs.weights.input.shape[0] // len(kernel.cell.gates), inputs.weights.projection
        self.shape = (time, batch, hidden if projection is None else len(projection))
        self.unprojected = None if projection is None else (time, batch, hidden)
        output = inputs.input.new_empty(self.shape)
        outputs = kernel.plain_outputs(output, inputs.state, [None for _ in inputs.state])
        self.argv = kernel.arguments(inputs, outputs, packed=packed)
        others = slice(self.at.history.start + 1, self.at.history.stop)  # states that are overwritten where they end
        self.others = slice(0, 0) if kernel.rounds else others
        self.bare = without_tensors(call)
        self.trained = TrainedCall(kernel, inputs, self.bare) if is_plain(kernel, inputs) else None

    def run(self, input: Tensor, first: Sequence[int], last: Sequence[int]) -> Tensor:
        """The output; the last states are written where `last` says, which may be where the first ones are."""
        argv, at, kernel, output = array("q", self.argv), self.at, self.kernel, input.new_empty(self.shape)
        argv[at.threads], argv[at.x], argv[kernel.output] = torch.get_num_threads(), input.data_ptr(), output.data_ptr()
        argv[kernel.first], ends = array("q", first), array("q", last)
        argv[kernel.last] = ends
        if not kernel.rounds:
            argv[self.others] = ends[1:]
        if self.unprojected is not None:
            unprojected = input.new_empty(self.unprojected)
            argv[at.unprojected] = unprojected.data_ptr()
        kernel.call(argv)
        return output

    def stepping(self, state: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
        """A function that takes the next step (batch, input), gives its output (batch, hidden), and moves the state on in place."""
        argv, x, output, call, shape = array("q", self.argv), self.at.x, self.kernel.output, self.kernel.call, self.shape[1:]
        unprojected = None if self.unprojected is None else state[0].new_empty(self.unprojected)
        argv[self.at.unprojected] = address(unprojected)
        addresses = array("q", [one.data_ptr() for one in state])
        argv[self.at.threads], argv[self.kernel.first], argv[self.kernel.last] = torch.get_num_threads(), addresses, addresses
        if not self.kernel.rounds:
            argv[self.others] = addresses[1:]

        def step(input: Tensor, _kept: object = (self, state, unprojected)) -> Tensor:  # whose memory the arguments point to
            made = input.new_empty(shape)
            argv[x], argv[output] = input.data_ptr(), made.data_ptr()
            call(argv)
            return made

        return step

    def differentiable(self, input: Tensor, weights: Sequence[Tensor | None], first: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The output and the last states, in autograd's graph. weights: the five of a call, then the vectors."""
        if self.trained is None:
            return Layer.apply(self.bare, [], [], input, *weights, *first)  # type: ignore[return-value]
        return TrainedLayer.apply(self.trained, input, *weights, *first)  # type: ignore[return-value]


def is_plain(kernel: Kernel, inputs: KernelInputs) -> bool:
    """Whether the kernel gives every gradient, both biases have the same, and nothing is projected; others take the usual way."""
    if inputs.weights.projection is not None:
        return False
    return kernel.partition.of_recurrent == kernel.partition.of_input and not torch_multiplies(inputs.weights)


class TrainedCall:
    """A prepared call with its derivative: one layer, one shape of input, contiguous tensors in the order of autograd.flatten."""

    def __init__(self, kernel: Kernel, inputs: KernelInputs, bare: Call) -> None:
        (time, batch), self.at = inputs.input.shape[:2], kernel.at
        hidden = inputs.weights.input.shape[0] // len(kernel.cell.gates)
        self.kernel, self.bare, self.states, self.shares_output = kernel, bare, len(inputs.state), shares_output(inputs)
        self.output, self.saved = (time, batch, hidden), (time, batch, kernel.preactivations * hidden)
        self.gate_rows, self.vectors = len(kernel.cell.gates) * hidden, len(inputs.weights.vectors)
        output, saved = inputs.input.new_empty(self.output), inputs.input.new_empty(self.saved, dtype=kernel.computed)
        histories = [output if keeps else None for keeps in kernel.keeps]
        self.argv = kernel.arguments(inputs, kernel.plain_outputs(output, inputs.state, histories, saved))

    def forward(self, tensors: tuple[Any, ...]) -> tuple[Tensor, tuple[Tensor, ...], list[Tensor | None], Tensor]:
        """The output, the last states, the histories that are kept beside the output, and what the derivative is made from."""
        new, computed = tensors[0].new_empty, self.kernel.computed
        output, saved = new(self.output), new(self.saved, dtype=computed)
        last = tuple([torch.empty_like(one) for one in tensors[-self.states :]])
        histories = [new(self.output, dtype=computed) if keeps else None for keeps in self.kernel.keeps]
        self.kernel.call(self.bound(tensors, output, last, histories, saved))
        return output, last, histories, saved

    def bound(self, tensors: Any, output: Tensor, last: Any, histories: Any, saved: Tensor) -> array[int]:
        argv, at, states, vectors, kernel = array("q", self.argv), self.at, self.states, self.vectors, self.kernel
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

    def backward(self, stored: tuple[Any, ...], grads: tuple[Any, ...], needed: tuple[bool, ...]) -> list[Tensor | None]:
        """In the order of autograd.flatten, None where not needed."""
        states, count, at = self.states, 6 + self.vectors, self.at
        tensors, saved = stored[: count + states], stored[-1]
        output, histories = stored[count + states], stored[-states - 1 : -1]
        argv = self.bound(tensors, output, tensors[-states:], histories, saved)  # nothing reads the last states again
        by_output = None if grads[0] is None else grads[0].contiguous()
        by_state = [
            torch.zeros_like(one, dtype=saved.dtype)
            if grad is None
            else grad.to(saved.dtype, copy=True, memory_format=torch.contiguous_format)
            for one, grad in zip(tensors[-states:], grads[1:], strict=True)
        ]
        by_input, by_weight, by_recurrent = [
            torch.empty_like(one, dtype=saved.dtype) if need and one is not None else None
            for one, need in zip(tensors[:3], needed, strict=False)
        ]
        by_bias = saved.new_empty(saved.shape[-1])
        wanted = any(needed[6:count])
        by_vectors = [torch.empty_like(one, dtype=saved.dtype) if wanted else None for one in tensors[6:count]]
        argv[at.wants_first] = any(needed[count:])
        argv[at.grad_output] = address(by_output)
        argv[at.grad_state] = array("q", [one.data_ptr() for one in by_state])
        argv[at.grad_x], argv[at.grad_weight_x], argv[at.grad_weight_h] = map(address, (by_input, by_weight, by_recurrent))
        argv[at.grad_bias] = by_bias.data_ptr()
        for place, one in enumerate(by_vectors, at.grad_parameter.start):
            argv[place] = address(one)
        self.kernel.run_backward(argv)
        bias = by_bias[: self.gate_rows]
        by_biases = [bias if needed[3] else None, bias.clone() if needed[4] else None]  # optimisers write into them
        made = [by_input, by_weight, by_recurrent, *by_biases, None, *by_vectors, *by_state]
        return [None if one is None else one.to(output.dtype) for one in made] if self.kernel.rounds else made


class TrainedLayer(torch.autograd.Function):
    """autograd.Layer, for a call that was prepared."""

    @staticmethod
    def forward(ctx: Any, layer: TrainedCall, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        ctx.layer = layer
        ctx.set_materialize_grads(False)
        output, last, histories, saved = layer.forward(tensors)
        ctx.save_for_backward(*tensors, output, *histories, saved)
        return (output if layer.shares_output else output.clone(), *last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        layer: TrainedCall = ctx.layer
        stored, needed = ctx.saved_tensors, ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():  # the derivative is to be differentiated itself
            call = unflatten(layer.bare, stored[: 6 + layer.vectors + layer.states])
            return None, *through_reference(call, grads, needed)
        return None, *layer.backward(stored, grads, needed)
