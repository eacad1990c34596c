"""Functions that a step may use, each with arguments for which it and its derivative are finite; and a cell that uses them all."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from byhand import Cell


def in_place(a: Tensor, b: Tensor) -> Tensor:
    h = a + b
    h *= 2
    return h.tanh_()


# Of two values between 0.1 and 0.9.
FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": lambda a, b: torch.add(a, b, alpha=2),
    "sub": lambda a, b: 1 - torch.sub(a, b, alpha=0.5),
    "mul": lambda a, b: 3 * a * b,
    "div": lambda a, b: a / b + 2 / a,
    "neg": lambda a, b: -a,
    "sigmoid": lambda a, b: torch.sigmoid(a - b),
    "tanh": lambda a, b: torch.tanh(a - b),
    "exp": lambda a, b: torch.exp(a - b),
    "expm1": lambda a, b: torch.expm1(a - b),
    "exp2": lambda a, b: torch.exp2(a - b),
    "log": lambda a, b: torch.log(a),
    "log2": lambda a, b: torch.log2(a),
    "log1p": lambda a, b: torch.log1p(a - b),
    "sqrt": lambda a, b: torch.sqrt(a) + torch.rsqrt(b),
    "square": lambda a, b: a.square() + a**2 + b**3 + b**4,
    "reciprocal": lambda a, b: a.reciprocal() + b**-1 + b**0.5 + b**-2,
    "pow": lambda a, b: a**1.7 + a**b + 2.0**a,
    "abs": lambda a, b: (a - b).abs(),
    "sign": lambda a, b: a * torch.sign(a - b),
    "sign alone": lambda a, b: torch.sign(a - b),
    "floor": lambda a, b: torch.floor(3 * a) + torch.ceil(3 * b) + torch.round(5 * a),
    "erf": lambda a, b: torch.erf(a - b) + torch.erfc(b - a),
    "sin": lambda a, b: torch.sin(a) * torch.cos(b) + torch.tan(a),
    "asin": lambda a, b: torch.asin(a) * torch.acos(b) + torch.atan(a - b),
    "sinh": lambda a, b: torch.sinh(a) * torch.cosh(b),
    "asinh": lambda a, b: torch.asinh(a) + torch.acosh(1 + b) + torch.atanh(a - b),
    "atan2": lambda a, b: torch.atan2(a, b - 0.5),
    "maximum": lambda a, b: torch.maximum(a, b) - torch.minimum(2 * a, b),
    "clamp": lambda a, b: a.clamp(0.3, 0.6) + b.clamp(min=0.4) + b.clamp(max=0.5),
    "clamp by values": lambda a, b: (a - b).clamp(-b, b),
    "where": lambda a, b: torch.where(a > b, a, 2 * b) + torch.where(a < 0.5, b, 1.0),
    "comparisons": lambda a, b: (
        torch.where((a > 0.3) & (b <= 0.6) | ~(a >= b), a, b) + torch.where((a == b) | (a != 0.5), a, b)
    ),
    "comparisons as numbers": lambda a, b: a * (a > b) + b * (a <= 0.4).to(a.dtype),
    "addcmul": lambda a, b: torch.addcmul(a, a, b, value=2) + torch.addcdiv(a, a, b, value=3),
    "lerp": lambda a, b: torch.lerp(a, b, 0.3) + torch.lerp(a, b, a),
    "logaddexp": torch.logaddexp,
    "masked_fill": lambda a, b: a.masked_fill(a > b, 0.5),
    "relu": lambda a, b: F.relu(a - b) + F.relu6(9 * a),
    "softplus": lambda a, b: F.softplus(a - b) + F.softplus(a, beta=2.0) + F.softplus(50 * b),
    "logsigmoid": lambda a, b: F.logsigmoid(a - b),
    "silu": lambda a, b: F.silu(a - b),
    "mish": lambda a, b: F.mish(a - b),
    "gelu": lambda a, b: F.gelu(a - b) + F.gelu(a - b, approximate="tanh"),
    "leaky_relu": lambda a, b: F.leaky_relu(a - b, 0.2),
    "elu": lambda a, b: F.elu(a - b, 0.7) + F.celu(a - b, 1.3) + F.selu(a - b),
    "hardtanh": lambda a, b: F.hardtanh(a - b, -0.2, 0.3),
    "hardswish": lambda a, b: F.hardswish(9 * (a - b)),
    "threshold": lambda a, b: F.threshold(a - b, 0.1, 20.0),
    "softsign": lambda a, b: F.softsign(a - b) + F.tanhshrink(a - b),
    "in place": in_place,
    "detached": lambda a, b: a.detach() * b,
}
PRECISE = ("tanh", "sigmoid", "exp", "expm1")  # those that are not the system's own


def of_one(name: str, function: Callable[[Tensor, Tensor], Tensor]) -> Cell:
    """A cell with h = function(a, b), where a is what comes from the input and b what comes from the memory."""

    def step(x: Any, u: Any, s: Any, p: Any) -> Any:
        h = function(x.a, u.a)
        return (h,), {"h": h}

    return Cell(name=name, gates=("a",), state=("h",), step=step)


def of_many(functions: dict[str, Callable[[Tensor, Tensor], Tensor]]) -> Cell:
    """Every function of two gates a site, and h the sum of all; nothing is remembered."""

    def step(x: Any, u: Any, s: Any, p: Any) -> Any:
        sites = {name.replace(" ", "_"): function(x.a, x.b) for name, function in functions.items()}
        h = sum(sites.values())
        return (h,), sites | {"h": h}

    return Cell(name="functions", gates=("a", "b"), state=("h",), step=step, recurrent=(), biases=0)


def precise(x: Any, u: Any, s: Any, p: Any) -> Any:
    sites = {name: getattr(torch, name)(x.a) for name in PRECISE}
    h = sum(sites.values())
    return (h,), sites | {"h": h}


EVERYTHING = of_many(FUNCTIONS)
ALONE = Cell(name="precise functions", gates=("a",), state=("h",), step=precise, recurrent=(), biases=0)
