"""Programs: what a cell's step and its derivative are made into for the fast engines."""

from textwrap import dedent

import pytest
import torch
from cases import CASES, normal
from pairs import ELEMENTWISE
from torch import Tensor

from byhand import cells
from byhand.cells import Cell
from byhand.errors import UntraceableError
from byhand.files import prebuilt
from byhand.ir import Partition, partition, program_of
from byhand.ir.program import Program
from byhand.ir.store import load_or_lower

elementwise = pytest.mark.parametrize("name", ELEMENTWISE)
Named = dict[str, Tensor]


def arguments(cell: Cell) -> dict[str, tuple[Tensor, ...]]:
    """Random x, u, s, p of a step, of which gradients can be asked."""
    parts = {"x": cell.gates, "u": cell.gates if cell.sources else (), "s": cell.state, "p": cell.parameters}
    found = {kind: tuple(normal(3, 5) for _ in names) for kind, names in parts.items()}
    if "n" in cell.state:
        found["s"] = tuple(
            value.abs() + 0.5 if name == "n" else value for name, value in zip(cell.state, found["s"], strict=True)
        )
    return {kind: tuple(value.requires_grad_() for value in values) for kind, values in found.items()}


def named(cell: Cell, parts: dict[str, tuple[Tensor, ...]]) -> Named:
    """x.GATE, u.GATE, s.STATE, p.NAME."""
    names = {"x": cell.gates, "u": cell.gates, "s": cell.state, "p": cell.parameters}
    return {f"{kind}.{name}": value for kind, values in parts.items() for name, value in zip(names[kind], values, strict=False)}


def slots(made: Partition, values: Named) -> Named:
    """What the matrix products would hand in, and the rest."""
    given = {name: value.detach() for name, value in values.items() if name[0] in "sp"}
    for slot in made.preactivations:
        kind, gate = slot.split(".")
        given[slot] = (values[f"x.{gate}"] + values[f"u.{gate}"] if kind == "a" else values[slot]).detach()
    return given


def assert_named(found: Named, wanted: Named) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}")


@elementwise
def test_they_compute_what_the_step_and_autograd_compute(name: str) -> None:
    cell = CASES[name][0]
    made, parts = partition(cell), arguments(cell)
    state, sites = cell.apply(*parts.values())
    values = named(cell, parts)
    given = slots(made, values)
    forward = made.forward.run(given)
    kept = {place: forward.pop(place) for place in list(forward) if place.startswith("k.")}
    assert_named(forward, {name: value.detach() for name, value in zip(cell.state, state, strict=True)})

    rest = {name: value for name, value in given.items() if name[0] in "sp"}
    assert_named(made.sites.run(rest | kept), {name: value.detach() for name, value in sites.items()})

    by = {f"d.{name}": normal(3, 5) for name in cell.state}
    total = torch.stack([(value * grad).sum() for value, grad in zip(state, by.values(), strict=True)]).sum()
    grads = dict(zip(values, torch.autograd.grad(total, list(values.values()), materialize_grads=True), strict=True))
    wanted = {slot: grads[slot.replace("a.", "x.", 1)] for slot in made.preactivations}
    wanted |= {name: grad for name, grad in grads.items() if name[0] in "sp"}
    assert_named(made.backward.run(rest | kept | by), wanted)


@elementwise
def test_nothing_is_computed_twice_and_nothing_in_vain(name: str) -> None:
    made = partition(CASES[name][0])
    for program in (made.forward, made.backward, made.sites):
        computed = [(line.function, line.arguments) for line in program.lines]
        assert len(set(computed)) == len(computed)
        used = {one for line in program.lines for one in line.arguments} | set(program.results.values())
        assert {line.name for line in program.lines} <= used


@elementwise
def test_lines_read_only_what_is_there(name: str) -> None:
    made = partition(CASES[name][0])
    for program in (made.forward, made.backward, made.sites):
        there: set[object] = set(program.inputs)
        for line in program.lines:
            assert {one for one in line.arguments if isinstance(one, str)} <= there
            there.add(line.name)
    assert not made.backward.reads() & set(made.preactivations)
    assert not made.sites.reads() & set(made.preactivations)


def text(program: Program) -> str:
    return f"\n{program}\n"


def test_the_lstm_as_text() -> None:
    made = partition(cells.lstm)
    assert text(made.forward) == dedent("""
        v1 = σ(a.i)
        v3 = σ(a.f)
        v5 = tanh(a.g)
        v7 = σ(a.o)
        v8 = s.c * v3
        v9 = v1 * v5
        v10 = v8 + v9
        v11 = tanh(v10)
        v12 = v11 * v7
        h = v12
        c = v10
        k.0 = v1
        k.1 = v3
        k.2 = v5
        k.3 = v7
    """)
    assert text(made.sites) == dedent("""
        v8 = s.c * k.1
        v9 = k.0 * k.2
        v10 = v8 + v9
        v11 = tanh(v10)
        v12 = v11 * k.3
        i = k.0
        f = k.1
        g = k.2
        o = k.3
        c = v10
        tanh_c = v11
        h = v12
    """)


def test_the_lstms_derivative_as_text() -> None:
    assert text(partition(cells.lstm).backward) == dedent("""
        v8 = s.c * k.1
        v9 = k.0 * k.2
        v10 = v8 + v9
        v11 = tanh(v10)
        v13 = d.h * k.3
        v14 = d.h * v11
        v15 = v11 * v11
        v16 = 1 - v15
        v17 = v13 * v16
        v18 = d.c + v17
        v19 = k.0 * v18
        v20 = v18 * k.2
        v21 = v18 * k.1
        v22 = s.c * v18
        v23 = 1 - k.3
        v24 = v23 * k.3
        v25 = v14 * v24
        v26 = k.2 * k.2
        v27 = 1 - v26
        v28 = v19 * v27
        v29 = 1 - k.1
        v30 = v29 * k.1
        v31 = v22 * v30
        v32 = 1 - k.0
        v33 = k.0 * v32
        v34 = v20 * v33
        a.i = v34
        a.f = v31
        a.g = v28
        a.o = v25
        s.h = 0.0
        s.c = v21
    """)


def test_products_that_are_only_read_as_their_sum_share_a_slot() -> None:
    gru, minimal, lstm = partition(cells.gru), partition(cells.min_lstm), partition(cells.lstm)
    assert lstm.preactivations == ("a.i", "a.f", "a.g", "a.o") and lstm.of_input == lstm.of_recurrent == (0, 1, 2, 3)
    assert gru.preactivations == ("a.r", "a.z", "x.n", "u.n") and gru.of_input == (0, 1, 2) and gru.of_recurrent == (0, 1, 3)
    assert minimal.preactivations == ("x.f", "x.i", "x.g") and minimal.of_input == (0, 1, 2) and minimal.of_recurrent == ()


def test_what_is_kept_for_the_derivative() -> None:
    """The gates themselves where that will do; the candidate's recurrent product as it was, for r's gradient reads it."""
    kept = {name: str(value) for name, value in partition(cells.gru).forward.results.items()}
    functions = {line.name: line.function for line in partition(cells.gru).forward.lines}
    assert [functions.get(kept[f"k.{place}"], kept[f"k.{place}"]) for place in range(4)] == [
        "sigmoid",
        "sigmoid",
        "tanh",
        "u.n",
    ]


@elementwise
def test_a_program_is_the_same_from_the_cache(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYHAND_CACHE", str(tmp_path))
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path / "prebuilt")
    cell = CASES[name][0]
    made = load_or_lower(cell)
    assert len(list(tmp_path.glob("*.json"))) == 1
    assert load_or_lower(cell) == made == program_of(cell)


def test_a_cell_that_is_not_elementwise_is_refused() -> None:
    with pytest.raises(UntraceableError, match="'layernorm_lstm' is not elementwise: a unit's values depend on other units"):
        partition(cells.layernorm_lstm)
