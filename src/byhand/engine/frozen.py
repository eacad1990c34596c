"""Calls with frozen weights: how they are multiplied in low precision. This is the specification; the C++ engine is held against it.

float32: as they are. bfloat16: weights and what they are multiplied with are rounded to it. int8: each row of the weights and each row of
what they are multiplied with, that is one sequence's at one step, becomes integers from -127 to 127 and a scale, the row's largest
magnitude / 127; so the steps stay causal and the sequences apart. All sums, biases, vectors, projections, gates and states are float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import linear

from byhand.engine import dispatch, precision
from byhand.engine.call import Call, Result
from byhand.engine.reference import chosen, parameters, project, reader, recurrent_products

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from byhand.engine.protocol import Prepared

WEIGHTS = ("float32", "bfloat16", "int8")


def packed(call: Call, weights: str) -> Prepared | None:
    """The call with its weights packed for many calls, by the engine that would run it; None if it has nothing faster."""
    return dispatch.prepare(call, pack=True, frozen=None if weights == "float32" else weights)


def run(call: Call, weights: str) -> Result:
    """The call, for whatever no engine has packed. RuntimeError if another engine than the reference was asked for by name."""
    if weights == "float32":
        return dispatch.run(call)
    if dispatch.chosen() not in (None, "reference"):
        raise RuntimeError(
            f"engine {dispatch.chosen()!r} was asked for and cannot run a layer frozen in {weights} by name: leave the choice to byhand"
        )
    return precision.run(call, partial(step_by_step, weights))


def step_by_step(weights: str, call: Call) -> Result:
    """The call in low precision, as a loop over time."""
    cell, gates = call.cell, len(call.cell.gates)
    linear_of = partial(multiply, weights)
    x = linear_of(call.weights.input, call.weights.bias_input)(call.input).unbind(0)
    read, further = reader(cell), parameters(call)
    products = None if call.weights.recurrent is None else recurrent_products(call, linear_of)
    state, outputs = call.state, [x[0]] * len(x)
    for t in reversed(range(len(x))) if call.reverse else range(len(x)):
        u = () if products is None else products(read(state))
        new, _ = cell.apply(x[t].chunk(gates, -1), tuple(u), state, further(t))
        if call.weights.projection is not None:
            new, _ = project(call, t, new, {})
        outputs[t], state = new[0], new if call.valid is None else chosen(call.valid[t], new, state)
    output = torch.stack(outputs)
    return Result(output if call.valid is None else torch.where(call.valid.unsqueeze(-1), output, 0), state, None)


def multiply(weights: str, weight: Float[Tensor, "rows columns"], bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    """A function of (..., columns): the products with all rows, and the bias, (..., rows)."""
    if weights == "bfloat16":
        rounded = weight.bfloat16().to(weight.dtype)
        return lambda x: linear(x.bfloat16().to(x.dtype), rounded, bias)
    levels, scales = quantised(weight)

    def product(x: Tensor) -> Tensor:
        integers, scale = quantised(x)
        made = linear(integers.double(), levels.double()).to(x.dtype) * (scales.squeeze(-1) * scale)
        return made if bias is None else made + bias

    return product


def quantised(rows: Float[Tensor, "*rows columns"]) -> tuple[Tensor, Float[Tensor, "*rows 1"]]:
    """Integers from -127 to 127, and the scale of each row: 0 of a row of zeros, NaN of one that is not finite."""
    largest = rows.abs().amax(-1, keepdim=True)
    inverse = 127 / largest
    plain = inverse.isfinite() & (largest < torch.inf)
    return torch.round(torch.where(plain, rows * inverse, 0)), torch.where(plain, largest / 127, largest * 0)
