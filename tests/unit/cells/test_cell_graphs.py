"""Steps as graphs: edits at every site, fusion, and steps that cannot be rewritten."""

from collections.abc import Callable
from itertools import product
from typing import Any

import oracle
import pytest
import torch
from cases import CASES, FORWARD, NAMES, SHAPE, Shape, assert_sites, call, difference, example, expected, mine
from torch import Tensor

from byhand import cells
from byhand.cells import Cell, graph
from byhand.engine.call import Result
from byhand.nn.parameters import draw_noise


def edited_call(
    name: str, sites: set[str], edit: Callable[[str, int, Tensor], Tensor], shape: Shape = SHAPE
) -> tuple[Result, Callable[..., oracle.Answer], Result]:
    """A run with edits; the oracle for the same, still to be told what to replace; and the run without edits."""
    cell = CASES[name][0]
    lstm, x, states = example(cell, shape)
    drawn, first = draw_noise(cell, x, shape.hidden, training=True), tuple(value[0] for value in states)
    plain = call(lstm, FORWARD, x, first, noise=drawn)
    changed = call(lstm, FORWARD, x, first, noise=drawn, edited=frozenset(sites), edit=edit)
    return changed, lambda replace: expected(name, lstm, x, first, drawn=drawn, replace=replace), plain


CASE_SITES = [(name, site) for name, (cell, _) in CASES.items() for site in cell.sites]


@pytest.mark.parametrize(("name", "site"), [*CASE_SITES, *((name, "all") for name in NAMES)])
def test_an_edit_that_changes_nothing_changes_no_bit(name: str, site: str) -> None:
    cell, asked = CASES[name][0], []

    def edit(asked_site: str, time: int, value: Tensor) -> Tensor:
        asked.append((asked_site, time))
        return value

    sites = set(cell.sites) if site == "all" else {site}
    changed, _, plain = edited_call(name, sites, edit)
    assert sorted(asked) == sorted(product(sites, range(SHAPE.time)))
    assert changed.sites is not None and plain.sites is not None
    assert torch.equal(changed.output, plain.output)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(changed.state, plain.state, strict=True))
    assert list(changed.sites) == list(plain.sites)
    for label, values in changed.sites.items():
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(values, plain.sites[label], strict=True)), label


@pytest.mark.parametrize(("name", "site"), CASE_SITES)
def test_an_edit_changes_all_that_follows_as_the_equations_say(name: str, site: str) -> None:
    """At time 2 only; what came before stays as it was to the last bit."""

    def edit(_: str, time: int, value: Tensor) -> Tensor:
        return 0.5 * value + 0.25 if time == 2 else value

    def replace(value: oracle.Array, time: int) -> oracle.Array:
        return 0.5 * value + 0.25 if time == 2 else value

    changed, wanted, plain = edited_call(name, {site}, edit)
    assert_sites(changed, wanted({site: replace}))
    assert changed.sites is not None and plain.sites is not None
    assert difference(changed.sites[site][2], plain.sites[site][2]) > 1e-3
    for label, values in changed.sites.items():
        assert all(torch.equal(values[time], plain.sites[label][time]) for time in (0, 1)), label


def test_edits_at_several_sites_meet() -> None:
    rules: dict[str, Callable[[Any], Any]] = {"f": lambda f: 0 * f + 0.75, "g": lambda g: -g, "tanh_c": lambda v: 2 * v}
    changed, wanted, plain = edited_call("lstm", set(rules), lambda site, _, value: rules[site](value))
    assert_sites(changed, wanted({site: lambda value, _, rule=rule: rule(value) for site, rule in rules.items()}))
    assert difference(changed.output, plain.output) > 1e-3


def moody(x: Any, u: Any, s: Any, p: Any) -> Any:
    """Adds where the input is positive on the whole, else subtracts."""
    a = torch.tanh(x.a + u.a)
    h = s.h + a if x.a.sum() > 0 else s.h - a
    return (h,), {"a": a, "h": h}


def sizing(x: Any, u: Any, s: Any, p: Any) -> Any:
    """Asks for a size in Python."""
    a = torch.tanh(x.a + u.a) / len(x.a)
    return (s.h + a,), {"a": a, "h": s.h + a}


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_step_that_decides_by_values_runs(sign: float) -> None:
    cell = mine({"step": moody})
    lstm, x, (h,) = example(cell, Shape(1, 2, 3, 4))
    with torch.no_grad():
        lstm.get_parameter("bias_ih_l0").fill_(sign * 100)
        lstm.get_parameter("bias_hh_l0").fill_(-sign * 100)  # so that the decision is about the input's part alone
        net = x[0] @ lstm.get_parameter("weight_ih_l0").T + h[0] @ lstm.get_parameter("weight_hh_l0").T
    assert difference(lstm(x, h)[0][0], h[0] + sign * torch.tanh(net)) <= 1e-14


@pytest.mark.parametrize("step", [moody, sizing])
def test_a_step_that_cannot_be_recorded_runs_but_refuses_edits(step: Any) -> None:
    cell = mine({"step": step})
    lstm, x, (h,) = example(cell)
    result = call(lstm, FORWARD, x, (h[0],))
    assert result.sites is not None and list(result.sites) == ["a", "h"]
    with pytest.raises(TypeError, match=r"the step of cell 'mine' "):
        call(lstm, FORWARD, x, (h[0],), edited=frozenset({"a"}), edit=lambda *_: x)


def test_a_step_that_decides_by_values_is_told_what_to_write() -> None:
    with pytest.raises(
        TypeError, match=r"the step of cell 'mine' decides by .* write torch.where\(condition, a, b\) in place of if"
    ):
        graph.record(mine({"step": moody}))


def separate(x: Any, u: Any, s: Any, p: Any) -> Any:
    """Reads the two products apart at one gate of two."""
    a = torch.sigmoid(x.a + u.a)
    h = torch.tanh(x.b * u.b) * a + s.h
    return (h,), {"a": a, "h": h}


@pytest.mark.parametrize(
    ("cell", "fused"), [(cells.lstm, True), (cells.peephole, True), (cells.gru, False), (cells.min_lstm, False)]
)
def test_products_are_added_beforehand_only_where_every_gate_reads_their_sum(cell: Cell, fused: bool) -> None:
    assert graph.compiled(cell).fused is fused
    assert graph.compiled(cell, frozenset({cell.sites[0]})).fused is fused


def test_products_that_one_gate_reads_apart_are_kept_apart() -> None:
    cell = Cell("apart", ("a", "b"), ("h",), separate)
    assert not graph.compiled(cell).fused
    lstm, x, (h,) = example(cell, Shape(1, 2, 3, 4))
    from_x = x[0] @ lstm.get_parameter("weight_ih_l0").T + lstm.get_parameter("bias_ih_l0")
    from_h = h[0] @ lstm.get_parameter("weight_hh_l0").T + lstm.get_parameter("bias_hh_l0")
    (x_a, x_b), (u_a, u_b) = from_x.chunk(2, -1), from_h.chunk(2, -1)
    wanted = torch.tanh(x_b * u_b) * torch.sigmoid(x_a + u_a) + h[0]
    assert difference(lstm(x, h)[0][0], wanted.detach()) <= 1e-14
