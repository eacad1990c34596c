"""The equations of a cell as people write them, out of the program of its step: for cells whose file does not say them at its head."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence

from byhand.cells import Cell
from byhand.cells.outside_modes import outside_modes
from byhand.cells.rewrite import Rewritten
from byhand.ir.inner import one_unit
from byhand.ir.program import COMPARISONS, CONNECTIVES, Line, Program, Value
from byhand.ir.store import program_of

SIGNS = {"add": "+", "sub": "−", "mul": "⊙", "div": "/"} | COMPARISONS | CONNECTIVES
BINDING = {"mul": 3, "div": 3, "add": 2, "sub": 2} | dict.fromkeys((*COMPARISONS, *CONNECTIVES), 1)  # how closely
WHOLE = 4  # what needs no brackets anywhere
NAMES = {"sigmoid": "σ", "maximum": "max", "minimum": "min"}
LONGEST = 2000  # characters
Said = tuple[str, int]  # a formula, and how closely its last sign binds


class TooLongError(Exception):
    """A formula that nobody would read; of a cell that doubles a value again and again it would never end."""


@outside_modes
def cell_equations(cell: Cell) -> tuple[str, ...]:
    """The equation of every site, in the order in which a step computes them; a state after the step bears a ′.

    Of a cell that is not elementwise, the equations at the head of its file; of one with inner products and no such file, those of its
    step. Empty where one would be longer than LONGEST.

    Raises:
        UntraceableError: as program_of does, if the file says none either.
    """
    stated = () if cell.elementwise else stated_equations(cell)
    if stated:
        return stated
    program = program_of(one_unit(cell) if cell.inner else cell)
    try:
        return tuple(written(cell, program))
    except TooLongError:
        return ()


def stated_equations(cell: Cell) -> tuple[str, ...]:
    """The indented lines with an equals sign at the head of the cell's file; none of a cell that was made from another."""
    module = inspect.getmodule(cell.step)
    if (
        isinstance(cell.step, Rewritten)
        or module is None
        or not any(isinstance(one, Cell) and one == cell for one in vars(module).values())
    ):
        return ()
    lines = (inspect.getdoc(module) or "").splitlines()
    return tuple(line.strip() for line in lines if line.startswith("    ") and "=" in line)


def written(cell: Cell, program: Program) -> list[str]:
    """The equations; TooLongError."""
    sites: dict[Value, str] = {}
    again: list[str] = []
    for site in cell.sites:
        name, value = f"{site}′" if site in cell.state else site, program.results[f"site.{site}"]
        if isinstance(value, str) and value not in sites and value not in program.inputs:
            sites[value] = name
        else:
            again.append(f"{name} = {{{site}}}")
    writer = Writer(cell, {line.name: line for line in program.lines}, sites)
    found = [f"{sites[line.name]} = {writer.formula(line)[0]}" for line in program.lines if line.name in sites]
    return found + [
        text.format(**{site: writer.value(program.results[f"site.{site}"])[0] for site in cell.sites}) for text in again
    ]


LATEX_FUNCTIONS = {"tanh", "exp", "log", "max", "min", "sin", "cos"}
LATEX = {"σ": r"\sigma", "⊙": r"\odot", "·": r"\,", "−": "-", "′": "'", "≤": r"\le ", "≥": r"\ge "}


def latex(equations: Sequence[str]) -> str:
    """Equations as a LaTeX block, for notebooks."""
    return "\n".join(["$$\\begin{aligned}", *(f"{latex_line(one)} \\\\" for one in equations), "\\end{aligned}$$"])


def latex_line(equation: str) -> str:
    left, right = re.sub(r"\s+", " ", equation).split(" = ", 1)
    return f"{latex_text(left)} &= {latex_text(right)}"


def latex_text(formula: str) -> str:
    words = re.sub(r"[A-Za-z]\w*|\w+_\w+", lambda found: latex_name(found[0]), formula)
    return "".join(LATEX.get(sign, sign) for sign in words)


def latex_name(name: str) -> str:
    """A letter in italics, a longer word upright, a function of LaTeX's by its own name; what follows a _ below."""
    letter, _, index = name.partition("_")
    head = "\\" + letter if letter in LATEX_FUNCTIONS else upright(letter)
    return f"{head}_{{{upright(index)}}}" if index else head


def upright(name: str) -> str:
    return name if len(name) == 1 else rf"\mathrm{{{name}}}"


class Writer:
    """Formulas in terms of sites, states and the gates' sums. lines: by name. sites: value -> what it is called."""

    def __init__(self, cell: Cell, lines: Mapping[str, Line], sites: Mapping[Value, str]) -> None:
        self.cell, self.lines, self.sites = cell, lines, sites
        self.written: dict[str, Said] = {}  # each line once: a sum of sixty terms asks for its parts again at every level

    def value(self, value: Value) -> Said:
        if not isinstance(value, str):
            return f"{value:g}".replace("-", "−"), WHOLE if value >= 0 else 2
        if value in self.sites:
            return self.sites[value], WHOLE
        if value not in self.lines:
            return self.input(*value.split(".", 1))
        if value not in self.written:
            self.written[value] = self.formula(self.lines[value])
            if len(self.written[value][0]) > LONGEST:
                raise TooLongError
        return self.written[value]

    def input(self, kind: str, name: str) -> Said:
        """A state or parameter, or a gate's sum over the inputs (x), or over the states that it reads (u)."""
        if kind not in ("x", "u"):
            return name, WHOLE
        if kind == "u" and name in self.cell.inner:
            return self.inner_product(name, 1.0)  # whose factor is not written
        bias = (
            f" + b_{name}"
            if kind == "x" and self.cell.biases
            else f" + b′_{name}"
            if kind == "u" and self.cell.biases == 2
            else ""
        )
        return f"{self.product(kind, name)}{bias}", 2 if bias else 3

    def inner_product(self, gate: str, value: Value) -> Said:
        bias = f" + b′_{gate}" if self.cell.biases == 2 else ""
        return f"U_{gate}·{within(self.value(value), WHOLE)}{bias}", 2 if bias else 3

    def product(self, kind: str, gate: str) -> str:
        if kind == "x":
            return f"W_{gate}·x"
        read = self.cell.recurrent[gate] if isinstance(self.cell.recurrent, Mapping) else self.cell.recurrent
        states = read[0] if len(read) == 1 else f"({', '.join(read)})"
        return f"U_{gate}·{states}"

    def formula(self, line: Line) -> Said:
        arguments = line.arguments
        if (
            line.function == "add"
            and {str(one)[:2] for one in arguments} == {"x.", "u."}
            and len({str(one)[2:] for one in arguments}) == 1
        ):
            gate = str(arguments[0])[2:]
            bias = f" + b_{gate}" if self.cell.biases else ""  # of two their sum
            return f"{self.product('x', gate)} + {self.product('u', gate)}{bias}", 2
        gate = next((gate for gate in self.cell.inner if line.function == "mul" and f"u.{gate}" in arguments), None)
        if gate is not None:
            return self.inner_product(gate, next((one for one in arguments if one != f"u.{gate}"), f"u.{gate}"))
        if line.function in ("add", "mul"):
            arguments = tuple(sorted(arguments, key=lambda one: self.place(one, line.function)))
        said = [self.value(one) for one in arguments]
        binding = BINDING.get(line.function)
        if binding and len(said) == 2:
            loose = binding + (line.function not in ("add", "mul"))  # a − (b − c) keeps its brackets
            return f"{within(said[0], binding)} {SIGNS[line.function]} {within(said[1], loose)}", binding
        if line.function == "neg":
            return f"−{within(said[0], 3)}", 2
        return f"{NAMES.get(line.function, line.function)}({', '.join(text for text, _ in said)})", WHOLE

    def place(self, value: Value, function: str) -> tuple[int, int]:
        """Where it stands in a sum or product: what is kept of a state before what is new, a gate before what it lets through."""
        order = list(self.sites)
        if function == "mul":
            name = self.sites.get(value, "").removesuffix("′")
            bracketed = self.value(value)[1] < BINDING["mul"]
            if not isinstance(value, str):
                return -1, 0  # a number
            first = value[:2] == "p." or (value in self.lines and bracketed)
            kind = 0 if first else 1 if name in self.cell.gates else 2 if value in self.lines else 3
        else:
            text = self.value(value)[0]
            kind = 0 if text.startswith("W_") else 1 if any(word in self.cell.state for word in text.split()) else 2
        return kind, order.index(value) if value in self.sites else len(order)


def within(said: Said, binding: int) -> str:
    return said[0] if said[1] >= binding else f"({said[0]})"
