"""The C++ text of a cell's kernel: its programs, printed into the template that all cells share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from byhand.engine.cpp.arguments import struct
from byhand.ir.program import ARITHMETIC, COMPARISONS, CONNECTIVES, MASKS, Program, Value

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.ir.partition import Partition

TYPES = {torch.float32: "float", torch.float64: "double"}
NUMBERS = TYPES | {torch.bfloat16: "float"}  # in which sums and states are
INCLUDE = Path(__file__).parent / "include"


def source(cell: Cell, partition: Partition, dtype: torch.dtype, frozen: str | None = None) -> str:
    """One file, which includes nothing but the standard library: the headers, with what is printed for this cell and number type.
    frozen: "bfloat16" or "int8", in which weights are multiplied that were packed once.
    """
    if frozen is None:
        return "\n".join(inlined("kernel.h", printed(cell, partition, dtype), set()))
    headers = printed(cell, partition, dtype)
    headers["number.h"] += f"#define FROZEN_{frozen.upper()}\n"
    return "\n".join(inlined("frozen.h", headers, set()))


def inlined(name: str, printed: Mapping[str, str], seen: set[str]) -> Iterator[str]:
    """The lines of a header, each header that it includes in the place where it is first included."""
    seen.add(name)
    for line in (printed.get(name) or header(name)).splitlines():
        included = re.fullmatch(r'#include "(.*)"', line)
        if included is None:
            yield from [] if line == "#pragma once" else [line]
        elif included[1] not in seen:
            yield from inlined(included[1], printed, seen)


@cache
def header(name: str) -> str:
    return (INCLUDE / name).read_text(encoding="utf-8")


def printed(cell: Cell, partition: Partition, dtype: torch.dtype) -> dict[str, str]:
    """The headers that differ from kernel to kernel. Those in include/ are of cells.lstm in float32, for editors and readers."""
    about = {
        "number.h": ("The number type.", [], number(dtype)),
        "cell.h": ("A cell: its sizes, and its programs for LANES units at once.", ["vector.h"], cell_struct(cell, partition)),
        "arguments.h": (
            "What Python fills in: see arguments.py. Strides count values.",
            ["cell.h", "operands.h", "team.h"],
            struct(),
        ),
    }
    return {
        name: "\n".join([f"// {words}", "#pragma once", *(f'#include "{one}"' for one in includes), "", text, ""])
        for name, (words, includes, text) in about.items()
    }


def number(dtype: torch.dtype) -> str:
    """The type of sums and states; and, for a layer in bfloat16, that pairs of it are multiplied: see operands.h."""
    return f"typedef {NUMBERS[dtype]} T;" + ("\n#define BFLOAT16" if dtype == torch.bfloat16 else "")


def cell_struct(cell: Cell, partition: Partition) -> str:
    """The cell as C++: numbers, and its three programs over vectors."""
    states = [f"s.{name}" for name in cell.state]
    sources = [cell.state.index(name) for name in cell.sources]
    before_step = places("a", partition.preactivations)
    saved = places("k", [f"k.{place}" for place in range(len(partition.preactivations))])
    before, parameters = places("s", states), places("p", [f"p.{name}" for name in cell.parameters])
    by_state = places("d", [f"d.{name}" for name in cell.state])
    lines = [
        "struct Cell {",
        f"static constexpr int gates = {len(cell.gates)}, preactivations = {len(partition.preactivations)}, states = {len(states)},",
        f"    parameters = {len(parameters)}, sources = {len(sources)}, sites_count = {len(cell.sites)};",
        f"static constexpr bool truncated = {str(cell.truncated).lower()};",
        table("int", "x_preactivation", partition.of_input),
        table("int", "u_preactivation", partition.of_recurrent or (0,)),
        table("int", "source", sources or (0,)),
        *(
            table("bool", f"{name}_reads", [str(state in program.reads()).lower() for state in states])
            for name, program in (("forward", partition.forward), ("backward", partition.backward), ("sites", partition.sites))
        ),
        table("bool", "carries", [str(partition.backward.results[state] != 0.0).lower() for state in states]),
        *function(
            "forward",
            ("a", "s", "p"),
            ("n", "k"),
            partition.forward,
            before_step | before | parameters,
            places("n", cell.state) | saved,
        ),
        *function(
            "backward",
            ("k", "s", "p", "d"),
            ("da", "ds", "dp"),
            partition.backward,
            saved | before | parameters | by_state,
            places("da", partition.preactivations) | places("ds", states) | places("dp", list(parameters)),
        ),
        *function(
            "sites", ("k", "s", "p"), ("seen",), partition.sites, saved | before | parameters, places("seen", cell.sites)
        ),
        "};",
        "",
        "constexpr int GATES = Cell::gates, PREACTIVATIONS = Cell::preactivations, STATES = Cell::states, PARAMETERS = Cell::parameters,",
        "              SOURCES = Cell::sources;",
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
    yield from (f"    {line}" for line in statements(program, given, made))
    yield "}"


def statements(program: Program, inputs: Mapping[str, str], results: Mapping[str, str]) -> Iterator[str]:
    """The program as C++ over vectors V. inputs, results: what their names are there."""
    names: dict[Value, str] = {**inputs}

    def word(value: Value) -> str:
        return names[value] if isinstance(value, str) else f"V(T({literal(value)}) + V{{}})"

    for index, line in enumerate(program.lines):
        names[line.name] = f"v{index}"
        words = [word(one) for one in line.arguments]
        operator = (ARITHMETIC | COMPARISONS | CONNECTIVES).get(line.function)
        if operator and len(words) == 2:
            made = f"{words[0]} {operator} {words[1]}"
        elif line.function in ("neg", "not"):
            made = f"{'-' if line.function == 'neg' else '~'}{words[0]}"
        elif line.function == "where":
            made = f"{words[0]} ? {words[1]} : {words[2]}"
        else:
            made = f"{line.function}_({', '.join(words)})"
        yield f"const {'M' if line.function in MASKS else 'V'} v{index} = {made};"
    for name, place in results.items():
        yield f"{place} = {word(program.results[name])};"


def literal(value: float) -> str:
    if math.isnan(value):
        return "NAN"
    return f"{value!r}".replace("-inf", "-INFINITY").replace("inf", "INFINITY") if abs(value) == float("inf") else repr(value)
