"""The C++ engine as operators of torch, so that torch.compile and torch.export see one node for one layer and direction.

Eager calls do without them: an operator costs a tenth of a millisecond in Python. What a compiled model knows of a cell is its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byhand.engine.call import Call, Result
from byhand.engine.cpp import engine
from byhand.engine.cpp.gradient import Fixed, flatten, given, gradients, unflatten
from byhand.engine.cpp.kernel import Ran, kernel
from byhand.engine.registry import named, registered

if TYPE_CHECKING:
    from byhand.cells import Cell


@torch.compiler.assume_constant_result
def ready(name: str, dtype: torch.dtype, gates: tuple[str, ...], state: tuple[str, ...]) -> bool:
    """Whether there is a kernel. gates, state: of the cell that is meant, lest another of the same name be taken."""
    found = registered(name)
    if found is None or (found.gates, found.state) != (gates, state) or dtype not in engine.COMPUTED_IN:
        return False
    return engine.refuses_cell(found, engine.COMPUTED_IN[dtype]) is None


def run(call: Call) -> Result:
    """Under torch.compile and torch.export: the call as one operator."""
    dtype = engine.COMPUTED_IN[call.input.dtype]
    if call.input.dtype != dtype:
        result = run(engine.converted(call, dtype))
        return Result(result.output.to(call.input.dtype), tuple(one.to(call.input.dtype) for one in result.state), None)
    tensors = flatten(call)
    present = [one is not None for one in tensors]
    keep = torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors)
    made = layer(
        [one for one in tensors if one is not None], present, call.valid, list(call.noise), call.cell.name, call.reverse, keep
    )
    return Result(made[0], tuple(made[1 : 1 + len(call.state)]), None)


def spread(tensors: Sequence[Tensor], present: Sequence[bool]) -> list[Tensor | None]:
    """Those that are there in their places."""
    there = iter(tensors)
    return [next(there) if one else None for one in present]


def problem(
    tensors: Sequence[Tensor], present: Sequence[bool], valid: Tensor | None, noise: Sequence[Tensor], name: str, reverse: bool
) -> tuple[Fixed, Call]:
    """The call, out of what an operator is given."""
    lengths = None if valid is None else valid.sum(0)
    fixed = Fixed(named(name), reverse, valid, lengths, tuple(noise))
    return fixed, unflatten(fixed, spread(tensors, present))


def histories(cell: Cell, read_again: Sequence[bool]) -> list[int]:
    """The states whose history is kept beside the output's."""
    return [index for index in range(1, len(cell.state)) if read_again[index]]


@torch.library.custom_op("byhand::layer", mutates_args=())
def layer(
    tensors: Sequence[Tensor],
    present: Sequence[bool],
    valid: Tensor | None,
    noise: Sequence[Tensor],
    cell: str,
    reverse: bool,
    keep: bool,
) -> list[Tensor]:
    """Output and last states; then, if it is to be kept, what the derivative is made from."""
    fixed, call = problem(tensors, present, valid, noise, cell, reverse)
    compiled = kernel(fixed.cell, call.input.dtype)
    ran = compiled.forward(given(fixed, call), keep=keep)
    kept = [ran.histories[index] for index in histories(fixed.cell, compiled.read_again)] + [ran.kept, ran.unprojected]
    return [ran.output, *ran.last, *(one for one in kept if one is not None and keep)]


@layer.register_fake
def _(tensors: Any, present: Any, valid: Any, noise: Any, cell: str, reverse: bool, keep: bool) -> list[Tensor]:
    fixed, call = problem(tensors, present, valid, noise, cell, reverse)
    (time, batch), weights, new = call.input.shape[:2], call.weights, call.input.new_empty
    hidden = weights.input.shape[0] // len(fixed.cell.gates)
    output = hidden if weights.projection is None else weights.projection.shape[0]
    made = [new(time, batch, output), *(torch.empty_like(one, memory_format=torch.contiguous_format) for one in call.state)]
    if not keep:
        return made
    compiled = kernel(fixed.cell, call.input.dtype)
    made += [new(time, batch, call.state[index].shape[-1]) for index in histories(fixed.cell, compiled.read_again)]
    made.append(new(time, batch, compiled.slots * hidden))
    return made if weights.projection is None else [*made, new(time, batch, hidden)]


@torch.library.custom_op("byhand::layer_backward", mutates_args=())
def layer_backward(
    tensors: Sequence[Tensor],
    present: Sequence[bool],
    valid: Tensor | None,
    noise: Sequence[Tensor],
    cell: str,
    reverse: bool,
    kept: Sequence[Tensor],
    grads: Sequence[Tensor],
    given_grads: Sequence[bool],
    needed: Sequence[bool],
) -> list[Tensor]:
    """The gradients that are needed. kept: all that layer gave."""
    fixed, call = problem(tensors, present, valid, noise, cell, reverse)
    compiled, states = kernel(fixed.cell, call.input.dtype), len(fixed.cell.state)
    there = histories(fixed.cell, compiled.read_again)
    history = dict(zip([0, *there], [kept[0], *kept[1 + states :]], strict=False))
    rest = kept[1 + states + len(there) :]
    unprojected = rest[1] if call.weights.projection is not None else None
    ran = Ran(kept[0], tuple(kept[1 : 1 + states]), tuple(history.get(index) for index in range(states)), rest[0], unprojected)
    found = gradients(compiled, given(fixed, call), ran, spread(grads, given_grads), needed, ())
    return [one.clone() for one, need in zip(found, needed, strict=True) if need and one is not None]


@layer_backward.register_fake
def _(
    tensors: Any,
    present: Any,
    valid: Any,
    noise: Any,
    cell: str,
    reverse: bool,
    kept: Any,
    grads: Any,
    given_grads: Any,
    needed: Any,
):
    return [torch.empty_like(one, memory_format=torch.contiguous_format) for one in spread_needed(tensors, present, needed)]


def spread_needed(tensors: Sequence[Tensor], present: Sequence[bool], needed: Sequence[bool]) -> list[Tensor]:
    """The tensors that a gradient is needed by."""
    return [one for one, need in zip(spread(tensors, present), needed, strict=True) if need and one is not None]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    tensors, present, valid, noise, ctx.cell, ctx.reverse, _ = inputs
    ctx.present, ctx.counts, ctx.valid = present, (len(tensors), len(noise)), valid is not None
    ctx.needed = [one is not None and one.requires_grad for one in spread(tensors, present)]
    ctx.save_for_backward(*tensors, *noise, *([valid] if valid is not None else []), *output)


def _backward(ctx: Any, grads: Sequence[Tensor | None]) -> tuple[Any, ...]:
    saved, (first, second) = list(ctx.saved_tensors), ctx.counts
    tensors, noise, rest = saved[:first], saved[first : first + second], saved[first + second :]
    valid, kept = (rest[0], rest[1:]) if ctx.valid else (None, rest)
    states = len(named(ctx.cell).state)
    wanted = grads[: 1 + states]
    found = iter(
        layer_backward(
            tensors,
            ctx.present,
            valid,
            noise,
            ctx.cell,
            ctx.reverse,
            kept,
            [one for one in wanted if one is not None],
            [one is not None for one in wanted],
            ctx.needed,
        )
    )
    by_place = [next(found) if need else None for need in ctx.needed]
    by_tensors = [one for one, there in zip(by_place, ctx.present, strict=True) if there]
    return by_tensors, None, None, [None] * second, None, None, None


layer.register_autograd(_backward, setup_context=_setup)
