"""Cells as values: what they refuse, how they are compared, copied and pickled."""

import copy
import doctest
import importlib
import pickle
import pkgutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest
import torch
from cases import (
    CASES,
    NAMES,
    Shape,
    assert_same_run,
    difference,
    example,
    mine,
    outside,
    parts,
    small,
    step_inputs,
)

from byhand import LSTM, LSTMCell, cells
from byhand.cells import Cell, Noise


def described_modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(cells.__path__)]


@pytest.mark.parametrize("module", described_modules())
def test_worked_examples_in_the_documentation(module: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(f"byhand.cells.{module}"))
    assert failed == 0
    assert attempted > 0 or module in {"cell", "gate_sums", "graph", "own_cells", "rewrite", "outside_modes"}


def test_every_public_cell_has_a_case() -> None:
    tested = {cell for cell, _ in CASES.values()}
    assert tested >= {value for name in cells.__all__ if isinstance(value := getattr(cells, name), Cell)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gates": "ab"}, r"Cell 'mine' expected gates of distinct names .* got 'ab'"),
        ({"gates": ("a", "a")}, r"gates of distinct names"),
        ({"gates": ("a b",)}, r"gates of distinct names that Python accepts as variables, got \('a b',\)"),
        ({"gates": ("lambda",)}, r"gates of distinct names"),
        ({"gates": ("_a",)}, r"gates of distinct names"),
        ({"gates": ()}, r"at least one gate and one state, got gates=\(\)"),
        ({"state": ()}, r"at least one gate and one state, .* state=\(\)"),
        ({"state": ("h", "h")}, r"state of distinct names"),
        ({"vectors": ("p", "p")}, r"vectors and noise of distinct names"),
        ({"vectors": ("d",), "noise": (Noise("d", 0.5, scaled=True),)}, r"vectors and noise of distinct names"),
        ({"recurrent": ("c",)}, r"recurrent to name states out of \('h',\), got \['c'\]"),
        ({"recurrent": {"b": ("h",)}}, r"recurrent to say for each of \('a',\) what it reads, got \['b'\]"),
        ({"recurrent": {"a": ("h", "c")}}, r"recurrent to name states out of \('h',\), got \['c'\]"),
        ({"inner": "a"}, r"inner to name gates out of \('a',\), each once, got 'a'"),
        ({"inner": ("b",), "elementwise": False}, r"inner to name gates out of \('a',\), each once, got \('b',\)"),
        ({"inner": ("a", "a"), "elementwise": False}, r"inner to name gates out of \('a',\), each once, got \('a', 'a'\)"),
        ({"inner": ("a",)}, r"a cell with inner products to have elementwise=False"),
        ({"inner": ("a",), "elementwise": False, "truncated": True}, r"no truncated gradient, got inner=\('a',\)"),
        ({"inner": ("a",), "elementwise": False, "shared": {"a": 2}}, r"no shared units"),
        ({"inner": ("a",), "elementwise": False, "recurrent": ()}, r"one recurrent state for all gates"),
        ({"inner": ("a",), "elementwise": False, "recurrent": {"a": ("h",)}}, r"one recurrent state for all gates"),
        ({"step": None}, r"step to be a function step\(x, u, s, p\), got None"),
    ],
)
def test_a_cell_refuses_what_does_not_fit_together(change: dict[str, Any], message: str) -> None:
    mine({})
    with pytest.raises(ValueError, match=message):
        mine(change)


def added_step(x: Any, u: Any, s: Any, p: Any) -> Any:
    h = s.h + x.a + u.a
    return (h,), {"h": h}


REFUSED: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
    (
        lambda c: c.no_input_gate("lstm"),
        TypeError,
        r"^no_input_gate expected a cell, got 'lstm': write no_input_gate\(cells.lstm\)",
    ),
    (lambda c: c.full_gate_recurrence(c.zoneout), TypeError, r"^full_gate_recurrence expected a cell, got <function"),
    (lambda c: c.zoneout(c.zoneout), TypeError, r"^zoneout expected a cell, got <function zoneout"),
    (lambda c: c.recurrent_dropout(c.zoneout, 0.5), TypeError, r"^recurrent_dropout expected a cell, got <function"),
    (lambda c: c.no_forget_gate(c.gru), ValueError, r"expected a cell with a site 'f', got 'gru', which has r, z, n, h"),
    (lambda c: c.no_output_activation(c.lstm_1997), ValueError, r"expected a cell with a site 'tanh_c', got 'lstm_1997'"),
    (lambda c: c.no_input_gate(c.slstm), ValueError, r"'i' is not used as a factor"),
    (lambda c: c.no_forget_gate(c.cifg), ValueError, r"'f' is not used as a factor"),
    (lambda c: c.no_input_activation(c.min_lstm), ValueError, r"no_input_activation"),
    (lambda c: c.no_input_activation(c.recurrent_dropout(c.lstm, 0.5)), ValueError, r"no_input_activation"),
    (lambda c: c.full_gate_recurrence(c.min_lstm), ValueError, r"with gates i, f or o that read h, got 'min_lstm'"),
    (lambda c: c.full_gate_recurrence(c.gru), ValueError, r"with gates i, f or o that read h, got 'gru'"),
    (lambda c: c.zoneout(c.lstm, c=1.5), ValueError, r"expected a rate from 0 to 1 for c, got 1.5"),
    (lambda c: c.zoneout(c.lstm, h=-0.1), ValueError, r"expected a rate from 0 to 1 for h, got -0.1"),
    (lambda c: c.zoneout(c.zoneout(c.lstm)), ValueError, r"vectors and noise of distinct names"),
    (lambda c: c.recurrent_dropout(c.lstm, 1.0), ValueError, r"expected a rate from 0 to below 1, got 1.0"),
    (lambda c: c.recurrent_dropout(c.lstm, -0.5), ValueError, r"expected a rate from 0 to below 1, got -0.5"),
    (lambda c: c.recurrent_dropout(c.lstm, 0.5, every="day"), ValueError, r"every='step' or every='sequence', got 'day'"),
    (lambda c: c.recurrent_dropout(c.gru, 0.5), ValueError, r"expected a cell with a site 'g', got 'gru'"),
    (lambda c: c.clipped("lstm", 0.5), TypeError, r"^clipped expected a cell, got 'lstm': write clipped\(cells.lstm\)"),
    (lambda c: c.clipped(c.lstm, 0), ValueError, r"^clipped expected a positive limit, got 0: write clipped\(lstm, 0.5\)"),
    (lambda c: c.clipped(c.lstm, True), ValueError, r"^clipped expected a positive limit, got True"),
    (lambda c: c.clipped(c.lstm, float("nan")), ValueError, r"^clipped expected a positive limit, got nan"),
    (
        lambda c: c.clipped(c.layernorm_lstm, 1.0),
        ValueError,
        r"of 'layernorm_lstm': gate 'i' does not go into its step as one sum",
    ),
    (
        lambda c: c.clipped(mine({"step": added_step}), 1.0),
        ValueError,
        r"clipped cannot be made of 'mine': gate 'a' is added to a state, without an activation function between",
    ),
    (
        lambda c: c.coupled_input(c.gru),
        ValueError,
        r"^coupled_input expected a cell with a site 'i', got 'gru', which has r, z",
    ),
    (
        lambda c: c.coupled_input(c.cifg),
        ValueError,
        r"'cifg': its input gate is not computed from the gate i without the gate f",
    ),
    (lambda c: c.coupled_input(c.min_lstm), ValueError, r"'min_lstm': its input gate is not computed from the gate i without"),
    (lambda c: c.coupled_input(c.slstm), ValueError, r"'slstm': its input gate is not computed from the gate i without"),
    (lambda c: c.with_activations(3, gates="relu"), TypeError, r"^with_activations expected a cell, got 3"),
    (lambda c: c.with_activations(c.lstm), ValueError, r"got none: write with_activations\(cell, gates='hard_sigmoid'\)"),
    (lambda c: c.with_activations(c.lstm, gates=3), TypeError, r"^expected an activation's name, such as 'relu' or .* got 3"),
    (lambda c: c.with_activations(c.lstm, gates="selu"), ValueError, r"^expected an activation out of sigmoid, .* got 'selu'"),
    (
        lambda c: c.with_activations(c.lstm, gates="affine"),
        ValueError,
        r"two finite numbers, alpha and beta, got \(\): write 'affine",
    ),
    (
        lambda c: c.with_activations(c.lstm, gates="elu(True)"),
        ValueError,
        r"one finite number, alpha, got \(True,\): write 'elu",
    ),
    (lambda c: c.with_activations(c.lstm, gates="elu(1e999)"), ValueError, r"one finite number, alpha, got \(inf,\)"),
    (
        lambda c: c.with_activations(c.lstm, gates="relu()"),
        ValueError,
        r"^expected an activation's name with its numbers, such as",
    ),
    (
        lambda c: c.with_activations(c.lstm, gates="elu(1"),
        ValueError,
        r"^expected an activation's name with its numbers, such as",
    ),
    (lambda c: c.with_activations(c.lstm, gates="elu(abs(1))"), ValueError, r"^expected an activation's name with its numbers"),
    (lambda c: c.with_activations(c.gru, output="relu"), ValueError, r"expected a cell with a site 'tanh_c', got 'gru'"),
    (
        lambda c: c.with_activations(c.rnn, gates="relu"),
        ValueError,
        r"expected a cell with gates beside its candidate, got 'rnn'",
    ),
    (
        lambda c: c.with_activations(c.lstm_1997, output="relu"),
        ValueError,
        r"site 'squashed_c' .* is not one activation function",
    ),
    (
        lambda c: c.with_activations(c.lstm_1997, candidate="relu"),
        ValueError,
        r"gate 'g' does not go into one activation function",
    ),
    (
        lambda c: c.with_activations(c.layernorm_lstm, gates="relu"),
        ValueError,
        r"gate 'i' does not go into its step as one sum",
    ),
    (lambda c: c.no_input_gate(c.coupled_input(c.lstm)), ValueError, r"site 'i' is not used as a factor alone"),
    (lambda c: LSTM(3, 5, proj_size=2, cell=c.gru_reset_before), ValueError, r"proj_size expected"),
    (lambda c: c.lstm_1997_blocks(0), ValueError, r"expected a block size of at least 1 cell, got 0"),
    (lambda c: c.lstm_1997_blocks(1.5), ValueError, r"expected a block size of at least 1 cell, got 1.5"),
    (lambda c: LSTM(2, 5, cell=c.lstm_1997_blocks(2)), ValueError, r"shares 'i' among blocks of 2 .* that 2 divides, got 5"),
    (
        lambda c: LSTMCell(2, 5, cell=c.lstm_1997_blocks(2)),
        ValueError,
        r"shares 'i' among blocks of 2 .* that 2 divides, got 5",
    ),
    (
        lambda c: LSTM(2, 5, cell=c.gru.name),
        TypeError,
        r"cell should be a byhand.cells.Cell, got: str; write cell=byhand.cells.lstm",
    ),
]


@pytest.mark.parametrize(("function", "kind", "message"), REFUSED)
def test_wrong_arguments_are_refused_with_reasons(function: Callable[[Any], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        function(cells)


@pytest.mark.parametrize("module", [LSTM, LSTMCell])
@pytest.mark.parametrize(
    "made", [cells.zoneout, cells.recurrent_dropout, cells.no_input_gate, cells.full_gate_recurrence, cells.lstm_1997_blocks]
)
def test_a_function_in_place_of_a_cell_is_refused_with_advice_that_works(module: Any, made: Any) -> None:
    with pytest.raises(TypeError, match=f"got the function {made.__name__}: write cell=") as refusal:
        module(2, 3, cell=made)
    advice = str(refusal.value).split("write cell=")[1]
    assert isinstance(eval(advice, {"cells": cells}), Cell)


def test_an_input_activation_that_is_more_than_one_function_is_left_out_whole_or_refused() -> None:
    """In 1997 it is 4σ(net) − 2: what is left of it must be net."""
    with suppress(ValueError):
        assert cells.no_input_activation(cells.lstm_1997).worked({"i": 0.5, "o": -0.5, "g": 0.3})["g"] == 0.3


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_values(name: str) -> None:
    cell = CASES[name][0]
    back = pickle.loads(pickle.dumps(cell))
    assert back == cell and hash(back) == hash(cell) and repr(back) == repr(cell) == cell.name
    assert copy.deepcopy(cell) is cell and copy.deepcopy([cell])[0] is cell
    assert back.worked({"i": 0.5, "f": 0.4, "g": 0.3}, n=1.0) == cell.worked({"i": 0.5, "f": 0.4, "g": 0.3}, n=1.0)
    assert [other for other, (value, _) in CASES.items() if value == cell] == [name]


@pytest.mark.parametrize(
    ("make", "same"),
    [
        (lambda: cells.no_input_gate(cells.lstm), True),
        (lambda: cells.zoneout(cells.lstm, h=0.1, c=0.2), True),
        (lambda: cells.recurrent_dropout(cells.full_gate_recurrence(cells.lstm), 0.1), True),
        (lambda: cells.lstm_1997_blocks(2), True),
        (lambda: mine({"step": partial(outside)}), False),
    ],
)
def test_cells_made_alike_are_equal(make: Callable[[], Cell], same: bool) -> None:
    assert (make() == make()) is same
    assert len({make(), make()}) == (1 if same else 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_can_be_pickled_and_copied(name: str) -> None:
    lstm, x, states = small(name)
    for twin in (pickle.loads(pickle.dumps(lstm)), copy.deepcopy(lstm)):
        assert_same_run(twin, lstm, x, states)


def test_a_cell_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="cannot assign to field 'name'"):
        cells.lstm.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("cell", [cells.lstm, cells.slstm, cells.min_lstm], ids=repr)
def test_worked_numbers_are_those_of_a_step(cell: Cell) -> None:
    x, u, s, p = step_inputs(cell, units=1)
    state, sites = cell.apply(*(tuple(value[:1] for value in many) for many in (x, u, s, p)))
    given = {gate: value[0, 0].item() for gate, value in zip(cell.gates, x, strict=True)}
    others = {f"u_{gate}": value[0, 0].item() for gate, value in zip(cell.gates, u, strict=False)}
    others |= {name: value[0, 0].item() for name, value in zip(cell.state, s, strict=True)}
    found = cell.worked(given, **others)
    assert found == pytest.approx({name: value.item() for name, value in sites.items()}, abs=5.1e-5)
    assert [found[name] for name in cell.state] == pytest.approx([value.item() for value in state], abs=5.1e-5)


@pytest.mark.parametrize("kind", [dict, MappingProxyType])
def test_vectors_start_and_wires_are_cut_whatever_the_kind_of_mapping(kind: Any) -> None:
    def step(x: Any, u: Any, s: Any, p: Any) -> Any:
        h = torch.tanh(x.a + u.a) + p.p * (x.b + u.b)
        return (h,), {"h": h}

    cell = Cell("mapped", ("a", "b"), ("h",), step, recurrent=kind({"a": ("h",), "b": ()}), vectors=kind({"p": 7.0}))
    lstm = LSTM(2, 3, cell=cell)
    assert (lstm.get_parameter("p_l0") == 7.0).all()
    assert (parts(lstm, "weight_hh")["a"] != 0).all() and (parts(lstm, "weight_hh")["b"] == 0).all()


@pytest.mark.parametrize("recurrent", [("h", "a"), ("a", "h")], ids="".join)
def test_columns_of_the_recurrent_product_are_in_the_order_that_the_cell_says(recurrent: tuple[str, ...]) -> None:
    def step(x: Any, u: Any, s: Any, p: Any) -> Any:
        a = torch.sigmoid(x.a + u.a)
        h = a + s.h
        return (h, a), {"a": a, "h": h}

    cell = Cell("ordered", ("a",), ("h", "a"), step, recurrent=recurrent)
    assert cell.sources == recurrent
    lstm, x, (h, a) = example(cell, Shape(1, 2, 3, 4))
    column = dict(zip(recurrent, lstm.get_parameter("weight_hh_l0").chunk(2, -1), strict=True))
    net = x[0] @ lstm.get_parameter("weight_ih_l0").T + lstm.get_parameter("bias_ih_l0") + lstm.get_parameter("bias_hh_l0")
    net = net + h[0] @ column["h"].T + a[0] @ column["a"].T
    assert difference(lstm(x, (h, a))[1][1][0], torch.sigmoid(net).detach()) <= 1e-14
