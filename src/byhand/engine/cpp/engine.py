"""What the C++ engine takes on, and how it answers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from byhand.engine import edits, operators, transforms
from byhand.engine.call import Call, Listener, Result
from byhand.engine.cpp import bfloat16, prepared
from byhand.engine.cpp.autograd import Layer, flatten, kernel_inputs, without_tensors
from byhand.engine.cpp.kernel import kernel
from byhand.engine.cpp.refusal import refuses_cell
from byhand.engine.cpp.source import TYPES
from byhand.engine.cpp.values import KernelInputs, KernelOutputs

name = "cpp"
WIDEST = 65_000  # of a sum of products of 8 bits each


def refuses(call: Call) -> str | None:
    """Why it cannot run this call, or None."""
    return refuses_type(call) or refuses_use(call)


def refuses_type(call: Call) -> str | None:
    dtype = call.input.dtype
    if call.input.device.type != "cpu":
        return f"the input is on {call.input.device}, the engine runs on the cpu"
    if dtype == torch.bfloat16:
        return bfloat16.refuses(call)
    return None if dtype in TYPES else f"the input is of {dtype}: expected {' or '.join(map(str, TYPES))}"


def refuses_use(call: Call) -> str | None:
    if call.in_graph and torch.is_grad_enabled():
        return "the values inside the steps are wanted in the graph"
    tensors = [one for one in (*flatten(call), *call.noise) if one is not None]
    if transforms.is_recorded(tensors):
        return "operations are recorded, by torch.jit.trace or a dispatch mode"
    strange = transforms.strange_tensor(tensors) or transforms.transform()
    if strange is not None:
        return strange
    if call.has_empty:
        return "a sequence has no step"
    asked = edits.as_inputs(call)
    if asked is None:
        return "values are edited by functions, or after a projection"
    return refuses_cell(asked.cell, call.input.dtype)


def run(call: Call) -> Result:
    """The whole sequence in one call of the kernel."""
    call = edits.as_inputs(call) or call
    tensors = flatten(call)
    listeners: list[Listener] = []
    if torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors):
        ran: list[tuple[KernelInputs, KernelOutputs]] = []
        output, *last = Layer.apply(without_tensors(call), ran, listeners, *tensors)  # type: ignore[misc]
        inputs, outputs = ran[0]
    else:
        inputs = kernel_inputs(call)
        outputs = kernel(call.cell, call.input.dtype).forward(inputs, keep=call.sites)
        output, last = outputs.output, outputs.last
    sites = sites_of(call, inputs, outputs, output) if call.sites else None
    return Result(output, tuple(last), sites, listeners.append if call.sites else None)


def prepare(call: Call, *, pack: bool = False, frozen: str | None = None) -> prepared.PreparedCall | None:
    """The call bound to its shape and weights; None if the engine refuses it, or it is not of that kind."""
    if refuses(call) is not None or call.sites or call.edited or call.cut is not None:
        return None
    if frozen is not None and refuses_frozen(call, frozen) is not None:
        return None
    return prepared.prepare(call, pack=pack, frozen=frozen)


def refuses_frozen(call: Call, frozen: str) -> str | None:
    """Why there is no kernel that multiplies the call's weights in this low precision, or None."""
    if call.input.dtype != torch.float32:
        return f"the input is of {call.input.dtype}: expected torch.float32"
    if max(one.shape[1] for one in call.weights[:2] if one is not None) > WIDEST:
        return f"a sum of more than {WIDEST} products of integers may be too large for 32 bits"
    return refuses_cell(call.cell, call.input.dtype, frozen)


def traced(call: Call) -> Result | None:
    """The call as the operator byhand::layer, for whoever records operations; None where there is no kernel for it."""
    return operators.traced(call) if call.input.device.type == "cpu" else None


def sites_of(call: Call, inputs: KernelInputs, outputs: KernelOutputs, output: Tensor) -> dict[str, Any]:
    """The sites; the states among them are those that were carried on."""
    with torch.no_grad():
        values = kernel(call.cell, inputs.input.dtype).sites(inputs, outputs)
        made = {call.public_name(name): value.to(output.dtype) for name, value in values.items()}
    return made | {call.cell.state[0]: output.detach().clone()}  # the caller may write into the output
