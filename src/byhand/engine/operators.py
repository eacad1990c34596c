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
from byhand.engine.cpp.operator_calls import OperatorCall, prepared
from byhand.engine.cpp.operator_gradients import recording
from byhand.engine.triton import recorded as triton

library = torch.library.Library("byhand", "DEF")
# Every list holds at least one tensor: TorchScript traces no list of optional ones, and an empty one reaches an operator in an
# AOTInductor package as None. rest: vectors, first states, those to start again from if there is a cut, masks.
GIVEN = (
    "Tensor input, Tensor weight_ih, Tensor? weight_hh, Tensor? bias_ih, Tensor? bias_hh, Tensor? weight_hr, Tensor[] rest,"
    " Tensor? valid, Tensor? cut, str cell, bool reverse"
)
# Exported models, and graphs that torch keeps compiled on disk, call these by name: what is given or kept otherwise needs another name.
library.define(f"layer({GIVEN}, bool keep) -> Tensor[]")
# kept: what layer gave. grads: by the output and each last state, as there_are says. needed: of which of flatten(call) it is wanted.
library.define(
    f"layer_backward({GIVEN}, Tensor[] kept, Tensor[] grads, bool[] there_are, bool[] needed) -> Tensor[]",
)


class Backend(NamedTuple):
    """What runs the operator on one kind of device."""

    name_of: Callable[[Call], str]  # the full name of a call's cell, empty if it cannot be the operator
    layer: Callable[[Call, bool], list[Tensor]]  # output and last states; then, if asked for, what the derivative is made from
    shapes: Callable[[Call, bool], list[Tensor]]  # the same without values
    # Out of the call, what layer gave, gradients by output and last states, and which are needed: in the order of flatten.
    gradients: Callable[[Call, list[Tensor], list[Tensor | None], Sequence[bool]], list[Tensor | None]]
    prepared: Callable[..., OperatorCall | None] | None = None  # of a cell's name, tensors as in flatten and a direction


BACKENDS = {
    "cpu": Backend(cpp.name_of, cpp.layer, cpp.shapes, cpp.gradients_of, prepared),
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


def prepared_call(given: Sequence[Any]) -> tuple[OperatorCall, tuple[Tensor | None, ...]] | None:
    """The prepared call for what an operator is given, and its tensors; None where it has to go the usual way."""
    *first, rest, valid, cut, name, reverse = given
    find = BACKENDS[first[0].device.type].prepared
    if find is None or valid is not None or cut is not None or first[5] is not None:
        return None
    tensors = (*first, *rest)
    call = find(name, tensors, reverse=reverse)
    return None if call is None else (call, tensors)


def layer(*given_and_keep: Any) -> list[Tensor]:
    """Output and last states; then, if it is to be kept, what the derivative is made from."""
    *arguments, keep = given_and_keep
    found = prepared_call(arguments)
    if found is not None:
        return found[0].forward(found[1], keep=keep)
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
    there_is = iter(grads)
    by = [next(there_is) if one else None for one in there_are]
    ready = prepared_call(arguments)
    if ready is not None:
        found = ready[0].backward(ready[1], kept, tuple(by), needed)
    else:
        backend, call = call_of(*arguments)
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


library.impl("layer", recording(layer), "Autograd", with_keyset=True)
