"""Programs with products inside the step: they compute what the step does, and their form is what the page expects."""

import pytest
import torch

from byhand import cells
from byhand.cells import Cell
from byhand.errors import UntraceableError
from byhand.explorer.document.cell import cell_document
from byhand.ir import program_of, program_with_products
from byhand.ir.inner import products_of

BEFORE = cells.gru_reset_before


def twice(x, u, s, p):
    h = torch.tanh(x.a + u.a(torch.sigmoid(u.a(s.h))))
    return (h,), {"h": h}


TWICE = Cell(name="twice", gates=("a",), state=("h",), step=twice, inner=("a",), elementwise=False)


@pytest.mark.parametrize(
    "cell",
    [
        BEFORE,
        TWICE,
        cells.zoneout(BEFORE, h=0.25),
        cells.clipped(BEFORE, 0.5),
        cells.with_activations(BEFORE, gates="hard_sigmoid", candidate="softsign"),
    ],
    ids=repr,
)
def test_values_and_gradients_are_those_of_the_step(cell: Cell) -> None:
    program = program_with_products(cell)
    assert not any(f"u.{gate}" in program.inputs or f"grad.u.{gate}" in program.results for gate in cell.inner)
    generator = torch.Generator().manual_seed(7)
    shape = (3, 6)
    weights = {
        gate: (
            torch.randn(6, 6, generator=generator, dtype=torch.float64),
            torch.randn(6, generator=generator, dtype=torch.float64),
        )
        for gate in cell.inner
    }
    functions = products_of(weights)
    given = {
        name: torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_(not name.startswith("d."))
        for name in program.inputs
    }
    made = program.run({name: value.detach() for name, value in given.items()}, functions)
    u = tuple(functions[f"product.{gate}"] if gate in cell.inner else given[f"u.{gate}"] for gate in cell.gates)
    x, s, p = (
        tuple(given[f"{kind}.{name}"] for name in names)
        for kind, names in (("x", cell.gates), ("s", cell.state), ("p", cell.parameters))
    )
    state, sites = cell.apply(x, u, s, p)
    for name, value in sites.items():
        torch.testing.assert_close(made[f"site.{name}"], value.detach(), rtol=1e-12, atol=1e-12)
    wanted = [name for name in given if not name.startswith("d.")]
    by = [given[f"d.{name}"] for name in cell.state]
    grads = torch.autograd.grad(list(state), [given[name] for name in wanted], by, allow_unused=True)
    for name, grad in zip(wanted, grads, strict=True):
        expected = torch.zeros(shape, dtype=torch.float64) if grad is None else grad
        torch.testing.assert_close(made[f"grad.{name}"], expected, rtol=1e-10, atol=1e-12)


def test_the_kernels_still_refuse_it() -> None:
    with pytest.raises(UntraceableError, match="makes a recurrent product inside its step, of gate n"):
        program_of(BEFORE)


def test_a_cell_without_such_products_has_its_own_program() -> None:
    assert program_with_products(cells.lstm) == program_of(cells.lstm)


def scaled(x, u, s, p):
    h = torch.tanh(x.a + u.a(s.h) * 0.5 + u.a.args[0].sum() * 0)
    return (h,), {"h": h}


def test_weights_that_are_read_otherwise_are_refused() -> None:
    with pytest.raises(UntraceableError):
        program_with_products(Cell(name="scaled", gates=("a",), state=("h",), step=scaled, inner=("a",), elementwise=False))


def test_the_page_shows_one_product_of_a_gate() -> None:
    assert cell_document(BEFORE, projected=False)[1] is None
    about, why_not = cell_document(TWICE, projected=False)
    assert about["program"] is None and why_not is not None and "more than one recurrent product of gate a" in why_not
