"""Equations that byhand writes itself, out of a step's program: they say what the step computes."""

import dataclasses
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from byhand import LSTM, cells
from byhand.cells import Cell
from byhand.errors import UntraceableError
from byhand.explorer.document.document import document
from byhand.ir import cell_equations, stated_equations
from byhand.nn.engines import engines


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
    cells.clipped(cells.with_activations(cells.coupled_input(cells.peephole), gates="hard_sigmoid", output="elu(0.5)"), 0.7),
    cells.with_activations(cells.gru, gates="softplus", candidate="softsign"),
]
INNER = [
    dataclasses.replace(cells.gru_reset_before, name="made"),  # from no file that states its equations
    cells.clipped(cells.with_activations(cells.gru_reset_before, gates="hard_sigmoid"), 0.5),
    cells.zoneout(cells.gru_reset_before, h=0.2),
]
FUNCTIONS = {"σ": torch.sigmoid, "max": torch.maximum, "min": torch.minimum, "where": torch.where}


def computed(cell: Cell, lines: list[str], given: dict[str, Tensor], only: set[str] | None = None) -> dict[str, Tensor]:
    """What Python makes of the lines. given: x_GATE and u_GATE, which hold the biases, states, parameters."""
    names = FUNCTIONS | given | {name: getattr(torch, name) for name in ("tanh", "exp", "abs", "log1p", "log", "expm1")}
    names |= {"inf": torch.tensor(torch.inf, dtype=torch.float64)}
    for line in lines:
        text = re.sub(r" \+ b′?_\w+", "", line)
        text = re.sub(r"U_(\w+)·(?:\([^)]*\)|\w+)", r"u_\1", re.sub(r"W_(\w+)·x", r"x_\1", text))
        text = text.replace("′", "_new").replace("⊙", "*").replace("−", "-")
        left, right = text.split(" = ", 1)
        right = re.sub(r"(?<=[(, ])(-?)(\d[\d.]*)(?=[),])", r"full(\1\2)", right)
        names[left] = eval(right, names | {"full": lambda value: torch.full((40,), float(value), dtype=torch.float64)})
    if only is not None:
        return {name: names[name] for name in only}
    return {site: names[f"{site}_new" if site in cell.state else site] for site in cell.sites}


@pytest.mark.parametrize("cell", [*NAMED, *MADE, ODD, BARE], ids=repr)
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
    lines = cell_equations(cell)
    assert len(lines) == len(cell.sites)
    sums = {f"x_{name}": value for name, value in x.items()} | {f"u_{name}": value for name, value in u.items()}
    for site, value in computed(cell, lines, sums | states | parameters).items():
        torch.testing.assert_close(value, sites[site], msg=f"{site}: {lines}")


@pytest.mark.parametrize("cell", INNER, ids=repr)
def test_equations_of_a_cell_with_a_product_inside_its_step(cell: Cell) -> None:
    """With one weight a unit in place of the product's matrix."""
    generator = torch.Generator().manual_seed(1)
    kinds = {"x": cell.gates, "u": cell.gates, "s": cell.state, "p": cell.parameters}
    given = {
        kind: {name: torch.randn(40, generator=generator, dtype=torch.float64) for name in names}
        for kind, names in kinds.items()
    }
    sites = cell.apply(*(tuple(part.values()) for part in given.values()))[1]
    lines = [line.replace("U_n·(r ⊙ h)", "u_n * (r * h)") for line in cell_equations(cell)]
    assert sum("u_n * (r * h) + b′_n" in line for line in lines) == 1
    sums = {f"{kind}_{name}": value for kind in "xu" for name, value in given[kind].items()}
    for site, value in computed(cell, lines, sums | given["s"] | given["p"]).items():
        torch.testing.assert_close(value, sites[site], msg=f"{site}: {lines}")


def test_a_product_inside_a_step_of_anything() -> None:
    """Of a sum, of a state, of another product, of a number; with one bias or none."""

    def step(x: Any, u: Any, s: Any, p: Any) -> Any:
        h = torch.tanh(x.a + u.a(u.b(x.b - s.h)) * 2) + u.b(s.h) + u.b(torch.ones_like(s.h))
        return (h,), {"h": h}

    for biases, said in (
        (2, "h′ = U_b·1 + b′_b + tanh(W_a·x + b_a + 2 ⊙ (U_a·(U_b·(W_b·x + b_b − h) + b′_b) + b′_a)) + U_b·h + b′_b"),
        (1, "h′ = U_b·1 + tanh(W_a·x + b_a + 2 ⊙ U_a·(U_b·(W_b·x + b_b − h))) + U_b·h"),
    ):
        cell = Cell("any", ("a", "b"), ("h",), step, inner=("a", "b"), elementwise=False, biases=biases)  # type: ignore[arg-type]
        assert cell_equations(cell) == (said,)


@pytest.mark.parametrize("cell", [cells.lstm, cells.peephole])
def test_they_are_written_as_the_heads_of_the_files_are(cell: Cell) -> None:
    head = document(LSTM(1, 1, cell=cell), torch.ones(2, 1, 1))["cell"]["equations"]
    made = [line.replace("tanh_c", "tanh(c′)") for line in cell_equations(cell) if not line.startswith("tanh_c")]
    assert made == [line.split("   ")[0] for line in head]


def test_a_cell_made_from_another_has_equations_of_its_own() -> None:
    found = document(LSTM(1, 1, cell=cells.no_input_gate(cells.lstm)), torch.ones(2, 1, 1))["cell"]["equations"]
    assert found[:1] + found[3:] == ["f = σ(W_f·x + U_f·h + b_f)", "c′ = f ⊙ c + g", "tanh_c = tanh(c′)", "h′ = o ⊙ tanh_c"]
    assert cell_equations(BARE)[-2:] == ("k = W_a·x", "again = a")


def doubled(x, u, s, p):
    t = x.a + u.a
    for _ in range(60):
        t = t + t
    return (t,), {"a": x.a, "h": t}


def test_a_formula_that_nobody_would_read_is_not_written() -> None:
    """And ends: in full it would have 2⁶⁰ terms."""
    cell = Cell(name="doubled", gates=("a",), state=("h",), step=doubled)
    assert cell_equations(cell) == ()


def counted(x: Any, u: Any, s: Any, p: Any) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """It counts its own calls, and computes something else each time."""
    counted.calls += 1  # type: ignore[attr-defined]
    h = torch.tanh(x.a + u.a) * counted.calls  # type: ignore[attr-defined]
    return (h,), {"h": h}


counted.calls = 0  # type: ignore[attr-defined]
COUNTING = Cell("counting", ("a",), ("h",), counted)
REFUSAL = "the step of cell 'counting' does what its graph does not show"


def test_a_step_that_counts_its_own_calls_is_refused_by_engine_page_and_equations_alike() -> None:
    lstm, x = LSTM(1, 2, cell=COUNTING), torch.ones(2, 1, 1)
    assert REFUSAL in dict(engines(lstm, x))["cpp"]
    about = document(lstm, x)
    assert REFUSAL in about["why_not"] and about["cell"]["program"] is None and about["cell"]["equations"] == []
    with pytest.raises(UntraceableError, match=REFUSAL):
        COUNTING.equations()
    assert REFUSAL in str(COUNTING)


HEADED = [cell for cell in NAMED if stated_equations(cell) and cell.name not in ("min_lstm", "slstm")]


@pytest.mark.parametrize("cell", HEADED, ids=repr)
def test_the_equations_at_the_head_of_a_cells_file_are_those_of_its_step(cell: Cell) -> None:
    """Both are computed, on the same random numbers."""
    generator = torch.Generator().manual_seed(1)
    names = [f"x_{gate}" for gate in cell.gates] + [f"u_{gate}" for gate in cell.gates if cell.sources]
    names += [*cell.state, *cell.parameters]
    given = {name: torch.randn(40, generator=generator, dtype=torch.float64) for name in names}
    given |= {f"net_{gate}": given[f"x_{gate}"] + given.get(f"u_{gate}", 0) for gate in cell.gates}
    lines = [part for line in stated_equations(cell) for part in re.split(r",\s+(?=\w′? = )", re.split(r"\s{3,}", line)[0])]
    lines = [re.sub(r"(?<=\d)·(?=σ)", " * ", line) for line in lines]
    said = {line.split(" = ")[0].replace("′", "_new") for line in lines}
    derived = computed(cell, list(cell.equations()), given)
    found = computed(cell, lines, given, only=said)
    compared = {name: derived[name.removesuffix("_new")] for name in said if name.removesuffix("_new") in cell.sites}
    assert len(compared) >= len(cell.state)
    for name, value in compared.items():
        torch.testing.assert_close(found[name], value, msg=name)
