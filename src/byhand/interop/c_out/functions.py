"""A program's functions of single numbers in C99. NAME stands for the file's own prefix, NUMBER for its number type."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from byhand.ir.program import ARITHMETIC, COMPARISONS, CONNECTIVES, MASKS, Line, Program, Value

# Compilers make vectors of these, but not of the C library's: exp and division are most of a small step. Errors below 2e-7.
REDUCED = """
/* exp(x) = 2^n exp(r) with |r| <= ln(2) / 2, for -87 <= x <= 88. n as a power of two, and exp(r) - 1. */
typedef struct { float power, rest; } NAME_exponential;
static inline NAME_exponential NAME_reduce(float x)
{
    const int n = (int)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    const int bits = (n + 127) * 8388608;
    const float r = (x - (float)n * 0.693359375f) + (float)n * 2.12194440e-4f;
    const float q = (((1.3926184e-3f * r + 8.3631791e-3f) * r + 4.1666547e-2f) * r + 0.16666577f) * r + 0.5f;
    NAME_exponential result;
    memcpy(&result.power, &bits, sizeof bits);
    result.rest = r + r * r * q;
    return result;
}
"""
SINGLE = {
    "sigmoid": """
static inline float NAME_sigmoid(float x)
{
    const float within = -x > -87.0f ? (-x < 88.0f ? -x : 88.0f) : -87.0f;
    const NAME_exponential e = NAME_reduce(within);
    const float y = 1.0f / (1.0f + (e.power + e.power * e.rest));
    return x == x ? y : x; /* NaN stays */
}
""",
    "tanh": """
static inline float NAME_tanh(float x)
{
    const float size = x < 0.0f ? -x : x;
    const float within = size < 43.0f ? -2.0f * size : -86.0f;
    const NAME_exponential e = NAME_reduce(within);
    const float minus = e.power * e.rest + (e.power - 1.0f); /* exp(-2|x|) - 1 */
    const float y = -minus / (2.0f + minus);
    return x == x ? (x < 0.0f ? -y : y) : x;
}
""",
}
DOUBLE = {
    "sigmoid": """
static inline double NAME_sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }
""",
}
BOTH = {
    "sign": """
static inline NUMBER NAME_sign(NUMBER x) { return x == x ? (NUMBER)((x > 0) - (x < 0)) : x; }
""",
    "maximum": """
static inline NUMBER NAME_maximum(NUMBER x, NUMBER y) { return x > y || x != x ? x : y; }
""",
    "minimum": """
static inline NUMBER NAME_minimum(NUMBER x, NUMBER y) { return x < y || x != x ? x : y; }
""",
}
LIBRARY = {"abs": "fabs", "round": "rint"} | {  # torch rounds halves to even, as rint does
    name: name
    for name in (
        *("exp", "expm1", "log", "log1p", "sqrt", "floor", "ceil", "pow", "atan2", "erf", "erfc", "sin", "cos", "tan", "asin"),
        *("acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp2", "log2"),
    )
}


def own(kind: str) -> dict[str, str]:
    """The functions that the file brings itself, in this number type: "float" or "double"."""
    return BOTH | (SINGLE if kind == "float" else DOUBLE)


def definitions(used: Iterable[str], kind: str) -> Iterator[str]:
    """What has to stand in front of programs that use these functions."""
    wanted = [text for name, text in own(kind).items() if name in used]
    if any("NAME_reduce" in text for text in wanted):
        yield REDUCED.strip()
    yield from (text.strip() for text in wanted)


def statements(program: Program, inputs: Mapping[str, str], results: Mapping[str, str], kind: str) -> Iterator[str]:
    """The program for one unit. inputs: how its inputs are read; results: what its results are written to."""
    reads = program.reads()
    names: dict[Value, str] = {name: f"v_{place}" for place, name in enumerate(inputs) if name in reads}
    yield from (f"const NUMBER {names[name]} = {text};" for name, text in inputs.items() if name in reads)
    for place, line in enumerate(program.lines):
        words = [names[one] if isinstance(one, str) else literal(one, kind) for one in line.arguments]
        names[line.name] = f"w_{place}"
        yield f"const {'int' if line.function in MASKS else 'NUMBER'} w_{place} = {expression(line, words, kind)};"
    for name, place in results.items():
        value = program.results[name]
        yield f"{place} = {names[value] if isinstance(value, str) else literal(value, kind)};"


def expression(line: Line, words: list[str], kind: str) -> str:
    """One line's value."""
    operator = (ARITHMETIC | COMPARISONS | CONNECTIVES).get(line.function)
    if operator and len(words) == 2:
        return f"{words[0]} {operator} {words[1]}"
    if line.function in ("neg", "not"):
        return f"{'-' if line.function == 'neg' else '!'}{words[0]}"
    if line.function == "where":
        return f"{words[0]} ? {words[1]} : {words[2]}"
    if line.function in own(kind):
        return f"NAME_{line.function}({', '.join(words)})"
    return f"{LIBRARY[line.function]}{'f' if kind == 'float' else ''}({', '.join(words)})"


def literal(value: float, kind: str) -> str:
    """A number that reads back as it is."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    text = f"{value:.9g}" if kind == "float" else f"{value:.17g}"
    text = text if any(mark in text for mark in ".e") else f"{text}.0"
    text += "f" if kind == "float" else ""
    return f"({text})" if text.startswith("-") else text
