"""Prepared calls: argument checks and kernel arguments, cached per kind of input, of any number of steps.

For a single step the checks and the listing of arguments take ten times as long as the arithmetic. A call that is plain in every way
goes straight to the engine here, with the same result to the bit; any other takes the usual way. Packed sequences are run where
they lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from byhand.engine import transforms
from byhand.engine.packing import packing_of
from byhand.nn.prepared_stack import stack_of, states_of, through

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from byhand.nn.prepared_stack import Calls

    Made = tuple[Any, list[Tensor]]  # the output, and each state as the module's caller gets it


def run(
    module: nn.Module,
    input: Tensor | PackedSequence,
    hx: Any,
    calls: Callable[[Tensor], Calls | None],
    *,
    batch_first: bool = False,
    frozen: str | None = None,
) -> Made | None:
    """The output for input (time, batch, input) or packed sequences, laid out like it, and each state laid out as hx; None if it has to
    go the usual way, which it has if hx is not as it should be. The caller has seen to it that nobody watches or chooses, and that
    nothing is random. calls: makes the module's calls for an input; None if they are not plain. batch_first: input is (batch, time, input).
    frozen: in which number type the module's weights, which cannot change, are packed.
    """
    if not transforms.is_plain():
        return None
    if type(input) is PackedSequence:
        return run_packed(module, input, hx, calls, frozen)
    if type(input) is not Tensor or input.dim() != 3 or input.numel() == 0 or input.shape[2] != module.input_size:
        return None
    if batch_first:
        input = input.transpose(0, 1)
    elif not input.is_contiguous():
        return None
    _, batch, width = input.shape
    stack = stack_of(module, (False, batch, width, input.dtype, input.device), calls, input, frozen)
    state = states_of(stack, hx)
    # The kernel's order: no copy for a single step or a single sequence.
    x = input.contiguous() if batch_first and not stack.by_tensors else input
    made = None if state is None else through(stack, x, state)
    if made is None or not batch_first:
        return made
    return made[0].transpose(0, 1), made[1]


def run_packed(
    module: nn.Module, packed: PackedSequence, hx: Any, calls: Callable[[Tensor], Calls | None], frozen: str | None
) -> tuple[PackedSequence, list[Tensor]] | None:
    """The same for packed sequences: the kernel reads and writes their rows where they are."""
    data, batch_sizes, order, back = packed
    plain = type(data) is Tensor and data.dim() == 2 and data.shape[1] == module.input_size and data.is_contiguous()
    packing = packing_of(batch_sizes, len(data)) if plain and data.device.type == "cpu" else None
    if packing is None:
        return None
    kind = (True, packing.sizes[0], data.shape[1], data.dtype, data.device)
    stack = stack_of(module, kind, calls, data, frozen)
    state = states_of(stack, hx)
    if state is None:
        return None
    if hx is not None and order is not None:
        state = tuple(one.index_select(1, order) for one in state)
    made = through(stack, data, state, packing)
    if made is None:
        return None
    output, states = made
    if back is not None:
        states = [one.index_select(1, back) for one in states]
    return PackedSequence(output, batch_sizes, order, back), states
