"""The C++ engine behind the operator byhand::layer; see byhand.engine.operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from byhand.cells.names import full_name, numbered
from byhand.engine import transforms
from byhand.engine.cpp.autograd import gradients, kernel_inputs
from byhand.engine.cpp.kernel import kernel
from byhand.engine.cpp.refusal import refuses_cell
from byhand.engine.cpp.source import TYPES
from byhand.engine.cpp.values import KernelOutputs

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.engine.call import Call


def name_of(call: Call) -> str:
    """The cell's full name, by which the operator finds it; empty if there is no kernel for it. RuntimeError in an ONNX export."""
    if call.input.dtype not in TYPES:
        return ""
    compiling = torch.compiler.is_dynamo_compiling()
    return name_of_number(id(call.cell), call.input.dtype) if compiling else cell_name(call.cell, call.input.dtype)


def name_of_number(number: int, dtype: torch.dtype) -> str:
    """The same, as torch.compile is to ask it: once, for a constant."""
    return cell_name(numbered(number), dtype)


name_of_number._dynamo_marked_constant = True  # type: ignore[attr-defined]  # assume_constant_result, which loads the compiler


def cell_name(cell: Cell, dtype: torch.dtype) -> str:
    """The same of a cell."""
    transforms.refuse_onnx_export()
    return full_name(cell) if refuses_cell(cell, dtype) is None else ""


def histories(cell: Cell, read_again: Sequence[bool]) -> list[int]:
    """The states whose history is kept beside the output's."""
    return [index for index in range(1, len(cell.state)) if read_again[index]]


def layer(call: Call, keep: bool) -> list[Tensor]:
    """Output and last states; then, if it is to be kept, what the derivative is made from."""
    compiled = kernel(call.cell, call.input.dtype)
    outputs = compiled.forward(kernel_inputs(call), keep=keep)
    saved = [outputs.histories[index] for index in histories(call.cell, compiled.read_again)]
    saved += [outputs.saved, outputs.unprojected]
    return [outputs.output, *outputs.last, *(one for one in saved if one is not None and keep)]


def shapes(call: Call, keep: bool) -> list[Tensor]:
    """The same without values."""
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


def gradients_of(call: Call, kept: list[Tensor], by: list[Tensor | None], needed: Sequence[bool]) -> list[Tensor | None]:
    """kept: what layer gave."""
    compiled, states = kernel(call.cell, call.input.dtype), len(call.cell.state)
    there = histories(call.cell, compiled.read_again)
    history = dict(zip([0, *there], [kept[0], *kept[1 + states :]], strict=False))
    rest = kept[1 + states + len(there) :]
    unprojected = rest[1] if call.weights.projection is not None else None
    outputs = KernelOutputs(
        kept[0], tuple(kept[1 : 1 + states]), tuple(history.get(index) for index in range(states)), rest[0], unprojected
    )
    return gradients(compiled, kernel_inputs(call), outputs, by, needed, ())
