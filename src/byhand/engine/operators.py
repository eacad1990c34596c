"""A layer and direction as one operator of torch, byhand::layer, for whoever records operations: on the CPU the C++ engine runs it, on
CUDA the Triton engine.

Eager calls do without it: an operator costs a tenth of a millisecond in Python. What a recorded model knows of a cell is its full
name. The operators are defined when byhand is imported, by the parts of torch.library that load nothing further, so that an exported
model can be loaded after `import byhand` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from byhand.cells.names import named
from byhand.engine.call import Call, Result
from byhand.engine.cpp import recorded as cpp
from byhand.engine.cpp.autograd import flatten, unflatten
from byhand.engine.triton import recorded as triton

library = torch.library.Library("byhand", "DEF")
# Every list holds at least one tensor: TorchScript traces no list of optional ones, and an empty one reaches an operator in an
# AOTInductor package as None. rest: vectors, first states, those to start again from if there is a cut, masks.
GIVEN = (
    "Tensor input, Tensor weight_ih, Tensor? weight_hh, Tensor? bias_ih, Tensor? bias_hh, Tensor? weight_hr, Tensor[] rest,"
    " Tensor? valid, Tensor? cut, str cell, bool reverse"
)
library.define(f"layer({GIVEN}, bool keep) -> Tensor[]")
# kept: what layer gave. grads: by the output and each last state, as there_are says. needed: of which of flatten(call) it is wanted.
library.define(
    f"layer_backward({GIVEN}, Tensor[] kept, Tensor[] grads, bool[] there_are, bool[] needed) -> Tensor[]",
)


class Backend(NamedTuple):
    """What runs the operator on one kind of device."""

    name_of: Callable[[Call], str]  # the full name of a call's cell, empty if it cannot be the operator
    layer: Callable[[Call, bool], list[Tensor]]  # output and last states; then, if told to, what the derivative is made from
    shapes: Callable[[Call, bool], list[Tensor]]  # the same without values
    # Out of the call, what layer gave, gradients by output and last states, and which are needed: in the order of flatten.
    gradients: Callable[[Call, list[Tensor], list[Tensor | None], Sequence[bool]], list[Tensor | None]]


BACKENDS = {
    "cpu": Backend(cpp.name_of, cpp.layer, cpp.shapes, cpp.gradients_of),
    "cuda": Backend(triton.name_of, triton.layer, triton.shapes, triton.gradients_of),
}


def traced(call: Call) -> Result | None:
    """The call as one operator; None if it cannot be one: something inside it is watched or changed, or there is no kernel for it."""
    if call.edited or call.sites or call.in_graph:
        return None
    name = BACKENDS[call.input.device.type].name_of(call)
    return run(call, name) if name else None


def run(call: Call, name: str) -> Result:
    """The call as one operator. name: its cell's."""
    tensors = flatten(call)
    keep = torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors)
    made = torch.ops.byhand.layer(*tensors[:6], [*tensors[6:], *call.noise], call.valid, call.cut, name, call.reverse, keep)
    return Result(made[0], tuple(made[1 : 1 + len(call.state)]), None)


def call_of(*given: Any) -> tuple[Backend, Call]:
    """The call, out of what an operator is given (see GIVEN), and what runs it."""
    *first, rest, valid, cut, name, reverse = given
    cell = named(name)
    count = len(rest) - len(cell.noise)
    bare = Call(cell, None, (), None, reverse, valid, tuple(rest[count:]), cut=cut)  # type: ignore[arg-type]
    call = unflatten(bare, (*first, *rest[:count]))
    return BACKENDS[call.input.device.type], call


def layer(*given_and_keep: Any) -> list[Tensor]:
    """Output and last states; then, if it is to be kept, what the derivative is made from."""
    *arguments, keep = given_and_keep
    backend, call = call_of(*arguments)
    return backend.layer(call, keep)


@torch.library.register_fake("byhand::layer", lib=library)
def _(*given_and_keep: Any) -> list[Tensor]:
    *arguments, keep = given_and_keep
    backend, call = call_of(*arguments)
    return backend.shapes(call, keep)


def layer_backward(*given_and_more: Any) -> list[Tensor]:
    """The gradients that are needed."""
    *arguments, kept, grads, there_are, needed = given_and_more
    backend, call = call_of(*arguments)
    there_is = iter(grads)
    by = [next(there_is) if one else None for one in there_are]
    found = backend.gradients(call, kept, by, needed)
    return [one for one, need in zip(found, needed, strict=True) if need and one is not None]


for key in ("CPU", "CUDA"):
    library.impl("layer", layer, key)
    library.impl("layer_backward", layer_backward, key)


@torch.library.register_fake("byhand::layer_backward", lib=library)
def _(*given_and_more: Any) -> list[Tensor]:
    *arguments, needed = given_and_more
    wanted = zip((*arguments[:6], *arguments[6]), needed, strict=False)
    return [torch.empty_like(one, memory_format=torch.contiguous_format) for one, need in wanted if need and one is not None]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    *first, rest, valid, cut, ctx.cell, ctx.reverse, _ = inputs
    cell = named(ctx.cell)
    ctx.states, ctx.masks, ctx.rest = len(cell.state), len(cell.noise), len(rest)
    ctx.needed = [one is not None and one.requires_grad for one in (*first, *rest[: ctx.rest - ctx.masks])]
    ctx.save_for_backward(*first, valid, cut, *rest, *output)


def _backward(ctx: Any, grads: Sequence[Tensor | None]) -> tuple[Any, ...]:
    *first, valid, cut = ctx.saved_tensors[:8]
    rest, kept = list(ctx.saved_tensors[8 : 8 + ctx.rest]), list(ctx.saved_tensors[8 + ctx.rest :])
    wanted = grads[: 1 + ctx.states]
    there, there_are = [one for one in wanted if one is not None], [one is not None for one in wanted]
    given = (*first, rest, valid, cut, ctx.cell, ctx.reverse)
    found = iter(torch.ops.byhand.layer_backward(*given, kept, there, there_are, ctx.needed))
    by = [next(found) if need else None for need in ctx.needed]
    return *by[:6], [*by[6:], *[None] * ctx.masks], None, None, None, None, None


torch.library.register_autograd("byhand::layer", _backward, setup_context=_setup, lib=library)
