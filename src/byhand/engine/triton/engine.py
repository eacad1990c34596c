"""What the GPU engine takes on, and how it answers.

Its kernels were held against the reference engine in Triton's interpreter, and compiled for several GPUs, on machines that have none:
docs/gpu.md says how, and what was not. It has not run on a GPU yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from byhand.engine import aten, edits, operators, precision, transforms
from byhand.engine.call import Call, Result
from byhand.engine.cpp import bfloat16
from byhand.engine.cpp.autograd import flatten, without_tensors
from byhand.engine.triton import layer, proof, sites
from byhand.engine.triton.refusal import DEVICES, refuses_cell, refuses_place

if TYPE_CHECKING:
    from byhand.engine.triton.values import Outputs

name = "triton"


def refuses(call: Call) -> str | None:
    """Why it cannot run this call, or None."""
    reason = refuses_place(call.input.device, call.input.dtype) or refuses_use(call) or refuses_low(call)
    if reason is not None:
        return reason
    choice = proof.choose(call)
    return choice.why if choice.tier is None else None


def how(call: Call) -> str:
    """The tier of kernels that runs a call which is not refused, and why that one."""
    choice = proof.choose(call)
    return choice.why if choice.tier is None else f"{choice.tier.value}, {choice.why}"


def refuses_use(call: Call) -> str | None:
    if call.in_graph and torch.is_grad_enabled():
        return "the values inside the steps are wanted in the graph"
    tensors = [one for one in (*flatten(call), *call.noise) if one is not None]
    if transforms.is_recorded(tensors):
        return "operations are recorded, by torch.jit.trace or a dispatch mode"
    strange = transforms.strange_tensor(tensors) or transforms.transform()
    if strange is not None:
        return strange
    return refuses_steps(call)


def refuses_steps(call: Call) -> str | None:
    if call.input.numel() == 0:
        return "a sequence has no step"
    asked = edits.as_inputs(call)
    if asked is None:
        return "values are edited by functions, or after a projection"
    return refuses_cell(asked.cell)


def refuses_low(call: Call) -> str | None:
    """Why a call in bfloat16 or float16 is better computed in float32, or None."""
    if call.input.dtype not in precision.LOW:
        return None
    return refuses_low_use(call) or bfloat16.refuses_cell(call.cell)


def refuses_low_use(call: Call) -> str | None:
    """The same, whatever the cell is."""
    if call.input.dtype not in precision.LOW:
        return None
    if precision.autocast_type(call) not in (None, call.input.dtype):
        return "autocast wants another number type"
    if call.edited or call.sites:
        return "values inside the steps are wanted, or edited"
    return None


def run(call: Call) -> Result:
    """The whole sequence in one launch of a kernel; sites afterwards, where they are wanted."""
    asked = edits.as_inputs(call) or call
    tensors = flatten(asked)
    if torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors):
        ran: list[Outputs] = []
        output, *last = layer.Layer.apply(without_tensors(asked), ran, *tensors)  # type: ignore[misc]
        outputs = ran[0]
    else:
        outputs = layer.run_kernel(asked, keep=call.sites)
        output, last = outputs.output, outputs.last
    if not call.sites:
        return Result(output, tuple(last), None)
    with torch.no_grad():
        values = sites.sites(asked, outputs)
    return Result(output, tuple(last), values, aten.on_gradients(asked, (output, *last)))  # type: ignore[arg-type]


def prepare(call: Call, *, pack: bool = False, frozen: str | None = None) -> None:
    """Nothing: each call is launched as it comes."""


def traced(call: Call) -> Result | None:
    """The call as the operator byhand::layer, for whoever records operations; None where there is no kernel for it."""
    if call.input.device.type not in DEVICES or refuses_low_use(call) is not None:
        return None
    return operators.traced(call)
