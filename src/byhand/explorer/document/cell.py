"""The part of the document that describes a cell: names, wiring, equations, and the program of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from byhand.cells import Cell
from byhand.errors import UntraceableError
from byhand.ir import cell_equations, program_with_products, stated_equations

KINDS = {"h": "short memory", "c": "long memory"}  # where a cell has no words of its own


def cell_document(cell: Cell, *, projected: bool) -> tuple[dict[str, Any], str | None]:
    """The cell, and why the page cannot compute it; None if it can. `sites` are the step's own names: under a projection the step's
    "h" goes by the name "m" in the maps, and "h" is the projected one.
    """
    program, equations, why_not = step_program(cell)
    labels = {name: word for name, word in KINDS.items() if name in (*cell.state, *cell.sites)}
    labels |= {"m": "output before the projection"} if projected else {}
    about = {
        "name": cell.name,
        "gates": list(cell.gates),
        "state": list(cell.state),
        "sites": list(cell.sites),
        "sources": list(cell.sources),
        "reads": {gate: list(reads(cell, gate)) for gate in cell.gates},
        "shared": dict(cell.shared),
        "ranges": ranges(cell),
        "labels": labels | dict(cell.labels),
        "equations": equations,
        "cite": cell.cite,
        "constants": {noise.name: noise.mean for noise in cell.noise},
        "truncated": cell.truncated,
        "program": program,
    }
    return about, why_not


def reads(cell: Cell, gate: str) -> tuple[str, ...]:
    """The states that a gate's recurrent product reads."""
    return tuple(cell.recurrent[gate]) if isinstance(cell.recurrent, Mapping) else cell.sources


def step_program(cell: Cell) -> tuple[dict[str, Any] | None, list[str], str | None]:
    """The program, the equations, and why there is no program."""
    if not cell.elementwise and not cell.inner:
        reason = f"the units of the cell {cell.name} depend on one another, so it does not compute them one by one"
        return None, equations_of(cell), reason
    try:
        program, equations = program_with_products(cell), stated_equations(cell) or cell_equations(cell)
    except UntraceableError as problem:
        return None, [], str(problem)
    made = [line.function for line in program.lines]
    again = [gate for gate in cell.inner if made.count(f"product.{gate}") > 1]
    if again:
        reason = f"a step of the cell {cell.name} makes more than one recurrent product of gate {again[0]}; the page shows one"
        return None, list(equations), reason
    lines = [[line.name, line.function, list(line.arguments)] for line in program.lines]
    return {"inputs": list(program.inputs), "lines": lines, "results": dict(program.results)}, list(equations), None


def equations_of(cell: Cell) -> list[str]:
    """Of a cell that is not elementwise: those of its file, or of its step where they can be read off it."""
    try:
        return list(cell_equations(cell))
    except UntraceableError:
        return []


def ranges(cell: Cell) -> dict[str, str]:
    """Site -> share (0…1), signed (−1…1) or free, as it turns out on random pre-activations and memories of up to about 100."""
    generator = torch.Generator().manual_seed(0)

    def some(names: tuple[str, ...]) -> tuple[Tensor, ...]:
        return tuple(30 * torch.randn(1, 2048, generator=generator, dtype=torch.float64) for _ in names)

    masks = {noise.name: torch.full((1, 2048), noise.mean, dtype=torch.float64) for noise in cell.noise}
    vectors = dict(zip(cell.vectors, some(tuple(cell.vectors)), strict=True))
    with torch.no_grad():
        x, u, s = some(cell.gates), some(cell.gates) if cell.sources else (), some(cell.state)
        found = cell.apply(x, u, s, tuple((vectors | masks)[name] for name in cell.parameters))[1]
    return {site: kind_of(value) for site, value in found.items()}


def kind_of(value: Tensor) -> str:
    low, high = value.min().item(), value.max().item()
    if low >= 0 and high <= 1:
        return "share"
    return "signed" if low >= -1 and high <= 1 else "free"  # no number is neither


def unknown_cell(name: str, state: list[str], sites: list[str]) -> dict[str, Any]:
    """A cell of which nothing but the names in a trace is known."""
    return {
        "name": name,
        "gates": [],
        "state": state,
        "sites": sites,
        "sources": [],
        "reads": {},
        "shared": {},
        "ranges": dict.fromkeys(sites, "free"),
        "labels": {site: KINDS[site] for site in sites if site in KINDS},
        "equations": [],
        "cite": "",
        "constants": {},
        "truncated": False,
        "program": None,
    }
