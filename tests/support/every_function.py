"""One kernel with every function that a program can hold, printed as those of cells are."""

from __future__ import annotations

import math

from byhand.engine.triton.statements import HEAD, Constants, statements
from byhand.ir.program import FUNCTIONS, MASKS, Line, Program

NAN, INF = math.nan, math.inf
ARGUMENTS = (  # x, y, and z between 0 and 1: where they are equal, odd, large, and no numbers
    (0.3, -1.2, 2.5, 0.5, 1.5, -0.0, 1e-9, 3.0, -3.0, 20.0, NAN, INF, -INF, 0.25, 1.0, 7.0),
    (0.3, 2.0, -0.7, 0.5, NAN, 1.0, -1e-9, 0.0, 2.0, -3.0, 1.0, 1.0, 0.5, INF, 1.0, 3.0),
    (0.1, 0.9, 0.5, 0.2, 0.3, 0.7, 0.0, 0.8, 0.4, 0.6, NAN, 0.5, 0.5, 0.5, 1.0, 0.5),
)
TWO = frozenset(("add", "sub", "mul", "div", "maximum", "minimum", "pow", "atan2"))
WITHIN = frozenset(("asin", "acos", "atanh"))  # of arguments between 0 and 1
ABOVE = frozenset(("acosh",))


def every_function() -> tuple[str, Program]:
    """The kernel's text, functions(X, Y, Z, MADE, FAST, ACC), and the program in it, with one result a function."""
    lines = [Line("less", "lt", ("x", "y")), Line("same", "eq", ("x", "y")), Line("above", "add", ("z", 1.0))]
    lines += [Line("either", "or", ("less", "same")), Line("together", "and", ("either", "same")), Line("no", "not", ("less",))]
    results = {}
    for function in FUNCTIONS:
        name = f"r_{function}"
        if function in ("and", "or", "not"):
            mask = {"and": "together", "or": "either", "not": "no"}[function]
            lines.append(Line(name, "where", (mask, 0.1, "x")))
        elif function in MASKS:
            lines += [Line(f"m_{function}", function, ("x", "y")), Line(name, "where", (f"m_{function}", "y", 0.1))]
        elif function == "where":
            lines.append(Line(name, "where", ("less", 0.1, -INF)))
        elif function in TWO:
            lines.append(Line(name, function, ("x", "y")))
        else:
            lines.append(Line(name, function, ("z" if function in WITHIN else "above" if function in ABOVE else "x",)))
        results[function] = name
    results["maximum with a number"] = "r_more"
    lines.append(Line("r_more", "maximum", ("x", 0.1)))
    results["a number"] = 0.1
    program = Program(("x", "y", "z"), tuple(lines), results)
    constants, count = Constants([program]), len(ARGUMENTS[0])
    body = [f"at = tl.arange(0, {count})[None, :]", "x = tl.load(X + at)", "y = tl.load(Y + at)", "z = tl.load(Z + at)"]
    body += constants.lines()
    places = {name: f"made_{place}" for place, name in enumerate(results)}
    body += statements(program, {name: name for name in "xyz"}, places, constants, "v")
    body += [f"tl.store(MADE + {place * count} + at, {name})" for place, name in enumerate(places.values())]
    head = "@triton.jit\ndef functions(X, Y, Z, MADE, FAST: tl.constexpr, ACC: tl.constexpr):"
    return "\n".join([HEAD, "", head, *(f"    {line}" for line in body), ""]), program
