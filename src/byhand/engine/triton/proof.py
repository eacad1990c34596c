"""The engine's own proof on a device: a small layer in every number type and tier beside the reference engine, before any other runs.

It has never run on a GPU (docs/gpu.md). So that a GPU whose compiler or arithmetic is other than was thought shows itself, and not in
somebody's numbers: where this layer's values or gradients are off, or its kernels do not run, the engine refuses that tier there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch

from byhand.cells.lstm import lstm
from byhand.engine import precision, reference
from byhand.engine.call import Call, Weights
from byhand.engine.cpp.autograd import flatten, unflatten, without_tensors
from byhand.engine.triton import launching, layer, tiers
from byhand.engine.triton.tiers import Tier

if TYPE_CHECKING:
    from torch import Tensor

TIME, BATCH, INPUT = 3, 2, 2
HIDDEN = {Tier.resident: 3, Tier.cooperative: 32, Tier.stepwise: 20}  # units: of two programs where they share them
OFTEN = 2  # the second time by graphs
LIMITS = {
    torch.float64: 1e-10,
    torch.float32: 1e-2,
    torch.bfloat16: 1e-1,
    torch.float16: 2e-2,
}  # of rounding; float32 may be tf32


def choose(call: Call) -> tiers.Choice:
    """The tier for a call, among those that have proven themselves on its device."""
    device, dtype = call.input.device, call.input.dtype
    while (choice := tiers.choose(call)).tier is not None:
        reason = fails(device, dtype, choice.tier)
        if reason is None:
            break
        tiers.distrust(device, dtype, choice.tier, reason)
    return choice


found: dict[tuple[torch.device, torch.dtype, Tier], str | None] = {}


def fails(device: torch.device, dtype: torch.dtype, tier: Tier) -> str | None:
    """Why a tier's kernels are not to be trusted there, or None. Once for each device, number type and tier. RuntimeError in the capture
    of a CUDA graph, if it is the first time.
    """
    asked = device, dtype, tier
    if asked not in found:
        with launching.on(device):
            launching.check_first(device)
        found[asked] = proved(*asked)
    return found[asked]


def proved(device: torch.device, dtype: torch.dtype, tier: Tier) -> str | None:
    """The same, found out."""
    try:
        # In a thread of its own no mode, transform or autocast of the caller's is active.
        with tiers.only(tier), ThreadPoolExecutor(1) as thread:
            off = thread.submit(distance, device, dtype, tier).result()
    except Exception as problem:  # noqa: BLE001 (of a compiler, a driver, a launch: each is a reason to leave it)
        said = (str(problem).strip().splitlines() or ["nothing is said"])[0]
        return f"its kernels do not run on {device}: {type(problem).__name__}: {said}"
    if off <= LIMITS[dtype]:  # false of NaN
        return None
    return f"its kernels are {off:.1e} off on {device} in {dtype}, where rounding explains {LIMITS[dtype]:g}"


def distance(device: torch.device, dtype: torch.dtype, tier: Tier) -> float:
    """The largest difference of any value or gradient from the reference engine's in float64."""
    right = answers(example(torch.device("cpu"), HIDDEN[tier]), kernels=False)
    call = precision.converted(example(device, HIDDEN[tier]), dtype)
    found = [one for _ in range(OFTEN) for one in answers(call, kernels=True)]
    off = torch.stack([(one.double().cpu() - other).abs().max() for one, other in zip(found, OFTEN * right, strict=True)])
    return float(off.max())  # NaN if one is


def example(device: torch.device, hidden: int) -> Call:
    generator = torch.Generator().manual_seed(0)

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(device)

    rows = len(lstm.gates) * hidden
    weights = Weights(some(rows, INPUT), some(rows, hidden) / hidden**0.5, some(rows), some(rows), None, ())
    return Call(lstm, some(TIME, BATCH, INPUT), (some(BATCH, hidden), some(BATCH, hidden)), weights)


def answers(call: Call, *, kernels: bool) -> list[Tensor]:
    """Output and last states, and the gradient of their sum by every tensor of the call."""
    tensors = [None if one is None else one.detach().requires_grad_() for one in flatten(call)]
    if kernels:
        output, *last = layer.Layer.apply(without_tensors(call), [], *tensors)  # type: ignore[misc]
    else:
        output, last, *_ = reference.run(unflatten(call, tensors))
    leaves = [one for one in tensors if one is not None]
    values = [output, *last]
    return [one.detach() for one in values] + list(
        torch.autograd.grad(torch.stack([one.sum() for one in values]).sum(), leaves)
    )
