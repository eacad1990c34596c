"""A call in another number type and on another device, and how far its answer is from what is right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from byhand.engine.call import Call

ROUNDING = 2**-23  # of float32
PRECISIONS = {
    "float64": torch.float64,
    "float32": torch.float32,
    "tf32": torch.float32,
    "tf32x3": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


class Errors(NamedTuple):
    """The largest differences, of the size of what is right: of values, and of gradients by name."""

    values: float
    gradients: float


def cast(call: Call, dtype: torch.dtype, device: str | torch.device | None = None) -> Call:
    """The call in another number type, on another device if one is given; its tensors are leaves that want a gradient."""
    there = call.input.device if device is None else torch.device(device)

    def leaf(one: Tensor | None) -> Tensor | None:
        return None if one is None else one.detach().to(there, dtype, copy=True).requires_grad_()

    weights = call.weights._replace(
        **{field: leaf(getattr(call.weights, field)) for field in call.weights._fields[:5]},
        vectors=tuple(map(leaf, call.weights.vectors)),
    )
    return call._replace(
        input=leaf(call.input),  # type: ignore[arg-type]
        state=tuple(map(leaf, call.state)),  # type: ignore[arg-type]
        weights=weights,
        noise=tuple(one.to(there, dtype) for one in call.noise),
        valid=None if call.valid is None else call.valid.to(there),
    )


def errors(found: dict[str, Tensor], right: dict[str, Tensor]) -> Errors:
    """NaN, and so more than anything, where a value is missing or is none."""
    worst = {True: 0.0, False: 0.0}
    for name, off in each(found, right).items():
        kind = name.startswith("gradient")
        worst[kind] = float(np.maximum(worst[kind], off))
    return Errors(worst[False], worst[True])


def each(found: dict[str, Tensor], right: dict[str, Tensor]) -> dict[str, float]:
    """The largest difference of every value, of the size of what is right."""
    made = dict.fromkeys(right, float("nan"))
    for name, expected in right.items():
        if name in found and expected.numel():
            off = (found[name].double().to(expected.device) - expected).abs().max() / expected.abs().max().clamp(min=1e-3)
            made[name] = off.item()
    return made


def allowed(precision: str, theirs: Errors) -> Errors:
    """How far values and gradients may be off. theirs: how far the reference engine is in the same number type.

    docs/gpu.md says what each stands for; that of float32 leaves a GPU's exp and division, which are not rounded correctly, two bits.
    """
    if precision == "float64":
        return Errors(1e-12, 1e-11)
    if precision == "tf32":  # 2**-11 is lost of each factor; no reference engine has tf32 on a CPU
        return Errors(2e-3, 4e-3)
    least = {"float32": 4 * ROUNDING, "tf32x3": 8 * ROUNDING}.get(precision, 0.0)
    return Errors(2 * max(theirs.values, least), 2 * max(theirs.gradients, least))


def ragged(call: Call, *, reverse: bool = True) -> Call:
    """Sequences of different lengths."""
    time, batch = call.input.shape[:2]
    lengths = torch.tensor([max(1, time - row) for row in range(batch)])
    return call._replace(valid=torch.arange(time).unsqueeze(1) < lengths, reverse=reverse)
