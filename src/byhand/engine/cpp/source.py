"""The C++ text of a cell's kernel: its programs, printed into the template that all cells share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from byhand.engine.program import Program, cpp

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.engine.programs import Programs

TYPES = {torch.float32: "float", torch.float64: "double"}
TEMPLATE = Path(__file__).parent


@cache
def template(name: str) -> str:
    return (TEMPLATE / f"{name}.h").read_text(encoding="utf-8")


def source(cell: Cell, programs: Programs, dtype: torch.dtype) -> str:
    """One file, that includes nothing but the standard library."""
    before, after = ("vector", "team"), ("call", "products", "forward", "backward", "kernel")
    parts = [f"typedef {TYPES[dtype]} T;", *map(template, before), cell_struct(cell, programs), *map(template, after)]
    return "\n".join(parts)


def cell_struct(cell: Cell, programs: Programs) -> str:
    """The cell as C++: numbers, and its three programs over vectors."""
    states = [f"s.{name}" for name in cell.state]
    sources = [cell.state.index(name) for name in cell.sources]
    slots, kept = places("a", programs.slots), places("k", [f"k.{place}" for place in range(len(programs.slots))])
    before, parameters = places("s", states), places("p", [f"p.{name}" for name in cell.parameters])
    by_state = places("d", [f"d.{name}" for name in cell.state])
    lines = [
        "struct Cell {",
        f"static constexpr int gates = {len(cell.gates)}, slots = {len(programs.slots)}, states = {len(states)},",
        f"    parameters = {len(parameters)}, sources = {len(sources)}, sites_count = {len(cell.sites)};",
        f"static constexpr bool truncated = {str(cell.truncated).lower()};",
        table("int", "x_slot", programs.x_slots),
        table("int", "u_slot", programs.u_slots or (0,)),
        table("int", "source", sources or (0,)),
        *(
            table("bool", f"{name}_reads", [str(state in program.reads()).lower() for state in states])
            for name, program in (("forward", programs.forward), ("backward", programs.backward), ("sites", programs.sites))
        ),
        table("bool", "carries", [str(programs.backward.results[state] != 0.0).lower() for state in states]),
        *function(
            "forward",
            ("a", "s", "p"),
            ("n", "k"),
            programs.forward,
            slots | before | parameters,
            places("n", cell.state) | kept,
        ),
        *function(
            "backward",
            ("k", "s", "p", "d"),
            ("da", "ds", "dp"),
            programs.backward,
            kept | before | parameters | by_state,
            places("da", programs.slots) | places("ds", states) | places("dp", list(parameters)),
        ),
        *function("sites", ("k", "s", "p"), ("seen",), programs.sites, kept | before | parameters, places("seen", cell.sites)),
        "};",
    ]
    return "\n".join(lines)


def places(array: str, names: Sequence[str]) -> dict[str, str]:
    return {name: f"{array}[{place}]" for place, name in enumerate(names)}


def table(kind: str, name: str, values: Sequence[object]) -> str:
    return f"static constexpr {kind} {name}[] = {{{', '.join(map(str, values))}}};"


def function(
    name: str, inputs: Sequence[str], outputs: Sequence[str], program: Program, given: dict[str, str], made: dict[str, str]
) -> Iterator[str]:
    arguments = [f"const V* {one}" for one in inputs] + [f"V* {one}" for one in outputs]
    yield f"static INLINE void {name}({', '.join(arguments)}) {{"
    yield from (f"    {line}" for line in cpp(program, given, made))
    yield "}"
