"""Prepared calls: for short sequences, where listing the arguments takes longer than the kernel.

The arguments for a number of sequences are listed once; a call copies them and fills in what differs: addresses and the number of threads.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byhand.engine.cpp.arguments import address
from byhand.engine.cpp.autograd import Layer, kernel_inputs, without_tensors
from byhand.engine.cpp.kernel import Kernel, kernel
from byhand.engine.cpp.trained import TrainedCall, TrainedLayer, is_plain, lay_out
from byhand.engine.cpp.values import KernelInputs

if TYPE_CHECKING:
    from byhand.engine.call import Call
    from byhand.engine.packing import Packing


def prepare(call: Call, *, pack: bool, frozen: str | None = None) -> PreparedCall | None:
    """The call bound to its number of sequences, for other inputs and states; None if it is not of that kind: with ragged lengths, or
    with a recurrent product that reads more than the output. frozen: see Engine.prepare.
    """
    compiled, inputs = kernel(call.cell, call.input.dtype, frozen), kernel_inputs(call)
    if inputs.lengths is not None or compiled.sources not in ([0], []):
        return None
    return PreparedCall(compiled, inputs, call, compiled.pack(inputs) if pack else None)


class PreparedCall:
    """One layer's call, for one number of sequences; see byhand.engine.protocol.Prepared. Last states are written in place.

    packed: the weights as the kernel packs them; without, they are read where they are at each call.
    """

    def __init__(self, kernel: Kernel, inputs: KernelInputs, call: Call, packed: Tensor | None) -> None:
        batch, self.at = inputs.input.shape[1], kernel.at
        self.kernel, self.inputs, self.packed = kernel, inputs, packed  # whose memory the arguments point to
        hidden, projection = inputs.weights.input.shape[0] // len(kernel.cell.gates), inputs.weights.projection
        self.step = (batch, hidden if projection is None else len(projection))
        self.unprojected = None if projection is None else hidden
        output = inputs.input.new_empty(1, *self.step)
        outputs = kernel.plain_outputs(output, inputs.state, [None for _ in inputs.state])
        self.argv = kernel.arguments(inputs, outputs, packed=packed)
        others = slice(self.at.history.start + 1, self.at.history.stop)  # states that are overwritten where they end
        self.others = slice(0, 0) if kernel.rounds else others
        self.bare = without_tensors(call)
        self.trained = TrainedCall(kernel, inputs, self.bare) if is_plain(inputs) and kernel.frozen is None else None

    def run(self, input: Tensor, first: Sequence[int], last: Sequence[int], packing: Packing | None = None) -> Tensor:
        """The output; the last states are written where `last` says, which may be where the first ones are."""
        argv, at, kernel = array("q", self.argv), self.at, self.kernel
        if packing is None:
            argv[at.time] = steps = input.shape[0]
            output = input.new_empty(steps, *self.step)
        else:
            lay_out(argv, at, packing)
            output = input.new_empty(input.shape[0], self.step[1])
        argv[at.threads], argv[at.x], argv[kernel.output] = torch.get_num_threads(), input.data_ptr(), output.data_ptr()
        argv[kernel.first], ends = array("q", first), array("q", last)
        argv[kernel.last] = ends
        if not kernel.rounds:
            argv[self.others] = ends[1:]
        if self.unprojected is not None:
            unprojected = input.new_empty(*input.shape[:-1], self.unprojected)
            argv[at.unprojected] = unprojected.data_ptr()
        kernel.call(argv)
        return output

    def stepping(self, state: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
        """A function that takes the next step (batch, input), gives its output (batch, hidden), and moves the state on in place."""
        argv, x, output, call, shape = array("q", self.argv), self.at.x, self.kernel.output, self.kernel.call, self.step
        unprojected = None if self.unprojected is None else state[0].new_empty(shape[0], self.unprojected)
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

    def differentiable(
        self, input: Tensor, weights: Sequence[Tensor | None], first: Sequence[Tensor], packing: Packing | None = None
    ) -> tuple[Tensor, ...] | None:
        """The output and the last states, in autograd's graph. weights: the five of a call, then the vectors."""
        if self.trained is not None:
            return TrainedLayer.apply(self.trained, packing, input, *weights, *first)  # type: ignore[return-value]
        if packing is not None:
            return None
        if first[0].dim() == 2:
            return Layer.apply(self.bare, [], [], input, *weights, *first)  # type: ignore[return-value]
        output, *last = Layer.apply(self.bare, [], [], input, *weights, *(one[0] for one in first))  # type: ignore[misc]
        return output, *(one.unsqueeze(0) for one in last)
