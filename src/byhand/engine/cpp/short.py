"""Short calls that are trained: the layer of gradient.py for one shape, whose arguments were listed once."""

from __future__ import annotations

from array import array
from typing import Any

import torch
from torch import Tensor

from byhand.engine.cpp.gradient import Fixed, through_reference
from byhand.engine.cpp.kernel import LARGE, Given, Kernel, Ran, address
from byhand.engine.cpp.ready import FIRST, INPUT, THREADS, fits

WANTS_FIRST, WEIGHTS, KEPT = 7, 14, 19  # words of the kernel's struct, see call.h


class Short:
    """One layer, one shape of input, contiguous tensors. The words are those of a first call; those that differ are filled in."""

    def __init__(self, kernel: Kernel, given: Given, fixed: Fixed) -> None:
        time, batch = given.input.shape[:2]
        hidden = given.weights.input.shape[0] // len(kernel.cell.gates)
        self.kernel, self.fixed, self.states = kernel, fixed, len(given.state)
        self.output, self.kept = (time, batch, hidden), (time, batch, kernel.slots * hidden)
        self.gate_rows, self.vectors = len(kernel.cell.gates) * hidden, len(given.weights.vectors)
        output, kept = given.input.new_empty(self.output), given.input.new_empty(self.kept)
        histories = tuple(output if again else None for again in kernel.read_again)
        self.words = kernel.words(given, Ran(output, given.state, (output, *histories[1:]), kept, None))
        self.grads = FIRST + 4 * self.states + 3 * max(1, len(given.parameters) + bool(given.parameters))

    def forward(self, tensors: tuple[Any, ...]) -> tuple[Tensor, tuple[Tensor, ...], list[Tensor | None], Tensor]:
        """The output, the last states, the histories of the states but the first, and what the derivative is made from."""
        new, states = tensors[0].new_empty, self.states
        output, kept = new(*self.output), new(*self.kept)
        last = tuple([torch.empty_like(one) for one in tensors[-states:]])
        again = self.kernel.read_again
        histories = [new(*self.output) if again[i] else None for i in range(1, states)]
        self.kernel.call(self.bound(tensors, output, last, histories, kept))
        return output, last, histories, kept

    def bound(self, tensors: Any, output: Tensor, last: Any, histories: Any, kept: Tensor) -> array[int]:
        words, states = array("q", self.words), self.states
        words[THREADS], words[KEPT], words[INPUT] = torch.get_num_threads(), kept.data_ptr(), tensors[0].data_ptr()
        at, ends = FIRST + states, [one.data_ptr() for one in last]
        words[WEIGHTS : WEIGHTS + 5] = array("q", [0 if one is None else one.data_ptr() for one in tensors[1:6]])
        words[FIRST:at] = array("q", [one.data_ptr() for one in tensors[-states:]])
        words[at] = output.data_ptr()
        for i, history in enumerate(histories, 1):
            words[at + i] = ends[i] if history is None else history.data_ptr()
        words[at + 2 * states : at + 3 * states] = array("q", ends)
        for i in range(self.vectors):
            words[at + 3 * states + i] = tensors[6 + i].data_ptr()
        return words

    def backward(self, saved: tuple[Any, ...], grads: tuple[Any, ...], needed: tuple[bool, ...]) -> list[Tensor | None]:
        """In the order of gradient.flatten, None where not needed."""
        states, count = self.states, 6 + self.vectors
        tensors, kept = saved[: count + states], saved[-1]
        output, last, histories = saved[count + states], saved[count + states + 1 : count + 1 + 2 * states], saved[-states:-1]
        words = self.bound(tensors, output, last, histories, kept)
        by_output = None if grads[0] is None else grads[0].contiguous()
        by_state = [
            torch.zeros_like(one) if grad is None else grad.clone(memory_format=torch.contiguous_format)
            for one, grad in zip(tensors[-states:], grads[1:], strict=True)
        ]
        by_input, by_weight, by_recurrent = [
            torch.empty_like(one) if need and one is not None else None for one, need in zip(tensors[:3], needed, strict=False)
        ]
        by_bias = kept.new_empty(kept.shape[-1])
        wanted = any(needed[6:count])
        by_vectors = [torch.empty_like(one) if wanted else None for one in tensors[6:count]]
        at = self.grads
        words[WANTS_FIRST] = any(needed[count:])
        words[at : at + 1 + states] = array("q", [address(by_output), *[one.data_ptr() for one in by_state]])
        at += 1 + states + 2  # past the gradients by slots and by what was projected
        words[at : at + 5] = array("q", [address(by_input), address(by_weight), address(by_recurrent), 0, by_bias.data_ptr()])
        for i, one in enumerate(by_vectors):
            words[at + 5 + i] = address(one)
        self.kernel.run_backward(words)
        bias = by_bias[: self.gate_rows]
        by_biases = [bias if needed[3] else None, bias if needed[4] else None]
        return [by_input, by_weight, by_recurrent, *by_biases, None, *by_vectors, *by_state]


def short(kernel: Kernel, given: Given, fixed: Fixed) -> Short | None:
    """None where the layer is not of that kind: large weights, and biases that are not told apart, take the usual way."""
    weights = given.weights
    size = weights.input.numel() + (0 if weights.recurrent is None else weights.recurrent.numel())
    plain = fits(kernel, given) and kernel.programs.u_slots == kernel.programs.x_slots
    return Short(kernel, given, fixed) if plain and size * given.input.element_size() <= LARGE else None


class ShortLayer(torch.autograd.Function):
    """gradient.Layer, for a call that was made ready."""

    @staticmethod
    def forward(ctx: Any, layer: Short, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        ctx.layer = layer
        ctx.set_materialize_grads(False)
        output, last, histories, kept = layer.forward(tensors)
        ctx.save_for_backward(*tensors, output, *last, *histories, kept)
        return (output, *last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        layer: Short = ctx.layer
        saved, needed = ctx.saved_tensors, ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():  # the derivative is to be differentiated itself
            return None, *through_reference(layer.fixed, saved[: 6 + layer.vectors + layer.states], grads, needed)
        return None, *layer.backward(saved, grads, needed)
