"""A compiled kernel, and how it is called: tensors in, tensors out, no gradients."""

from __future__ import annotations

import ctypes
import os
from array import array
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from byhand.engine import compiler
from byhand.engine.cpp.source import source
from byhand.engine.programs import programs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int

    from byhand.cells import Cell
    from byhand.engine.call import Weights
LARGE = 3 << 19  # bytes of weights from which their gradients are better left to torch's products


class Given(NamedTuple):
    """What a kernel works on: contiguous tensors of one dtype on the CPU. lengths: None if all sequences are of full length."""

    input: Float[Tensor, "time batch input"]
    state: tuple[Float[Tensor, "batch width"], ...]
    weights: Weights
    parameters: tuple[Tensor, ...]  # vectors (hidden), then masks (time or 1, batch or 1, hidden)
    lengths: Int[Tensor, " batch"] | None
    reverse: bool


class Ran(NamedTuple):
    """output and last states; and, if it was to be kept, what the derivative and the sites are made from."""

    output: Float[Tensor, "time batch output"]
    last: tuple[Float[Tensor, "batch width"], ...]
    histories: tuple[Tensor | None, ...]  # of each state that is read again, (time, batch, width)
    kept: Float[Tensor, "time batch slots*hidden"] | None
    unprojected: Float[Tensor, "time batch hidden"] | None


class Grads(NamedTuple):
    """By all that a run depends on, in the shapes of those; None where not asked for. Where the weights are large, slots and
    projected are there instead of the first four, which are products of them.
    """

    slots: Float[Tensor, "time batch slots*hidden"] | None
    projected: Float[Tensor, "time batch output"] | None
    input: Tensor | None
    weight_input: Tensor | None
    weight_recurrent: Tensor | None
    projection: Tensor | None
    bias: Float[Tensor, " slots*hidden"]
    vectors: tuple[Float[Tensor, " hidden"] | None, ...]
    state: tuple[Float[Tensor, "batch width"], ...]
    histories: tuple[Float[Tensor, "time batch hidden"], ...]  # by each new state in full, if that was asked for


class Kernel:
    """For one cell and dtype. Raises UntraceableError, CompilerError."""

    def __init__(self, cell: Cell, dtype: torch.dtype) -> None:
        self.cell, self.programs, self.dtype = cell, programs(cell), dtype
        library = compiler.library(source(cell, self.programs, dtype))
        self._forward, self._backward, self._sites = library.forward, library.backward, library.sites
        self._packed_size, self._pack = library.packed_size, library.pack
        for function in (self._forward, self._backward, self._packed_size, self._pack):
            function.argtypes = [ctypes.c_void_p]
        self._sites.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._packed_size.restype = ctypes.c_int64
        library.call_size.restype = ctypes.c_int64
        self.slots = len(self.programs.slots)
        self.sources = [cell.state.index(name) for name in cell.sources]
        reads = self.programs.backward.reads() | self.programs.sites.reads() | self.programs.again.reads()
        self.read_again = [i in self.sources or f"s.{name}" in reads for i, name in enumerate(cell.state)]
        states, parameters = len(cell.state), len(cell.parameters) + 1
        assert library.call_size() == 8 * (30 + 6 * states + 4 * parameters)

    def words(
        self,
        given: Given,
        ran: Ran,
        *,
        packed: Tensor | None = None,
        grads: Grads | None = None,
        grad_output: Tensor | None = None,
        wants_first: bool = False,
    ) -> array[int]:
        """The struct that the kernel reads, word by word in its order."""
        time, batch, width = given.input.shape
        weights, states, count = given.weights, len(self.cell.state), len(self.cell.parameters)
        hidden = len(weights.input) // len(self.cell.gates)
        output = hidden if weights.projection is None else len(weights.projection)
        last = [one.data_ptr() for one in ran.last]
        words = [time, batch, width, hidden, output]
        words += [given.reverse, torch.get_num_threads(), wants_first, ran.kept is not None, *pool(), address(given.lengths)]
        words += [given.input.data_ptr()]
        words += [0 if one is None else one.data_ptr() for one in weights[:5]]
        words += [address(ran.kept), address(ran.unprojected), address(packed)]
        words += [one.data_ptr() for one in given.state]
        words += [at if one is None else one.data_ptr() for one, at in zip(ran.histories, last, strict=True)]
        words += [0 if one is None else batch * (hidden if i else output) for i, one in enumerate(ran.histories)]
        words += last
        if count:
            words += [*(one.data_ptr() for one in given.parameters), 0]
            words += [*(one.stride(0) if one.dim() == 3 and len(one) > 1 else 0 for one in given.parameters), 0]
            words += [*(one.stride(1) if one.dim() == 3 and one.shape[1] > 1 else 0 for one in given.parameters), 0]
        else:
            words += [0, 0, 0]
        if grads is None:
            words += [0] * (9 + 2 * states + count)
        else:
            words += [address(grad_output), *(one.data_ptr() for one in grads.state)]
            words += [address(one) for one in grads[:6]]
            words += [grads.bias.data_ptr(), *map(address, grads.vectors), *[0] * (count + 1 - len(grads.vectors))]
            words += [address(one) for one in grads.histories] or [0] * states
        return array("q", words)

    def pack(self, given: Given) -> Tensor:
        """The weights in the kernel's own order, for many calls."""
        ran = Ran(given.input, given.state, (given.input, *given.state[1:]), None, None)
        ran = ran._replace(histories=(given.input.new_empty(1, 1, 1), *(None for _ in given.state[1:])))
        words = self.words(given, ran)
        packed = given.input.new_empty(self._packed_size(words.buffer_info()[0]) + 16)
        packed = packed[(-packed.data_ptr() // packed.element_size()) % 16 :]  # at a multiple of 64 bytes
        words = self.words(given, ran, packed=packed)
        self.check(self._pack(words.buffer_info()[0]))
        return packed

    def call(self, words: array[int]) -> None:
        """Run the sequence that the words describe."""
        self.check(self._forward(words.buffer_info()[0]))

    def run_backward(self, words: array[int]) -> None:
        """Run its derivative."""
        self.check(self._backward(words.buffer_info()[0]))

    def forward(self, given: Given, *, keep: bool, packed: Tensor | None = None) -> Ran:
        """Run the sequence."""
        x, weights = given.input, given.weights
        time, batch, _ = x.shape
        hidden = weights.input.shape[0] // len(self.cell.gates)
        new = x.new_empty if given.lengths is None else x.new_zeros
        output = new(time, batch, hidden if weights.projection is None else len(weights.projection))
        last = tuple(torch.empty_like(one) for one in given.state)
        histories = tuple(
            output
            if i == 0
            else new(time, batch, one.shape[-1])
            if i in self.sources or (keep and self.read_again[i])
            else None
            for i, one in enumerate(given.state)
        )
        kept = x.new_empty(time, batch, self.slots * hidden) if keep else None
        unprojected = None if weights.projection is None else new(time, batch, hidden)
        ran = Ran(output, last, histories, kept, unprojected)
        self.call(self.words(given, ran, packed=packed))
        return ran

    def backward(
        self,
        given: Given,
        ran: Ran,
        grad_output: Tensor | None,
        grad_last: Sequence[Tensor | None],
        needed: Sequence[bool],
        *,
        every_state: bool = False,
    ) -> Grads:
        """needed: whether by input, input weights, recurrent weights, projection; by a vector; by a first state."""
        assert ran.kept is not None
        kept, weights = ran.kept, given.weights
        hidden = kept.shape[-1] // self.slots
        new = torch.empty_like if given.lengths is None else torch.zeros_like
        state = tuple(
            torch.zeros_like(one) if grad is None else grad.clone(memory_format=torch.contiguous_format)
            for one, grad in zip(given.state, grad_last, strict=True)
        )
        size = weights.input.numel() + (0 if weights.recurrent is None else weights.recurrent.numel())
        apart = size * kept.element_size() > LARGE or (every_state and weights.projection is not None)
        if apart:
            needed = (False, False, False, False, *needed[4:])
        grads = Grads(
            new(kept) if apart else None,
            new(ran.output) if apart and weights.projection is not None else None,
            new(given.input) if needed[0] else None,
            torch.empty_like(weights.input) if needed[1] else None,
            torch.empty_like(weights.recurrent) if needed[2] and weights.recurrent is not None else None,
            torch.empty_like(weights.projection) if needed[3] and weights.projection is not None else None,
            kept.new_empty(kept.shape[-1]),
            tuple(torch.empty_like(one) if needed[4] else None for one in weights.vectors),
            state,
            tuple(new(kept[..., :hidden].contiguous()) for _ in state) if every_state else (),
        )
        words = self.words(given, ran, grads=grads, grad_output=grad_output, wants_first=needed[5])
        self.run_backward(words)
        return grads

    def sites(self, given: Given, ran: Ran) -> dict[str, Tensor]:
        """Every value that the steps computed, (time, batch, hidden)."""
        assert ran.kept is not None
        time, batch, size = ran.kept.shape
        new = ran.kept.new_empty if given.lengths is None else ran.kept.new_zeros
        made = {name: new(time, batch, size // self.slots) for name in self.cell.sites}
        places = array("q", [one.data_ptr() for one in made.values()])
        words = self.words(given, ran)
        self.check(self._sites(words.buffer_info()[0], places.buffer_info()[0]))
        return made

    def check(self, status: int) -> None:
        """MemoryError if the kernel had too little."""
        if status:
            raise MemoryError("byhand's C++ kernel could not get the memory for its packed weights")


def address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


@cache
def kernel(cell: Cell, dtype: torch.dtype) -> Kernel:
    """The kernel of a cell, compiled or fetched if need be."""
    return Kernel(cell, dtype)


@cache
def pool() -> tuple[int, int, int]:
    """Where the functions of the OpenMP library are that torch has loaded; zeros if there is none: then threads are started anew."""
    try:
        loaded = ctypes.CDLL(None)
        functions = (loaded.GOMP_parallel, loaded.omp_get_thread_num, loaded.omp_get_num_threads)
    except (AttributeError, OSError):
        return 0, 0, 0
    return tuple(ctypes.cast(one, ctypes.c_void_p).value or 0 for one in functions)  # type: ignore[return-value]


def _after_fork() -> None:
    """The pool's threads are not there any more in a forked process; each call starts its own."""
    pool.cache_clear()
    globals()["pool"] = cache(lambda: (0, 0, 0))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
