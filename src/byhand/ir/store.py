"""The door to a cell's program: read from what came with the package or from the cache, or traced, and in every case held against
the step before anyone gets it.

Tracing loads a second's worth of torch; reading what was traced before takes milliseconds.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.fx.node import _get_qualified_name

from byhand.cells import graph as graphs
from byhand.cells.outside_modes import outside_modes
from byhand.errors import CompilerError, UntraceableError
from byhand.files import prebuilt
from byhand.files.atomic import digest
from byhand.files.cache import cache_folder
from byhand.ir import lower
from byhand.ir import program as program_module
from byhand.ir.program import Line, Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from byhand.cells import Cell


@outside_modes
def program_of(cell: Cell) -> Program:
    """The program of an elementwise cell's step: inputs x.GATE, u.GATE, s.STATE, p.NAME, d.STATE; results n.STATE, site.NAME and
    grad.INPUT. It gives what the step itself gives, on random numbers.

    Raises:
        UntraceableError: the step uses what no program can hold, depends on other units, or does not do the same each time.
    """
    return load_or_lower(cell)


def load_or_lower(cell: Cell) -> Program:
    if cell.inner:
        products = ", ".join(cell.inner)
        raise UntraceableError(
            f"cell {cell.name!r} makes a recurrent product inside its step, of gate {products}: a unit's values depend on other units"
        )
    if not cell.elementwise:
        raise UntraceableError(f"cell {cell.name!r} is not elementwise: a unit's values depend on other units")
    made_from = recorded(cell)
    key = key_of((torch.__version__, *made_from))
    places = (lambda: prebuilt.read_json(prebuilt.FOLDER / shipped_name(made_from))), (lambda: read(key))
    for place in places:
        program = parsed(place())
        if program is not None and matches_step(cell, program):
            return program
    program = lower.lower(cell)
    if not matches_step(cell, program):
        raise UntraceableError(
            f"the step of cell {cell.name!r} does not do the same each time, or hides what it does; use tensor operations and x.detach()"
        )
    write(key, program)
    return program


def recorded(cell: Cell) -> tuple[Any, ...]:
    """What the program follows from, torch aside: the recorded step, and our own tracing. Raises UntraceableError."""
    try:
        graph = graphs.record(cell)
    except TypeError as problem:
        raise UntraceableError(str(problem)) from problem
    nodes = [
        (
            node.name,
            node.op,
            node.target if isinstance(node.target, str) else _get_qualified_name(node.target),
            node.args,
            node.kwargs,
        )
        for node in graph.nodes
    ]
    ours = [Path(module.__file__ or "").read_bytes() for module in (program_module, lower)]
    return ours, cell.gates, cell.state, cell.sources, cell.parameters, nodes


def key_of(made_from: tuple[Any, ...]) -> str:
    return digest(repr(made_from).encode())[:32]


def shipped_name(made_from: tuple[Any, ...]) -> str:
    """The file of a program that came with the package, in its folder. Another torch may trace another program, but one that is
    right is right under every torch, and it is the one that the prebuilt kernels were printed from.
    """
    return f"programs/{key_of(made_from)}.json"


def read(key: str) -> Any:
    """What was kept under this key, None if nothing can be read."""
    try:
        return json.loads((cache_folder() / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, CompilerError):
        return None


def parsed(found: Any) -> Program | None:
    """As a program, if it is one; whether it is right is for others to check."""
    try:
        lines = tuple(Line(name, function, tuple(arguments)) for name, function, arguments in found["lines"])
        return Program(tuple(found["inputs"]), lines, dict(found["results"]))
    except (ValueError, TypeError, KeyError):
        return None


def text_of(program: Program) -> str:
    """As it is kept."""
    return json.dumps({"inputs": program.inputs, "lines": program.lines, "results": dict(program.results)})


def write(key: str, program: Program) -> None:
    """Keep it, whole or not at all; a cache that cannot be written is no reason to fail."""
    try:
        folder = cache_folder()
        handle, name = tempfile.mkstemp(prefix=key, dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text_of(program))
        Path(name).replace(folder / f"{key}.json")
    except (OSError, CompilerError):
        return


def matches_step(cell: Cell, program: Program) -> bool:
    """Whether the program gives the values and gradients of the step itself, on random arguments of another shape than the tracing's."""
    generator = torch.Generator().manual_seed(0)

    def some(names: tuple[str, ...]) -> tuple[Tensor, ...]:
        return tuple(torch.randn(4, 5, generator=generator, dtype=torch.float64).requires_grad_() for _ in names)

    kinds = {"x": cell.gates, "u": cell.gates if cell.sources else (), "s": cell.state, "p": cell.parameters}
    parts = {kind: some(names) for kind, names in kinds.items()}
    given = {f"{kind}.{name}": value for kind, names in kinds.items() for name, value in zip(names, parts[kind], strict=True)}
    by = {f"d.{name}": value.detach() for name, value in zip(cell.state, some(cell.state), strict=True)}
    try:
        expected = by_hand(cell, parts, given, by)
        with torch.no_grad():
            made = program.run({name: value.detach() for name, value in given.items()} | by)
    except (RuntimeError, KeyError, TypeError, ValueError):
        return False
    return close(made, expected)


def close(made: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Whether a program gave what the step gives, (4, 5) each, as far as float64 goes."""
    return made.keys() == expected.keys() and all(
        torch.allclose(made[name], value.expand(4, 5), rtol=2e-8, atol=1e-12, equal_nan=True)
        for name, value in expected.items()
    )


def by_hand(
    cell: Cell, parts: Mapping[str, tuple[Any, ...]], given: dict[str, Tensor], by: dict[str, Tensor]
) -> dict[str, Tensor]:
    """What the step itself gives: new states, sites, and autograd's gradients of Σ state · by."""
    with torch.enable_grad():
        state, sites = cell.apply(*parts.values())
        loss = torch.stack([(value * grad).sum() for value, grad in zip(state, by.values(), strict=True)]).sum()
        inputs = list(given.values())
        grads = torch.autograd.grad(loss, inputs, allow_unused=True) if loss.requires_grad else [None] * len(inputs)
    expected = {f"n.{name}": value.detach() for name, value in zip(cell.state, state, strict=True)}
    expected |= {f"site.{name}": value.detach() for name, value in sites.items()}
    zeros = torch.zeros(4, 5, dtype=torch.float64)
    return expected | {f"grad.{name}": zeros if grad is None else grad for name, grad in zip(given, grads, strict=True)}
