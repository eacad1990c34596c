"""From the printed name of a cell back to the cell: "no_input_gate(peephole)" is no_input_gate(peephole).

A name is read as Python and never run: it may hold the values and functions of byhand.cells, calls of the latter, and literals.
"""

from __future__ import annotations

import ast
from typing import Any

from byhand import cells
from byhand.cells import Cell

PARTS = {name: getattr(cells, name) for name in cells.__all__}
VALUES = {name: part for name, part in PARTS.items() if isinstance(part, Cell)}
FUNCTIONS = {name: part for name, part in PARTS.items() if name not in VALUES and not isinstance(part, type)}
LONGEST = 1000  # no cell is named at such length, and Python's parser can be overwhelmed by deep nesting


def find(name: str) -> Cell | None:
    """The cell that byhand.cells makes under exactly this name; None if there is none."""
    cell = read(name)
    return cell if cell is not None and cell.name == name else None


def read(name: str) -> Cell | None:
    """The cell that is meant by what someone types, such as zoneout(lstm), which is printed with its rates; None if there is none."""
    if name in VALUES:
        return VALUES[name]
    if len(name) > LONGEST:
        return None
    try:
        cell = build(ast.parse(name, mode="eval").body)
    except (SyntaxError, TypeError, ValueError, RuntimeError):  # whatever parser and cells say to nonsense
        return None
    return cell if isinstance(cell, Cell) else None


def build(node: ast.expr) -> Any:
    """What an expression stands for. ValueError if it is anything but a known name, a call of one, or a literal."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in VALUES:
            return VALUES[name]
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            named = {str(keyword.arg): build(keyword.value) for keyword in node.keywords}
            return FUNCTIONS[name](*map(build, node.args), **named)
    raise ValueError(f"a cell's name expected names out of byhand.cells, their calls and literals, got a {type(node).__name__}")
