"""A step and its derivative as straight lines: what the fast engines print into their kernels.

A program is a list of assignments, each one function of values before it, the same for every unit. `trace` gets the two from the
cell's own step, through make_fx over torch.func.vjp; nobody writes a derivative. Only functions that work unit by unit are let in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

Value = str | float  # the name of an input or of a value made before, or a constant

COMMUTATIVE = frozenset({"add", "mul", "maximum", "minimum", "and", "or", "eq", "ne"})
COMPARISONS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
CONNECTIVES = {"and": "&", "or": "|", "not": "~"}
MASKS = frozenset(COMPARISONS) | frozenset(CONNECTIVES)  # functions that give true or false
ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
FUNCTIONS: dict[str, Callable[..., Any]] = {  # all that a program can hold, as torch computes them
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "neg": torch.neg,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "where": torch.where,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "pow": torch.pow,
    "atan2": torch.atan2,
} | {
    name: getattr(torch, name)
    for name in (
        *COMPARISONS,
        *("sigmoid", "tanh", "exp", "expm1", "log", "log1p", "sqrt", "abs", "sign", "floor", "ceil", "round"),
        *(
            "erf",
            "erfc",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "sinh",
            "cosh",
            "asinh",
            "acosh",
            "atanh",
            "exp2",
            "log2",
        ),
    )
}


class Line(NamedTuple):
    """name = function(*arguments)."""

    name: str
    function: str
    arguments: tuple[Value, ...]


class Program(NamedTuple):
    """Named inputs, lines in order, named results. Results may be inputs or constants themselves."""

    inputs: tuple[str, ...]
    lines: tuple[Line, ...]
    results: Mapping[str, Value]

    def __str__(self) -> str:
        """As equations."""
        made = {line.name for line in self.lines}
        names = [name for name, value in self.results.items() if not (name == value and name in made)]
        return "\n".join([equation(line) for line in self.lines] + [f"{name} = {self.results[name]}" for name in names])

    def run(self, given: Mapping[str, Tensor], products: Mapping[str, Callable[..., Any]] | None = None) -> dict[str, Tensor]:
        """What torch makes of it; inputs and results by name. products: functions beside FUNCTIONS (byhand.ir.inner)."""
        values: dict[Value, Any] = {**given}
        functions = {**FUNCTIONS, **(products or {})}
        some = next(iter(given.values()))
        for line in self.lines:
            arguments = [values[one] if isinstance(one, str) else torch.full_like(some, one) for one in line.arguments]
            values[line.name] = functions[line.function](*arguments)
        return {name: values[one] if isinstance(one, str) else torch.full_like(some, one) for name, one in self.results.items()}

    def reads(self) -> frozenset[str]:
        """The inputs that something is made of."""
        used = {one for line in self.lines for one in line.arguments} | set(self.results.values())
        return frozenset(name for name in self.inputs if name in used)

    def only(self, results: Mapping[str, Value], given: Iterable[str] = ()) -> Program:
        """The part that makes these results, where the values `given` need not be made: they are further inputs."""
        inputs = (*given, *(name for name in self.inputs if name not in given))
        needed, lines = {one for one in results.values() if isinstance(one, str)}, []
        for line in reversed(self.lines):
            if line.name in needed and line.name not in inputs:
                needed.update(one for one in line.arguments if isinstance(one, str))
                lines.append(line)
        return Program(inputs, tuple(reversed(lines)), dict(results))

    def users(self, name: str) -> list[Line]:
        """The lines that read a value."""
        return [line for line in self.lines if name in line.arguments]


def equation(line: Line) -> str:
    """A line as people write it."""
    words = [one if isinstance(one, str) else f"{one:g}" for one in line.arguments]
    operator = (ARITHMETIC | COMPARISONS | CONNECTIVES).get(line.function)
    if operator and len(words) == 2:
        return f"{line.name} = {words[0]} {operator} {words[1]}"
    if line.function == "neg":
        return f"{line.name} = -{words[0]}"
    return f"{line.name} = {'σ' if line.function == 'sigmoid' else line.function}({', '.join(words)})"


class Builder:
    """Collects lines, and makes none twice."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, tuple[Value, ...]], Line] = {}
        self.masks: set[Value] = set()

    def make(self, function: str, *arguments: Value) -> Value:
        """The value of function(*arguments), computed here if all are constants."""
        if function in CONNECTIVES:
            arguments = tuple(one if one in self.masks else self.make("ne", one, 0.0) for one in arguments)
        else:
            arguments = tuple(self.number(one, keep=function == "where" and place == 0) for place, one in enumerate(arguments))
        if function == "where" and isinstance(arguments[0], float):
            return arguments[1] if arguments[0] else arguments[2]
        known = neutral(function, arguments)
        if known is not None:
            return known
        if function in COMMUTATIVE:
            arguments = tuple(sorted(arguments, key=lambda one: (isinstance(one, float), str(one))))
        if all(isinstance(one, float) for one in arguments):
            value = FUNCTIONS[function](*(torch.tensor(one, dtype=torch.float64) for one in arguments))
            return float(value)
        key = function, arguments
        if key not in self.lines:
            self.lines[key] = Line(f"v{len(self.lines)}", function, arguments)
            if function in MASKS:
                self.masks.add(self.lines[key].name)
        return self.lines[key].name

    def number(self, value: Value, *, keep: bool = False) -> Value:
        """A mask as 1 and 0, where arithmetic is done with it."""
        return self.make("where", value, 1.0, 0.0) if value in self.masks and not keep else value


def neutral(function: str, arguments: tuple[Value, ...]) -> Value | None:
    """What is known without computing: x + 0, x · 1, x − 0, x / 1."""
    if function in ("add", "sub") and arguments[1] == 0.0:
        return arguments[0]
    if function in ("mul", "div") and arguments[1] == 1.0:
        return arguments[0]
    if function in ("add", "mul") and arguments[0] == (0.0 if function == "add" else 1.0):
        return arguments[1]
    return None


def renamed(program: Program, names: Mapping[str, str]) -> Program:
    """The same with other names."""

    def new(value: Value) -> Value:
        return names.get(value, value) if isinstance(value, str) else value

    lines = (Line(str(new(line.name)), line.function, tuple(map(new, line.arguments))) for line in program.lines)
    results = {name: new(value) for name, value in program.results.items()}
    return Program(tuple(str(new(name)) for name in program.inputs), tuple(lines), results)
