"""The lines of a checked program as ONNX operators, one a line; a few functions that ONNX lacks as several."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from byhand.interop.onnx_out.nodes import Nodes
from byhand.ir import Program
from byhand.ir.program import Value

ALIKE = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
    "lt": "Less",
    "le": "LessOrEqual",
    "eq": "Equal",
} | {
    name: name.capitalize()
    for name in (
        *("neg", "where", "and", "or", "not", "pow", "sigmoid", "tanh", "exp", "log", "sqrt", "abs", "sign", "floor", "ceil"),
        *("round", "erf", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"),
    )
}


def not_equal(n: Nodes, a: str, b: str) -> str:
    return n.op("Not", n.op("Equal", a, b))


def log1p(n: Nodes, x: str) -> str:
    """Kahan's form, which does not lose a small x: log(u)·x / (u − 1) with u = 1 + x as it is rounded."""
    one = n.number(1.0)
    u = n.op("Add", x, one)
    rounded = n.op("Sub", u, one)
    gone = n.op("Equal", rounded, n.number(0.0))
    quotient = n.op("Div", x, n.op("Where", gone, one, rounded))
    log = n.op("Log", u)
    large = n.op("Where", n.op("Equal", u, x), log, n.op("Mul", log, quotient))  # ∞ / ∞ would be NaN
    return n.op("Where", gone, x, large)


def expm1(n: Nodes, x: str) -> str:
    """Kahan's form for small x: (u − 1)·x / log(u) with u = exp(x) as it is rounded; u − 1 for others."""
    one = n.number(1.0)
    u = n.op("Exp", x)
    rounded = n.op("Sub", u, one)
    gone = n.op("Equal", rounded, n.number(0.0))
    small = n.op("Less", n.op("Abs", x), n.number(0.5))
    exact = n.op("Mul", rounded, n.op("Div", x, n.op("Log", n.op("Where", gone, n.number(math.e), u))))
    return n.op("Where", gone, x, n.op("Where", small, exact, rounded))


def atan2(n: Nodes, y: str, x: str) -> str:
    """The angle of (x, y); y is not taken for −0."""
    zero = n.number(0.0)
    half = n.op("Where", n.op("Less", y, zero), n.number(-math.pi), n.number(math.pi))
    left = n.op("Where", n.op("Less", x, zero), half, zero)
    origin = n.op("And", n.op("Equal", x, zero), n.op("Equal", y, zero))
    return n.op("Where", origin, zero, n.op("Add", n.op("Atan", n.op("Div", y, x)), left))


COMPOSED: Mapping[str, Callable[..., str]] = {
    "ne": not_equal,
    "log1p": log1p,
    "expm1": expm1,
    "atan2": atan2,
    "erfc": lambda n, x: n.op("Sub", n.number(1.0), n.op("Erf", x)),
    "exp2": lambda n, x: n.op("Pow", n.number(2.0), x),
    "log2": lambda n, x: n.op("Div", n.op("Log", x), n.number(math.log(2))),
}


def write_program(n: Nodes, program: Program, given: Mapping[str, str]) -> dict[str, str]:
    """The program's results, by name. given: its inputs -> their names in the graph."""
    values: dict[Value, str] = {**given}

    def name(value: Value) -> str:
        return values[value] if isinstance(value, str) else n.number(value)

    for line in program.lines:
        arguments = [name(one) for one in line.arguments]
        made = COMPOSED.get(line.function)
        values[line.name] = made(n, *arguments) if made else n.op(ALIKE[line.function], *arguments)
    return {result: name(value) for result, value in program.results.items()}
