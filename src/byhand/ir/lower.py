"""From a cell's step to one program of all that it computes: new states, sites and derivative."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import fx
from torch.overrides import TorchFunctionMode

from byhand.errors import UntraceableError
from byhand.ir.program import FUNCTIONS, Builder, Program, Value

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell


def lower(cell: Cell) -> Program:
    """Step, sites and derivative in one program, unchecked: everyone else asks byhand.ir.program_of, which says what is in it."""
    sites = cell.sites  # which also lets a step that is made at its first call be made now, outside the tracing
    parts = {"x": cell.gates, "u": cell.gates if cell.sources else (), "s": cell.state, "p": cell.parameters}
    inputs = tuple(f"{kind}.{name}" for kind, names in parts.items() for name in names)
    sizes = [len(names) for names in parts.values()]

    def step(*values: Tensor) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        state, seen = cell.apply(*pieces(values, sizes))
        return tuple(state), dict(seen)

    def both(*values: Tensor) -> dict[str, Tensor]:
        state, back, seen = torch.func.vjp(step, *values[: len(inputs)], has_aux=True)  # type: ignore[misc]
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

    generator = torch.Generator().manual_seed(0)
    some = [torch.rand(2, 3, generator=generator, dtype=torch.float64) for _ in range(count)]
    with torch.enable_grad():
        table: Any = core_aten_decompositions()
        return make_fx(function, decomposition_table=table)(*some).graph


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
            raise UntraceableError(f"the step of cell {cell.name!r} reads a tensor that is not among its arguments")
    return Program(names, tuple(builder.lines.values()), {name: builder.number(value) for name, value in results.items()})


def of(values: dict[fx.Node, Value], argument: Any) -> Value:
    return values[argument] if isinstance(argument, fx.Node) else float(argument)


CONSTANTS: dict[str, Value | None] = {  # None: the value is an argument of the call
    **dict.fromkeys(("full", "full_like", "scalar_tensor")),
    "zeros_like": 0.0,
    "ones_like": 1.0,
    **dict.fromkeys(("empty", "empty_like", "empty_permuted", "empty_strided"), 0.0),  # written over before anything reads it
}
IDENTITIES = frozenset({"clone", "alias", "detach", "_to_copy", "lift_fresh_copy", "lift_fresh", "contiguous"})
SAME_SHAPE = frozenset({"view", "_unsafe_view", "reshape", "expand", "view_as", "expand_as"})
Make = Callable[..., Value]


def clamped(make: Make, a: Value, low: float | None = None, high: float | None = None) -> Value:
    a = a if low is None else make("maximum", a, low)
    return a if high is None else make("minimum", a, high)


def powered(make: Make, a: Value, b: Value) -> Value:
    if b in (2, 3):
        square = make("mul", a, a)
        return square if b == 2 else make("mul", square, a)
    if b in (0.5, -1):
        return make("sqrt", a) if b == 0.5 else make("div", 1.0, a)
    return make("pow", a, b)


def elu(make: Make, a: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Value:
    low = make("mul", make("expm1", make("mul", a, input_scale)), alpha)
    return make("mul", make("where", make("gt", a, 0.0), a, low), scale)


def gelu(make: Make, a: Value, approximate: str = "none") -> Value:
    inner = make("mul", a, math.sqrt(0.5))
    if approximate == "tanh":
        cube = make("mul", make("mul", a, a), a)
        inner = make("mul", make("add", a, make("mul", cube, 0.044715)), math.sqrt(2 / math.pi))
    bent = make("tanh" if approximate == "tanh" else "erf", inner)
    return make("mul", make("mul", a, 0.5), make("add", bent, 1.0))


RESHAPED: dict[str, Callable[..., Value]] = {  # functions that are others in disguise
    "add": lambda make, a, b, alpha=1.0: make("add", a, make("mul", b, alpha)),
    "sub": lambda make, a, b, alpha=1.0: make("sub", a, make("mul", b, alpha)),
    "rsub": lambda make, a, b, alpha=1.0: make("sub", b, make("mul", a, alpha)),
    "reciprocal": lambda make, a: make("div", 1.0, a),
    "square": lambda make, a: make("mul", a, a),
    "rsqrt": lambda make, a: make("div", 1.0, make("sqrt", a)),
    "relu": lambda make, a: make("maximum", a, 0.0),
    "hypot": lambda make, a, b: make("sqrt", make("add", make("mul", a, a), make("mul", b, b))),
    "isnan": lambda make, a: make("ne", a, a),
    "clamp": clamped,
    "clamp_min": clamped,
    "clamp_max": lambda make, a, high: make("minimum", a, high),
    "hardtanh": lambda make, a, low=-1.0, high=1.0: clamped(make, a, low, high),
    "leaky_relu": lambda make, a, slope=0.01: make("where", make("gt", a, 0.0), a, make("mul", a, slope)),
    "elu": elu,
    "gelu": gelu,
    "pow": powered,
    "logical_and": lambda make, a, b: make("and", a, b),
    "bitwise_and": lambda make, a, b: make("and", a, b),
    "logical_or": lambda make, a, b: make("or", a, b),
    "bitwise_or": lambda make, a, b: make("or", a, b),
    "logical_not": lambda make, a: make("not", a),
    "bitwise_not": lambda make, a: make("not", a),
    "addcmul": lambda make, a, b, c, value=1.0: make("add", a, make("mul", make("mul", b, c), value)),
}


def line_of(cell: Cell, builder: Builder, values: dict[fx.Node, Value], node: fx.Node) -> Value:
    """The value of one recorded call."""
    name = node.target.overloadpacket.__name__ if isinstance(node.target, torch._ops.OpOverload) else str(node.target)
    if name in CONSTANTS:
        constant = CONSTANTS[name]
        return of(values, node.args[0 if name == "scalar_tensor" else -1]) if constant is None else constant
    if name in IDENTITIES or (name in SAME_SHAPE and same_shape(node)):
        return of(values, node.args[0])
    first = node.args[0] if node.args else None
    if name.endswith("_") and isinstance(first, fx.Node) and first.op != "placeholder" and list(first.users)[-1] is node:
        name = name.removesuffix("_")  # written over what nothing reads any more
        if name == "copy":
            return of(values, node.args[1])  # type: ignore[index]
    if (name not in FUNCTIONS and name not in RESHAPED) or not same_shape(node):
        raise UntraceableError(
            f"the step of cell {cell.name!r} uses {name}, which does not work unit by unit, or is not known{where(cell, name)}"
        )
    given: list[Any] = [of(values, one) if isinstance(one, fx.Node | int | float) else one for one in node.args]
    if name in RESHAPED:
        options = {key: float(one) if isinstance(one, int | float) else one for key, one in node.kwargs.items()}
        return RESHAPED[name](builder.make, *given, **options)
    if node.kwargs:
        raise UntraceableError(
            f"the step of cell {cell.name!r} uses {name} with {dict(node.kwargs)}, which is not known{where(cell, name)}"
        )
    return builder.make(name, *given)


def same_shape(node: fx.Node) -> bool:
    """Whether the call's result has the shape of one unit's values, or is a scalar."""
    value = node.meta.get("val", node.meta.get("tensor_meta"))
    return value is None or tuple(value.shape) in ((2, 3), ())


class Finder(TorchFunctionMode):
    """Notes from which line a function of torch is called."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.found = name, ""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        called = getattr(function, "__name__", "").strip("_")
        if called and called in self.name and not self.found:
            inside = str(Path(torch.__file__).parent)
            frames = (line for line in reversed(traceback.extract_stack()) if line.filename not in (__file__, "<string>"))
            place = next((line for line in frames if not line.filename.startswith(inside)), None)
            self.found = f" ({Path(place.filename).name}, line {place.lineno}: {place.line})" if place else ""
        return function(*args, **(kwargs or {}))


def where(cell: Cell, name: str) -> str:
    """The line of the cell that calls the function of this name, in brackets; nothing if none is found."""
    parts = (cell.gates, cell.gates if cell.sources else (), cell.state, cell.parameters)
    with Finder(name) as finder, torch.no_grad():
        cell.apply(*(tuple(torch.rand(2, 3) for _ in names) for names in parts))
    return finder.found
