"""What the GPU engine takes on, and how it answers.

Its kernels were held against the reference engine in Triton's interpreter, and compiled for several GPUs, on machines that have none:
docs/gpu.md says how, and what was not. It has not run on a GPU yet.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from byhand.engine import aten, edits, precision, transforms
from byhand.engine.call import Call, Result
from byhand.engine.cpp import bfloat16
from byhand.engine.cpp.autograd import flatten, without_tensors
from byhand.engine.triton import layer, proof, sites, tiers
from byhand.errors import UntraceableError
from byhand.ir import partition

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.engine.triton.values import Outputs

name = "triton"
DEVICES = {"cuda"}  # and the cpu, where Triton's kernels are interpreted, for tests
TYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
OLDEST = 8  # the compute capability of the first GPUs with tf32 and bfloat16


def refuses(call: Call) -> str | None:
    """Why it cannot run this call, or None."""
    reason = refuses_place(call) or refuses_use(call) or refuses_low(call)
    if reason is not None:
        return reason
    choice = choose(call)
    return choice.why if choice.tier is None else None


def how(call: Call) -> str:
    """The tier of kernels that runs a call which is not refused, and why that one."""
    choice = choose(call)
    return choice.why if choice.tier is None else f"{choice.tier.value}, {choice.why}"


def choose(call: Call) -> tiers.Choice:
    """The tier for a call, among those that have proven themselves on its device."""
    device, dtype = call.input.device, call.input.dtype
    while (choice := tiers.choose(call)).tier is not None:
        reason = proof.fails(device, dtype, choice.tier)
        if reason is None:
            break
        tiers.distrust(device, dtype, choice.tier, reason)
    return choice


def refuses_place(call: Call) -> str | None:
    device = call.input.device
    if device.type not in DEVICES:
        return f"the input is on {device}, the engine runs on cuda"
    if call.input.dtype not in TYPES:
        return f"the input is of {call.input.dtype}: expected one of {', '.join(map(str, TYPES))}"
    return refuses_device(device) if device.type == "cuda" else None


@cache
def refuses_device(device: torch.device) -> str | None:
    """Why no kernel runs there, or None."""
    if torch.version.hip is not None:
        return "the kernels were never tried on AMD's GPUs"
    if find_spec("triton") is None:
        return "Triton is missing: pip install 'byhand[gpu]'"
    major, minor = torch.cuda.get_device_capability(device)
    return None if major >= OLDEST else f"the GPU has compute capability {major}.{minor}, the kernels need {OLDEST}.0 or more"


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
    if call.cut is not None:
        return "sequences start again inside"
    if call.input.numel() == 0 or call.has_empty:
        return "a sequence has no step"
    asked = edits.as_inputs(call)
    if asked is None:
        return "values are edited by functions, or after a projection"
    return refuses_cell(asked.cell)


@cache
def refuses_cell(cell: Cell) -> str | None:
    """Why there is no kernel for this cell, or None."""
    try:
        partition(cell)
    except UntraceableError as problem:
        return str(problem)
    return None


def refuses_low(call: Call) -> str | None:
    """Why a call in bfloat16 or float16 is better computed in float32, or None."""
    if call.input.dtype in (torch.float32, torch.float64):
        return None
    if precision.autocast_type(call) not in (None, call.input.dtype):
        return "autocast wants another number type"
    if call.edited or call.sites:
        return "values inside the steps are wanted, or edited"
    return bfloat16.refuses_cell(call.cell)


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


def traced(call: Call) -> None:
    """Nothing: whoever records operations sees those of the reference engine."""
