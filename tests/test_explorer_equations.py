"""Equations that byhand writes itself, out of a step's program: they say what the step computes."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from byhand import LSTM, cells
from byhand.cells import Cell
from byhand.engine.tracing import joint
from byhand.explorer.cell_equations import cell_equations
from byhand.explorer.document import document


def odd_step(x: Any, u: Any, s: Any, p: Any) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Brackets, a condition, a sum that is a site itself, and one value under two names."""
    a = torch.where(x.a > 0.5, x.a, s.h - (x.a - s.h) / (s.h + 3) - 2 * -torch.exp(u.a))
    h = -torch.tanh(a * 2 - 1) / (1 + s.h * s.h)
    return (h,), {"a": a, "h": h, "k": x.a, "again": a}


ODD = Cell("odd", ("a",), ("h",), odd_step)
BARE = Cell("bare", ("a",), ("h",), odd_step, biases=0)
NAMED = [cell for name in cells.__all__ if isinstance(cell := getattr(cells, name), Cell) and cell.elementwise]
MADE = [
    cells.no_input_gate(cells.lstm),
    cells.no_output_activation(cells.peephole),
    cells.full_gate_recurrence(cells.lstm),
    cells.zoneout(cells.lstm, h=0.1, c=0.2),
    cells.recurrent_dropout(cells.lstm, 0.3),
]
FUNCTIONS = {"σ": torch.sigmoid, "max": torch.maximum, "min": torch.minimum, "where": torch.where}


def computed(cell: Cell, lines: list[str], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """What Python makes of the lines. given: x_GATE and u_GATE, which hold the biases, states, parameters."""
    names = FUNCTIONS | given | {name: getattr(torch, name) for name in ("tanh", "exp", "abs", "log1p", "log")}
    names |= {"inf": torch.tensor(torch.inf, dtype=torch.float64)}
    for line in lines:
        text = re.sub(r" \+ b′?_\w+", "", line)
        text = re.sub(r"U_(\w+)·(?:\([^)]*\)|\w+)", r"u_\1", re.sub(r"W_(\w+)·x", r"x_\1", text))
        text = text.replace("′", "_new").replace("⊙", "*").replace("−", "-")
        left, right = text.split(" = ", 1)
        right = re.sub(r"(?<=[(, ])(-?)(\d[\d.]*)(?=[),])", r"full(\1\2)", right)
        names[left] = eval(right, names | {"full": lambda value: torch.full((40,), float(value), dtype=torch.float64)})
    return {site: names[f"{site}_new" if site in cell.state else site] for site in cell.sites}


@pytest.mark.parametrize("cell", [*NAMED, *MADE, ODD, BARE], ids=str)
def test_equations_say_what_the_step_computes(cell: Cell) -> None:
    generator = torch.Generator().manual_seed(1)

    def some(names: tuple[str, ...]) -> dict[str, Tensor]:
        return {name: torch.randn(40, generator=generator, dtype=torch.float64) for name in names}

    x, u, states, parameters = (
        some(cell.gates),
        some(cell.gates if cell.sources else ()),
        some(cell.state),
        some(cell.parameters),
    )
    sites = cell.apply(*(tuple(part.values()) for part in (x, u, states, parameters)))[1]
    lines = cell_equations(cell, joint(cell))
    assert len(lines) == len(cell.sites)
    sums = {f"x_{name}": value for name, value in x.items()} | {f"u_{name}": value for name, value in u.items()}
    for site, value in computed(cell, lines, sums | states | parameters).items():
        torch.testing.assert_close(value, sites[site], msg=f"{site}: {lines}")


@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole])
def test_they_are_written_as_the_heads_of_the_files_are(cell: Cell) -> None:
    head = document(LSTM(1, 1, cell=cell), torch.ones(2, 1, 1))["cell"]["equations"]
    made = [line.replace("tanh_c", "tanh(c′)") for line in cell_equations(cell, joint(cell)) if not line.startswith("tanh_c")]
    assert made == [line.split("   ")[0] for line in head]


def test_a_cell_made_from_another_has_equations_of_its_own() -> None:
    found = document(LSTM(1, 1, cell=cells.no_input_gate(cells.lstm)), torch.ones(2, 1, 1))["cell"]["equations"]
    assert found[:1] + found[3:] == ["f = σ(W_f·x + U_f·h + b_f)", "c′ = f ⊙ c + g", "tanh_c = tanh(c′)", "h′ = o ⊙ tanh_c"]
    assert cell_equations(BARE, joint(BARE))[-2:] == ["k = W_a·x", "again = a"]


def doubled(x, u, s, p):
    t = x.a + u.a
    for _ in range(60):
        t = t + t
    return (t,), {"a": x.a, "h": t}


def test_a_formula_that_nobody_would_read_is_not_written() -> None:
    """And ends: in full it would have 2⁶⁰ terms."""
    cell = Cell(name="doubled", gates=("a",), state=("h",), step=doubled)
    assert cell_equations(cell, joint(cell)) == []
