"""The C++ engine as operators of torch, so that whoever records operations sees one for a layer and direction.

Eager calls do without them: an operator costs a tenth of a millisecond in Python. What a recorded model knows of a cell is its full
name. They are defined when byhand is imported, by the parts of torch.library that load nothing further, so that an exported model can
be loaded after `import byhand` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byhand.cells.names import full_name, known, named
from byhand.engine import transforms
from byhand.engine.call import Call, Result
from byhand.engine.cpp.autograd import flatten, gradients, kernel_inputs, outputs_again, unflatten
from byhand.engine.cpp.kernel import kernel
from byhand.engine.cpp.operator_calls import OperatorCall, prepared
from byhand.engine.cpp.operator_gradients import recording
from byhand.engine.cpp.refusal import refuses_cell
from byhand.engine.cpp.source import TYPES

if TYPE_CHECKING:
    from byhand.cells import Cell

library = torch.library.Library("byhand", "DEF")
# Every list holds at least one tensor: TorchScript traces no list of optional ones, and an empty one reaches an operator in an
# AOTInductor package as None. rest: vectors, first states, those to start again from if there is a cut, masks.
GIVEN = (
    "Tensor input, Tensor weight_ih, Tensor? weight_hh, Tensor? bias_ih, Tensor? bias_hh, Tensor? weight_hr, Tensor[] rest,"
    " Tensor? valid, Tensor? cut, str cell, bool reverse"
)
library.define(f"layer({GIVEN}, bool keep) -> Tensor[]")
# kept: what layer gave, without the last states. grads: by the output and each last state, as there_are says. needed: of which of
# flatten(call) it is wanted.
library.define(
    f"layer_backward({GIVEN}, Tensor[] kept, Tensor[] grads, bool[] there_are, bool[] needed) -> Tensor[]",
)


def takes(call: Call) -> bool:
    """Whether the call can be one operator: nothing inside it is watched or changed, and there is a kernel for its cell."""
    plain = not (call.edited or call.sites or call.in_graph)
    return plain and call.input.device.type == "cpu" and call.input.dtype in TYPES and bool(name_for(call))


def name_for(call: Call) -> str:
    """name_of its cell; for dynamo, which takes numbers as constants but no cells (torch 2.11), by the number of the object."""
    dtype = call.input.dtype
    return numbered(id(call.cell), dtype) if torch.compiler.is_dynamo_compiling() else name_of(call.cell, dtype)


def numbered(number: int, dtype: torch.dtype) -> str:
    """name_of the registered cell that is the object of this number."""
    return name_of(next(cell for cell in known() if id(cell) == number), dtype)


numbered._dynamo_marked_constant = True  # type: ignore[attr-defined]  # torch.compiler.assume_constant_result, which loads the compiler


def name_of(cell: Cell, dtype: torch.dtype) -> str:
    """The cell's full name, by which the operator finds it; empty if there is no kernel for it. RuntimeError in an ONNX export."""
    if transforms.is_in_onnx_export():
        raise RuntimeError(
            "torch.onnx.export has nothing for byhand's operator: byhand.export_onnx(model, file, ...) writes every cell; or put"
            " `with byhand.use_engine('reference'):` around it, for the length of the example"
        )
    return full_name(cell) if refuses_cell(cell, dtype) is None else ""


def run(call: Call) -> Result:
    """The call as one operator."""
    tensors = flatten(call)
    keep = torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors)
    name = name_for(call)
    made = torch.ops.byhand.layer(*tensors[:6], [*tensors[6:], *call.noise], call.valid, call.cut, name, call.reverse, keep)
    return Result(made[0], tuple(made[1 : 1 + len(call.state)]), None)


def call_of(*given: Any) -> Call:
    """The call, out of what an operator is given; see GIVEN."""
    *first, rest, valid, cut, name, reverse = given
    cell = named(name)
    count = len(rest) - len(cell.noise)
    bare = Call(cell, None, (), None, reverse, valid, tuple(rest[count:]), cut=cut)  # type: ignore[arg-type]
    return unflatten(bare, (*first, *rest[:count]))


def prepared_call(given: Sequence[Any]) -> tuple[OperatorCall, tuple[Tensor | None, ...]] | None:
    """The prepared call for what an operator is given, and its tensors; None where it has to go the usual way."""
    *first, rest, valid, cut, name, reverse = given
    if valid is not None or cut is not None or first[5] is not None:
        return None
    tensors = (*first, *rest)
    call = prepared(name, tensors, reverse=reverse)
    return None if call is None else (call, tensors)


def histories(cell: Cell, read_again: Sequence[bool]) -> list[int]:
    """The states whose history is kept beside the output's."""
    return [index for index in range(1, len(cell.state)) if read_again[index]]


@torch.library.impl(library, "layer", "CPU")
def layer(*given_and_keep: Any) -> list[Tensor]:
    """Output and last states; then, if it is to be kept, what the derivative is made from."""
    *arguments, keep = given_and_keep
    found = prepared_call(arguments)
    if found is not None:
        return found[0].forward(found[1], keep=keep)
    call = call_of(*arguments)
    compiled = kernel(call.cell, call.input.dtype)
    outputs = compiled.forward(kernel_inputs(call), keep=keep)
    saved = [outputs.histories[index] for index in histories(call.cell, compiled.read_again)]
    saved += [outputs.saved, outputs.unprojected]
    return [outputs.output, *outputs.last, *(one for one in saved if one is not None and keep)]


@torch.library.register_fake("byhand::layer", lib=library)
def _(*given_and_keep: Any) -> list[Tensor]:
    *arguments, keep = given_and_keep
    call = call_of(*arguments)
    (time, batch), weights, new = call.input.shape[:2], call.weights, call.input.new_empty
    hidden = weights.input.shape[0] // len(call.cell.gates)
    output = hidden if weights.projection is None else weights.projection.shape[0]
    made = [new(time, batch, output), *(torch.empty_like(one, memory_format=torch.contiguous_format) for one in call.state)]
    if not keep:
        return made
    compiled = kernel(call.cell, call.input.dtype)
    made += [new(time, batch, call.state[index].shape[-1]) for index in histories(call.cell, compiled.read_again)]
    made.append(new(time, batch, compiled.preactivations * hidden))
    return made if weights.projection is None else [*made, new(time, batch, hidden)]


@torch.library.impl(library, "layer_backward", "CPU")
def layer_backward(*given_and_more: Any) -> list[Tensor]:
    """The gradients that are needed."""
    *arguments, kept, grads, there_are, needed = given_and_more
    there_is = iter(grads)
    by = tuple([next(there_is) if one else None for one in there_are])
    prepared = prepared_call(arguments)
    if prepared is not None:
        found = prepared[0].backward(prepared[1], kept, by, needed)
        return [one for one, need in zip(found, needed, strict=True) if need and one is not None]
    call = call_of(*arguments)
    compiled, states = kernel(call.cell, call.input.dtype), range(len(call.cell.state))
    history = dict(zip([0, *histories(call.cell, compiled.read_again)], kept, strict=False))
    saved, *rest = kept[len(history) :]
    unprojected = rest[0] if call.weights.projection is not None else None
    outputs = outputs_again(call, [history.get(index) for index in states], (), saved, unprojected)
    found = gradients(compiled, kernel_inputs(call), outputs, by, needed, ())
    return [one for one, need in zip(found, needed, strict=True) if need and one is not None]


@torch.library.register_fake("byhand::layer_backward", lib=library)
def _(*given_and_more: Any) -> list[Tensor]:
    *arguments, needed = given_and_more
    wanted = zip((*arguments[:6], *arguments[6]), needed, strict=False)
    return [torch.empty_like(one, memory_format=torch.contiguous_format) for one, need in wanted if need and one is not None]


library.impl("layer", recording(layer), "Autograd", with_keyset=True)
