"""The program of a step that makes recurrent products inside, `Cell(inner=...)`: two more functions, each of all units at once.

    product.n(v) = U_n·v + b′_n        transposed.n(v) = U_nᵀ·v

They are what a derivative needs: by v, of d·product.n(v), it is transposed.n(d). Such a program has no input u.n, and no grad.u.n. The
kernels, which go unit by unit, cannot run it; the page and `Program.run` can.

The program is that of the cell for a single unit, where u.n is a weight (byhand.cells.inner_product), with u.n ⊙ v replaced: by the product
where v comes from the step, by the transposed one where it comes from the derivative. Then it is held against the step, with matrices.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from byhand.cells.inner_product import OneUnit
from byhand.cells.outside_modes import outside_modes
from byhand.errors import UntraceableError
from byhand.ir.program import Line, Program
from byhand.ir.store import by_hand, close, program_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from byhand.cells import Cell


def one_unit(cell: Cell) -> Cell:
    """A cell with inner products as an elementwise one, whose programs have u.GATE ⊙ v where the cell has a product of v."""
    return replace(cell, step=OneUnit(cell.step, cell.inner), inner=(), elementwise=True)


@outside_modes
def program_with_products(cell: Cell) -> Program:
    """program_of(cell), also of a cell with inner products: its lines may be product.GATE and transposed.GATE of one value.

    Raises:
        UntraceableError: as program_of does; and where a product cannot be told from other uses of its weights.
    """
    if not cell.inner:
        return program_of(cell)
    program = with_products(program_of(one_unit(cell)), cell.inner)
    if not matches_step(cell, program):
        raise UntraceableError(f"the products inside the step of cell {cell.name!r} are not all of the form u.GATE(v)")
    return program


def with_products(program: Program, inner: tuple[str, ...]) -> Program:
    """The program of one unit with its products written as such."""
    weights = {f"u.{gate}": gate for gate in inner}
    backwards = {name for name in program.inputs if name.startswith("d.")}
    lines = []
    for line in program.lines:
        if backwards.intersection(line.arguments):
            backwards.add(line.name)
        gate = next((weights[one] for one in line.arguments if one in weights), None)
        if gate is not None and line.function == "mul":
            value = next((one for one in line.arguments if one != f"u.{gate}"), f"u.{gate}")
            kind = "transposed" if value in backwards else "product"
            lines.append(Line(line.name, f"{kind}.{gate}", (value,)))
        else:
            lines.append(line)
    results = {name: value for name, value in program.results.items() if name.removeprefix("grad.") not in weights}
    inputs = tuple(name for name in program.inputs if name not in weights)
    return Program(inputs, tuple(lines), {}).only(results)


def products_of(weights: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Callable[[Tensor], Tensor]]:
    """The functions of such a program: gate -> (its rows of weight_hh, its part of b_hh)."""
    forward = {f"product.{gate}": partial(torch.nn.functional.linear, weight=u, bias=b) for gate, (u, b) in weights.items()}
    return forward | {f"transposed.{gate}": partial(torch.nn.functional.linear, weight=u.T) for gate, (u, _) in weights.items()}


def matches_step(cell: Cell, program: Program) -> bool:
    """Whether the program gives the values and gradients of the step itself, with random matrices inside."""
    generator = torch.Generator().manual_seed(0)

    def some(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    weights = {gate: (some(5, 5), some(5)) for gate in cell.inner}
    functions = products_of(weights)
    kinds = {"x": cell.gates, "u": cell.gates, "s": cell.state, "p": cell.parameters}
    parts = {kind: tuple(some(4, 5).requires_grad_() for _ in names) for kind, names in kinds.items()}
    given = {
        f"{kind}.{name}": value
        for kind, names in kinds.items()
        for name, value in zip(names, parts[kind], strict=True)
        if kind != "u" or name not in cell.inner
    }
    recurrent = (functions.get(f"product.{gate}", value) for gate, value in zip(cell.gates, parts["u"], strict=True))
    by: dict[str, Tensor] = {f"d.{name}": some(4, 5) for name in cell.state}
    try:
        expected = by_hand(cell, parts | {"u": tuple(recurrent)}, given, by)
        with torch.no_grad():
            made = program.run({name: value.detach() for name, value in given.items()} | by, functions)
    except (RuntimeError, KeyError, TypeError, ValueError):
        return False
    return close(made, expected)
