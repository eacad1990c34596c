"""A compiled kernel, and how it is called: tensors in, tensors out, no gradients."""

from __future__ import annotations

import ctypes
from array import array
from functools import cache, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byhand.engine.cpp import threads  # whose pool is another after a fork
from byhand.engine.cpp.arguments import Arguments, address, addresses, put
from byhand.engine.cpp.source import source
from byhand.engine.cpp.toolchain import compiler
from byhand.engine.cpp.values import KernelGradients, KernelInputs, KernelOutputs, torch_multiplies
from byhand.ir import partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from byhand.cells import Cell


class Kernel:
    """For one cell and dtype. frozen: of weights that are multiplied in another number type, which has no derivative and no sites.
    Raises UntraceableError, CompilerError.
    """

    def __init__(self, cell: Cell, dtype: torch.dtype, frozen: str | None = None) -> None:
        self.cell, self.partition, self.dtype, self.frozen = cell, partition(cell), dtype, frozen
        self.rounds = dtype == torch.bfloat16
        self.computed = torch.float32 if self.rounds else dtype
        library = compiler.library(source(cell, self.partition, dtype, frozen))
        self._forward, self._packed_size, self._pack = library.forward, library.packed_size, library.pack
        for function in (self._forward, self._packed_size, self._pack):
            function.argtypes = [ctypes.c_void_p]
        if frozen is None:
            self._backward, self._sites = library.backward, library.sites
            self._backward.argtypes, self._sites.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_void_p]
        self._packed_size.restype = ctypes.c_int64
        library.call_size.restype = ctypes.c_int64
        self.preactivations = len(self.partition.preactivations)
        self.sources = [cell.state.index(name) for name in cell.sources]
        parts = self.partition.backward, self.partition.sites, self.partition.recompute
        reads = frozenset().union(*(part.reads() for part in parts))
        self.read_again_by_step = [f"s.{name}" in reads for name in cell.state]
        self.read_again = [i in self.sources or again for i, again in enumerate(self.read_again_by_step)]
        # For a derivative: whether a state's history is kept, where the recurrent product reads nothing but the output.
        self.keeps = self.read_again_by_step if self.rounds else [False, *self.read_again[1:]]
        self.at = at = Arguments(len(cell.state), len(cell.parameters))
        self.first, self.last = (at.first_given, at.last_given) if self.rounds else (at.first, at.last)
        self.output = (at.rounded if self.rounds else at.history).start
        assert library.call_size() == 8 * self.at.size

    def arguments(
        self,
        inputs: KernelInputs,
        outputs: KernelOutputs,
        *,
        packed: Tensor | None = None,
        grads: KernelGradients | None = None,
        grad_output: Tensor | None = None,
        wants_first: bool = False,
    ) -> array[int]:
        """What the kernel reads, field by field."""
        (time, batch, width), weights, at = inputs.input.shape, inputs.weights, self.at
        hidden = len(weights.input) // len(self.cell.gates)
        output = hidden if weights.projection is None else len(weights.projection)
        last, argv = addresses(outputs.last), at.zeros()
        argv[at.time], argv[at.batch], argv[at.input], argv[at.hidden], argv[at.output] = time, batch, width, hidden, output
        argv[at.reverse], argv[at.threads], argv[at.pool] = inputs.reverse, torch.get_num_threads(), threads.pool()
        argv[at.wants_first], argv[at.saves] = wants_first, outputs.saved is not None
        argv[at.lengths], argv[at.x] = address(inputs.lengths), inputs.input.data_ptr()
        argv[at.weight_x], argv[at.weight_h] = weights.input.data_ptr(), address(weights.recurrent)
        argv[at.bias_x], argv[at.bias_h] = address(weights.bias_input), address(weights.bias_recurrent)
        argv[at.weight_projection] = address(weights.projection)
        argv[at.saved], argv[at.unprojected], argv[at.packed] = map(address, (outputs.saved, outputs.unprojected, packed))
        argv[self.first], argv[self.last] = addresses(inputs.state), last
        histories, elsewhere = outputs.histories, at.zeros()[: len(last)] if self.rounds else last
        argv[at.history] = array(
            "q", [end if one is None else one.data_ptr() for one, end in zip(histories, elsewhere, strict=True)]
        )
        argv[at.history_time] = array(
            "q", [0 if one is None else batch * (hidden if i else output) for i, one in enumerate(histories)]
        )
        if inputs.parameters:
            put(argv, at.parameter, addresses(inputs.parameters))
            masks = [one if one.dim() == 3 else None for one in inputs.parameters]  # a vector is the same everywhere
            put(argv, at.parameter_time, [0 if one is None or len(one) == 1 else one.stride(0) for one in masks])
            put(argv, at.parameter_batch, [0 if one is None or one.shape[1] == 1 else one.stride(1) for one in masks])
        if self.rounds:
            argv[at.rounded] = addresses(outputs.rounded)
        if inputs.cut is not None:
            argv[at.cut], argv[at.restart] = inputs.cut.data_ptr(), addresses(inputs.restart)
        if grads is not None:
            argv[at.grad_output], argv[at.grad_state] = address(grad_output), addresses(grads.state)
            argv[at.grad_preactivations], argv[at.grad_projected] = address(grads.preactivations), address(grads.projected)
            argv[at.grad_x], argv[at.grad_weight_x] = address(grads.input), address(grads.weight_input)
            argv[at.grad_weight_h] = address(grads.weight_recurrent)
            argv[at.grad_weight_projection] = address(grads.projection)
            argv[at.grad_bias] = grads.bias.data_ptr()
            put(argv, at.grad_parameter, addresses(grads.vectors))
            put(argv, at.grad_history, addresses(grads.histories))
            put(argv, at.grad_restart, addresses(grads.restart))
        return argv

    def pack(self, inputs: KernelInputs) -> Tensor:
        """The weights in the kernel's own order, for many calls."""
        outputs = KernelOutputs(inputs.input, inputs.state, (inputs.input, *inputs.state[1:]), None, None)
        outputs = outputs._replace(histories=(inputs.input.new_empty(1, 1, 1), *(None for _ in inputs.state[1:])))
        argv = self.arguments(inputs, outputs)
        packed = inputs.input.new_empty(self._packed_size(argv.buffer_info()[0]) + 16)
        packed = packed[(-packed.data_ptr() // packed.element_size()) % 16 :]  # at a multiple of 64 bytes
        argv = self.arguments(inputs, outputs, packed=packed)
        self.check(self._pack(argv.buffer_info()[0]))
        return packed

    def plain_outputs(
        self, output: Tensor, last: tuple[Tensor, ...], histories: Sequence[Tensor | None], saved: Tensor | None = None
    ) -> KernelOutputs:
        """Of a call in which the recurrent product reads nothing but the output. histories: of each state, as `keeps` says."""
        if self.rounds:
            return KernelOutputs(output, last, tuple(histories), saved, None, (output, *(None for _ in last[1:])))
        return KernelOutputs(output, last, (output, *histories[1:]), saved, None)

    def call(self, argv: array[int]) -> None:
        """Run the sequence that these arguments describe."""
        if threads.forked:
            argv[self.at.pool] = threads.pool()
        self.check(self._forward(argv.buffer_info()[0]))

    def run_backward(self, argv: array[int]) -> None:
        """Run its derivative."""
        if threads.forked:
            argv[self.at.pool] = threads.pool()
        self.check(self._backward(argv.buffer_info()[0]))

    def forward(self, inputs: KernelInputs, *, keep: bool, packed: Tensor | None = None) -> KernelOutputs:
        """Run the sequence."""
        x, weights = inputs.input, inputs.weights
        time, batch, _ = x.shape
        hidden = weights.input.shape[0] // len(self.cell.gates)
        new = x.new_empty if inputs.lengths is None else x.new_zeros
        output = new(time, batch, hidden if weights.projection is None else len(weights.projection))
        last = tuple(torch.empty_like(one) for one in inputs.state)
        if self.rounds:
            kept = (keep and again for again in self.read_again_by_step)
            histories = tuple(new(time, batch, hidden, dtype=self.computed) if one else None for one in kept)
            rounded = tuple(
                output if i == 0 else new(time, batch, hidden) if i in self.sources else None for i in range(len(last))
            )
        else:
            histories = tuple(
                output
                if i == 0
                else new(time, batch, one.shape[-1])
                if i in self.sources or (keep and self.read_again[i])
                else None
                for i, one in enumerate(inputs.state)
            )
            rounded = ()
        saved = x.new_empty(time, batch, self.preactivations * hidden, dtype=self.computed) if keep else None
        unprojected = None if weights.projection is None else new(time, batch, hidden)
        outputs = KernelOutputs(output, last, histories, saved, unprojected, rounded)
        self.call(self.arguments(inputs, outputs, packed=packed))
        return outputs

    def backward(
        self,
        inputs: KernelInputs,
        outputs: KernelOutputs,
        grad_output: Tensor | None,
        grad_last: Sequence[Tensor | None],
        needed: Sequence[bool],
        *,
        every_state: bool = False,
    ) -> KernelGradients:
        """needed: whether by input, input weights, recurrent weights, projection; by a vector; by a first state; by restart."""
        assert outputs.saved is not None
        saved, weights = outputs.saved, inputs.weights
        hidden = saved.shape[-1] // self.preactivations
        new = partial(torch.empty_like if inputs.lengths is None else torch.zeros_like, dtype=saved.dtype)
        state = tuple(
            torch.zeros_like(one, dtype=saved.dtype)
            if grad is None
            else grad.to(saved.dtype, copy=True, memory_format=torch.contiguous_format)
            for one, grad in zip(inputs.state, grad_last, strict=True)
        )
        empty = partial(torch.empty_like, dtype=saved.dtype)
        apart = torch_multiplies(weights) or (every_state and weights.projection is not None)
        if apart:
            needed = (False, False, False, False, *needed[4:])
        grads = KernelGradients(
            new(saved) if apart else None,
            new(outputs.output) if apart and weights.projection is not None else None,
            new(inputs.input) if needed[0] else None,
            empty(weights.input) if needed[1] else None,
            empty(weights.recurrent) if needed[2] and weights.recurrent is not None else None,
            empty(weights.projection) if needed[3] and weights.projection is not None else None,
            saved.new_empty(saved.shape[-1]),
            tuple(empty(one) if needed[4] else None for one in weights.vectors),
            state,
            tuple(new(saved[..., :hidden].contiguous()) for _ in state) if every_state else (),
            tuple(torch.zeros_like(one) for one in inputs.restart) if needed[6] else (),
        )
        argv = self.arguments(inputs, outputs, grads=grads, grad_output=grad_output, wants_first=needed[5] or needed[6])
        self.run_backward(argv)
        return grads

    def sites(self, inputs: KernelInputs, outputs: KernelOutputs) -> dict[str, Tensor]:
        """Every value that the steps computed, (time, batch, hidden)."""
        assert outputs.saved is not None
        time, batch, size = outputs.saved.shape
        new = outputs.saved.new_empty if inputs.lengths is None else outputs.saved.new_zeros
        made = {name: new(time, batch, size // self.preactivations) for name in self.cell.sites}
        places = array("q", [one.data_ptr() for one in made.values()])
        argv = self.arguments(inputs, outputs)
        self.check(self._sites(argv.buffer_info()[0], places.buffer_info()[0]))
        return made

    def check(self, status: int) -> None:
        """MemoryError if the kernel had too little."""
        if status:
            raise MemoryError("byhand's C++ kernel could not get the memory for its packed weights")


@cache
def kernel(cell: Cell, dtype: torch.dtype, frozen: str | None = None) -> Kernel:
    """The kernel of a cell, compiled or fetched if need be."""
    return Kernel(cell, dtype, frozen)
