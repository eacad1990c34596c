"""The Triton engine behind the operator byhand::layer; see byhand.engine.operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from byhand.cells.names import full_name, numbered
from byhand.engine import precision, transforms
from byhand.engine.cpp import bfloat16
from byhand.engine.triton import limits, proof, refusal
from byhand.engine.triton.kernel import sizes_of
from byhand.engine.triton.kernels import kernel_of
from byhand.engine.triton.layer import gradients, run_kernel, sums_in
from byhand.engine.triton.tiers import Tier
from byhand.engine.triton.values import Inputs, Outputs

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.engine.call import Call


def name_of(call: Call) -> str:
    """The cell's full name, by which the operator finds it; empty if there is no kernel for it. RuntimeError in an ONNX export."""
    asked = (call.input.dtype, call.input.device, *sizes_of(call), call.cut is not None)
    return name_of_number(id(call.cell), *asked) if torch.compiler.is_dynamo_compiling() else cell_name(call.cell, *asked)


def name_of_number(number: int, *asked: Any) -> str:
    """The same, as torch.compile is to ask it: once, for a constant."""
    return cell_name(numbered(number), *asked)


name_of_number._dynamo_marked_constant = True  # type: ignore[attr-defined]  # assume_constant_result, which loads the compiler


def cell_name(cell: Cell, dtype: torch.dtype, device: torch.device, hidden: int, projected: int | None, cuts: bool) -> str:
    """The same of a cell, for a layer of these sizes."""
    transforms.refuse_onnx_export()
    reason = refusal.refuses_place(device, dtype) or refusal.refuses_cell(cell)
    if dtype in precision.LOW:
        reason = reason or bfloat16.refuses_cell(cell)
    if cuts:  # which one tier alone can
        reason = reason or limits.refuses_sizes(cell, hidden, projected, dtype, device, cuts=cuts)
    tier = Tier.resident if cuts else Tier.stepwise  # for any size, and any number of sequences
    return "" if reason or proof.fails(device, dtype, tier) else full_name(cell)


def layer(call: Call, keep: bool) -> list[Tensor]:
    """Output and last states; then, if it is to be kept, what the derivative is made from. RuntimeError of too large a batch."""
    choice = proof.choose(call)
    if choice.tier is None:
        raise RuntimeError(f"engine 'triton' was recorded and cannot run this: {choice.why}")
    return listed(run_kernel(call, keep=keep), keep=keep)


def listed(outputs: Outputs, *, keep: bool) -> list[Tensor]:
    """Every tensor of them once: the output, the last states, and what the derivative is made from."""
    found = [outputs.output, *outputs.last]
    for one in (*outputs.given, *outputs.states, outputs.unprojected) if keep else ():
        if one is not None and not any(one is other for other in found):
            found.append(one)
    return found


def shapes(call: Call, keep: bool) -> list[Tensor]:
    """The same without values."""
    return listed(empty_outputs(call, call.input.device, keep=keep), keep=keep)


def empty_outputs(call: Call, device: torch.device, *, keep: bool) -> Outputs:
    """What the kernel fills, without values."""
    time, batch = call.input.shape[:2]
    product = call.input.new_empty(time, batch, len(call.weights.input), dtype=sums_in(call), device=device)
    state = tuple(torch.empty_like(one, device=device, memory_format=torch.contiguous_format) for one in call.state)
    inputs = Inputs(product, None, None, call.weights.projection, (), (), state, None, call.reverse)
    return kernel_of(call).empty_outputs(inputs, keep=keep)


def gradients_of(call: Call, kept: list[Tensor], by: list[Tensor | None], needed: Sequence[bool]) -> list[Tensor | None]:
    """kept: what layer gave."""
    like = empty_outputs(call, torch.device("meta"), keep=True)
    real = {id(one): value for one, value in zip(listed(like, keep=True), kept, strict=True)}

    def found(ones: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
        return tuple(None if one is None else real[id(one)] for one in ones)

    (unprojected,) = found([like.unprojected])
    outputs = Outputs(call.state, found(like.given), found(like.states), unprojected)
    return gradients(call, outputs, by, needed)
