"""Cells by name, in both directions.

The printed name: "no_input_gate(peephole)" is no_input_gate(peephole). It is read as Python and never run: it may hold the values and
functions of byhand.cells, calls of the latter, and literals.

The full name: all that a compiled, traced or exported model knows of a cell. A cell of byhand.cells, or made of them, has its printed
name. Another has its name, the module of its step and a digest of its equations, so that a model never runs with a namesake:
"mine@my_cells@1f0c5a7e2b93d846".

>>> read("zoneout(lstm)").name
'zoneout(lstm, h=0.05, c=0.5)'
>>> print(find("zoneout(lstm)"), read("os.remove('notes.txt')"))
None None
"""

from __future__ import annotations

import ast
import hashlib
import weakref
from typing import TYPE_CHECKING, Any

from torch.fx.node import _get_qualified_name

from byhand import cells
from byhand.cells import Cell, graph
from byhand.cells.outside_modes import outside_modes
from byhand.cells.own_cells import find_own

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = {name: getattr(cells, name) for name in cells.__all__}
VALUES = {name: part for name, part in PARTS.items() if isinstance(part, Cell)}
FUNCTIONS = {name: part for name, part in PARTS.items() if name not in VALUES and not isinstance(part, type)}
_known: list[weakref.ref[Cell]] = []
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


def choose(name: str) -> Cell:
    """One of byhand.cells or made of them, as Python would write it, or module:name for one of your own. ValueError if there is none."""
    cell = read(name) or find_own(name)
    if cell is not None:
        return cell
    known, makers = ", ".join(VALUES), ", ".join(FUNCTIONS)
    raise ValueError(
        f"expected a cell out of {known}; or one made by {makers}, such as no_input_gate(lstm) or zoneout(lstm, h=0.05, c=0.2); or"
        f" module:name of your own; got {name!r}"
    )


def is_own(name: object) -> bool:
    """Whether it is module:name, of a cell of somebody's own, which has to be imported to be found."""
    return isinstance(name, str) and ":" in name and read(name) is None


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


def register(cell: Cell) -> None:
    """Let compiled models find the cell, as long as it is there."""
    if not any(other is cell for other in cells_named(cell.name)):
        _known[:] = [one for one in _known if one() is not None]
        _known.append(weakref.ref(cell))


def known() -> Iterator[Cell]:
    """The registered cells, the last first."""
    return (cell for one in reversed(_known) if (cell := one()) is not None)


def numbered(number: int) -> Cell:
    """The registered cell that is the object of this number, by which dynamo knows it: it takes no cell for a constant (torch 2.11)."""
    return next(cell for cell in known() if id(cell) == number)


def cells_named(name: str) -> Iterator[Cell]:
    """The registered cells of that name, the last first."""
    return (cell for cell in known() if cell.name == name)


def registered(name: str) -> Cell | None:
    """The cell that was registered last under this name."""
    return next(cells_named(name), None)


@outside_modes
def full_name(cell: Cell) -> str:
    """The name by which `named` finds exactly this cell. TypeError if its step cannot be read as a graph."""
    if find(cell.name) == cell:
        return cell.name
    return f"{cell.name}@{getattr(cell.step, '__module__', '')}@{digest(cell)}"


def digest(cell: Cell) -> str:
    """What a cell computes, in 16 hexadecimal digits."""
    nodes = [(node.name, node.op, target(node.target), node.args, node.kwargs) for node in graph.record(cell).nodes]
    made_from = (cell.gates, cell.state, cell.sources, cell.parameters, cell.truncated, nodes)
    return hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]


def target(called: object) -> str:
    return called if isinstance(called, str) else _get_qualified_name(called)  # type: ignore[arg-type]


def named(full: str) -> Cell:
    """The cell of that full name. LookupError if this process does not know it."""
    if "@" not in full and (ours := find(full)) is not None:
        return ours
    name, module, wanted = [*full.split("@"), "", ""][:3]
    for cell in cells_named(name):
        if full_name(cell).rpartition("@")[2] == wanted:
            return cell
    there = "other equations here" if registered(name) is not None else "no equations in this process"
    source = f"import {module}" if module not in ("", "__main__") else "run the code that defines it"
    raise LookupError(
        f"this model was compiled or exported with the cell {name!r}, which has {there}: {source} and make a byhand.LSTM with it first"
    )
