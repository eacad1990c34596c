"""A program as lines of Triton, over one block of rows and units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from byhand.ir.program import ARITHMETIC, COMPARISONS, CONNECTIVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from byhand.ir.program import Line, Program, Value

FORMS = {  # where neither Triton nor libdevice has a function of that name which does as torch's does
    "neg": "-{0}",
    "not": "~{0}",
    "sign": "({0} > 0).to(ACC) - ({0} < 0).to(ACC)",
    "tanh": "tanh_of({0}, FAST)",
    "maximum": "tl.maximum({0}, {1}, propagate_nan=tl.PropagateNan.ALL)",
    "minimum": "tl.minimum({0}, {1}, propagate_nan=tl.PropagateNan.ALL)",
    "round": "libdevice.rint({0})",
}
NATIVE = frozenset(("sigmoid", "exp", "log", "sqrt", "abs", "floor", "ceil", "erf", "sin", "cos", "exp2", "log2", "where"))

HEAD = '''import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def tanh_of(x, FAST: tl.constexpr):
    """FAST: within 1e-7, less than what is lost where products are rounded to 11 bits or fewer."""
    if FAST:
        return 2.0 * tl.sigmoid(2.0 * x) - 1.0
    else:
        return libdevice.tanh(x)
'''


class Constants:
    """The numbers of programs, by name: blocks of one value, since Triton would round a bare number to float32 before it meets float64."""

    def __init__(self, programs: Iterable[Program]) -> None:
        found: list[float] = []
        for program in programs:
            values = [one for line in program.lines for one in line.arguments] + list(program.results.values())
            found += [float(one) for one in values if not isinstance(one, str)]
        self.texts = {text: f"number{place}" for place, text in enumerate(dict.fromkeys(map(literal, found)))}

    def name(self, value: float) -> str:
        """What a number is called."""
        return self.texts[literal(value)]

    def lines(self) -> Iterator[str]:
        """Their definitions."""
        return (f"{name} = tl.full((1, 1), {text}, ACC)" for text, name in self.texts.items())


def literal(value: float) -> str:
    """A number as Triton reads it."""
    value = float(value)
    return repr(value) if math.isfinite(value) else f'float("{value}")'


def statements(
    program: Program, inputs: Mapping[str, str], results: Mapping[str, str], constants: Constants, prefix: str
) -> Iterator[str]:
    """The program's lines. inputs, results: what their names are in the kernel; prefix: of what is made in between."""
    names: dict[Value, str] = {**inputs}

    def word(value: Value) -> str:
        return names[value] if isinstance(value, str) else constants.name(value)

    for index, line in enumerate(program.lines):
        yield f"{prefix}{index} = {expression(line, [word(one) for one in line.arguments])}"
        names[line.name] = f"{prefix}{index}"
    for name, place in results.items():
        yield f"{place} = {word(program.results[name])}"


def expression(line: Line, words: list[str]) -> str:
    """One line of a program."""
    operator = (ARITHMETIC | COMPARISONS | CONNECTIVES).get(line.function)
    if operator and len(words) == 2:
        return f"{words[0]} {operator} {words[1]}"
    if line.function in FORMS:
        return FORMS[line.function].format(*words)
    return f"{'tl' if line.function in NATIVE else 'libdevice'}.{line.function}({', '.join(words)})"
