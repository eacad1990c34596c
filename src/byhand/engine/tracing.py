"""From a cell's step to one program of all that it computes: new states, sites and derivative."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from byhand.engine.program import FUNCTIONS, Builder, Program, Value

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell


class UntraceableError(TypeError):
    """The step cannot be made into a program; the message says which operation is in the way, and where."""


def joint(cell: Cell) -> Program:
    """Step, sites and derivative in one program. Inputs x.GATE, u.GATE, s.STATE, p.NAME, d.STATE; results n.STATE, site.NAME and
    grad.INPUT.
    """
    sites = cell.sites  # which also lets a step that is made at its first call be made now, outside the tracing
    parts = {"x": cell.gates, "u": cell.gates if cell.sources else (), "s": cell.state, "p": cell.parameters}
    inputs = tuple(f"{kind}.{name}" for kind, names in parts.items() for name in names)
    sizes = [len(names) for names in parts.values()]

    def step(*values: Tensor) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        state, seen = cell.apply(*pieces(values, sizes))
        return tuple(state), dict(seen)

    def both(*values: Tensor) -> dict[str, Tensor]:
        state, back, seen = torch.func.vjp(step, *values[: len(inputs)], has_aux=True)
        found = dict(zip((f"n.{name}" for name in cell.state), state, strict=True))
        found |= {f"site.{name}": value for name, value in seen.items()}
        return found | dict(zip((f"grad.{name}" for name in inputs), back(values[len(inputs) :]), strict=True))

    names = (*inputs, *(f"d.{name}" for name in cell.state))
    try:
        graph = recorded(both, len(names))
    except Exception as problem:  # a step may do anything
        raise UntraceableError(
            f"the step of cell {cell.name!r} cannot be traced: {' '.join(str(problem).split())}"
        ) from problem
    program = read(cell, graph, names)
    assert {f"site.{name}" for name in sites} <= program.results.keys()
    return program


def pieces(values: tuple[Any, ...], sizes: list[int]) -> Iterator[tuple[Any, ...]]:
    """The values in parts of these sizes."""
    start = 0
    for size in sizes:
        yield values[start : start + size]
        start += size


def recorded(function: Callable[..., Any], count: int) -> fx.Graph:
    """What make_fx sees, down to functions of the core set."""
    from torch._decomp import core_aten_decompositions  # noqa: PLC0415 (both take a second to load, at the first cell compiled)
    from torch.fx.experimental.proxy_tensor import make_fx  # noqa: PLC0415

    traces = {"record_stack_traces": True} if "record_stack_traces" in inspect.signature(make_fx).parameters else {}
    generator = torch.Generator().manual_seed(0)
    some = [torch.rand(2, 3, generator=generator, dtype=torch.float64) for _ in range(count)]
    with torch.enable_grad():
        return make_fx(function, decomposition_table=core_aten_decompositions(), **traces)(*some).graph


def read(cell: Cell, graph: fx.Graph, names: tuple[str, ...]) -> Program:
    """The recorded functions as lines of a program."""
    builder, values = Builder(), dict[fx.Node, Value]()
    places = iter(names)
    results: dict[str, Value] = {}
    for node in graph.nodes:
        if node.op == "placeholder":
            values[node] = next(places)
        elif node.op == "output":
            results = {name: of(values, value) for name, value in node.args[0].items()}
        elif node.op == "call_function":
            values[node] = line_of(cell, builder, values, node)
        else:
            raise UntraceableError(
                f"the step of cell {cell.name!r} reads a tensor that is not among its arguments{where(node)}"
            )
    return Program(names, tuple(builder.lines.values()), {name: builder.number(value) for name, value in results.items()})


def of(values: dict[fx.Node, Value], argument: Any) -> Value:
    return values[argument] if isinstance(argument, fx.Node) else float(argument)


IDENTITIES = frozenset({"clone", "alias", "detach", "_to_copy", "lift_fresh_copy", "lift_fresh", "contiguous"})
SAME_SHAPE = frozenset({"view", "_unsafe_view", "reshape", "expand", "view_as", "expand_as"})
RESHAPED: dict[str, Callable[..., Value]] = {  # functions of the core set that are others in disguise
    "rsub": lambda make, a, b: make("sub", b, a),
    "reciprocal": lambda make, a: make("div", 1.0, a),
    "square": lambda make, a: make("mul", a, a),
    "rsqrt": lambda make, a: make("div", 1.0, make("sqrt", a)),
    "relu": lambda make, a: make("maximum", a, 0.0),
    "clamp_min": lambda make, a, low: make("maximum", a, low),
    "clamp_max": lambda make, a, high: make("minimum", a, high),
    "logical_and": lambda make, a, b: make("and", a, b),
    "bitwise_and": lambda make, a, b: make("and", a, b),
    "logical_or": lambda make, a, b: make("or", a, b),
    "bitwise_or": lambda make, a, b: make("or", a, b),
    "logical_not": lambda make, a: make("not", a),
    "bitwise_not": lambda make, a: make("not", a),
    "addcmul": lambda make, a, b, c: make("add", a, make("mul", b, c)),
}


def line_of(cell: Cell, builder: Builder, values: dict[fx.Node, Value], node: fx.Node) -> Value:
    """The value of one recorded call."""
    name = node.target.overloadpacket.__name__ if isinstance(node.target, torch._ops.OpOverload) else str(node.target)
    arguments, options = list(node.args), dict(node.kwargs)
    if name in ("full", "full_like", "scalar_tensor", "zeros_like", "ones_like"):
        return {"zeros_like": 0.0, "ones_like": 1.0}.get(name, of(values, arguments[0 if name == "scalar_tensor" else -1]))
    if name in IDENTITIES or (name in SAME_SHAPE and same_shape(node)):
        return of(values, arguments[0])
    if name == "copy_" and isinstance(arguments[0], fx.Node) and list(arguments[0].users)[-1] is node:
        return of(values, arguments[1])  # written over what nothing reads any more
    if (name in ("add", "sub", "rsub") and options.pop("alpha", 1) == 1) or (
        name == "addcmul" and options.pop("value", 1) == 1
    ):
        pass
    elif name == "clamp":
        low, high = (*arguments[1:], None, None)[:2]
        value = of(values, arguments[0])
        value = value if low is None else builder.make("maximum", value, of(values, low))
        return value if high is None else builder.make("minimum", value, of(values, high))
    elif name == "pow" and arguments[1] in (2, 3, 0.5, -1):
        value = of(values, arguments[0])
        if arguments[1] in (0.5, -1):
            return builder.make("sqrt", value) if arguments[1] == 0.5 else builder.make("div", 1.0, value)
        square = builder.make("mul", value, value)
        return square if arguments[1] == 2 else builder.make("mul", square, value)
    if (name not in FUNCTIONS and name not in RESHAPED) or options or not same_shape(node):
        raise UntraceableError(
            f"the step of cell {cell.name!r} uses {name}, which does not work unit by unit, or is not known{where(node)}"
        )
    given = [of(values, one) for one in arguments]
    return RESHAPED[name](builder.make, *given) if name in RESHAPED else builder.make(name, *given)


def same_shape(node: fx.Node) -> bool:
    """Whether the call's result has the shape of one unit's values, or is a scalar."""
    value = node.meta.get("val", node.meta.get("tensor_meta"))
    return value is None or tuple(value.shape) in ((2, 3), ())


def where(node: fx.Node) -> str:
    """The line of the cell from which the call came."""
    inside = str(Path(torch.__file__).parent)
    found = re.findall(r'File "(.+?)", line (\d+), in \S+\n\s*(.*)', node.stack_trace or "")
    mine = [(file, number, text) for file, number, text in found if not file.startswith(inside) and file != __file__]
    return f" ({Path(mine[-1][0]).name}, line {mine[-1][1]}: {mine[-1][2].strip()})" if mine else ""
