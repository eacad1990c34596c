"""Edits by values on the C++ engine: the same numbers and gradients as the reference engine's, which calls Python at each step."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

import byhand
from byhand import LSTM, at, cells, edit, engines, explain, record, use_engine

TIME, BATCH, INPUT, HIDDEN = 7, 3, 2, 5
KINDS = {"lstm": cells.lstm, "gru": cells.gru, "lstm_1997": cells.lstm_1997, "zoneout": cells.zoneout(cells.lstm, h=0.3, c=0.6)}


def values(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def changes_of(cell: cells.Cell) -> dict[str, Any]:
    """One of every kind: a number, tensors of one to three dimensions, times, units, sequences, and several in order."""
    first, second, last = cell.sites[0], cell.sites[1], cell.state[0]
    return {
        f"l0.{first}": 0.25,
        f"l0.{second}": at(values(HIDDEN), time=slice(1, -1), unit=[0, -1]),
        f"l0.reverse.{first}": values(TIME, 1, HIDDEN),
        f"l0.{last}": [
            at(values(BATCH, 1), batch=torch.tensor([True, False, True])),
            at(-0.5, time=2),
            at(0.0, time=2, unit=1),
        ],
        f"l1.{last}": at(values(TIME, BATCH, HIDDEN), time=[0, TIME - 1]),
    }


def ran(engine: str, layer: LSTM, changes: Mapping[str, Any], x: Any) -> dict[str, Tensor]:
    """Outputs, states, sites and gradients by name; 0 for a gradient that there is none of."""
    layer.zero_grad()
    torch.manual_seed(2)
    with use_engine(engine), record(layer) as trace, edit(layer, changes):
        output, state = layer(x)
    output = output if isinstance(output, Tensor) else output.data
    states = state if isinstance(state, tuple) else (state,)
    loss = sum((one * values(*one.shape)).sum() for one in (output, *states))
    loss.backward()
    found = {"output": output.detach(), **{f"state {k}": one.detach() for k, one in enumerate(states)}}
    found |= {f"site {name}": trace[name] for name in trace}
    return found | {
        f"gradient {name}": torch.zeros_like(one) if one.grad is None else one.grad.clone()
        for name, one in layer.named_parameters()
    }


def assert_alike(layer: LSTM, changes: Mapping[str, Any], x: Any) -> None:
    expected, found = ran("reference", layer, changes, x), ran("cpp", layer, changes, x)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=1e-12, atol=1e-12, equal_nan=True, msg=lambda said, name=name: f"{name}: {said}"
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_values_sites_and_every_gradient_are_the_reference_engines(kind: str, training: bool) -> None:
    layer = LSTM(INPUT, HIDDEN, 2, bidirectional=True, cell=KINDS[kind], dtype=torch.float64).train(training)
    assert_alike(layer, changes_of(KINDS[kind]), values(TIME, BATCH, INPUT))


def test_sequences_of_several_lengths() -> None:
    layer = LSTM(INPUT, HIDDEN, 2, bidirectional=True, dtype=torch.float64)
    packed = pack_sequence([values(length, INPUT) for length in (3, TIME, 1)], enforce_sorted=False)
    assert_alike(layer, changes_of(cells.lstm), packed)


def test_a_projection_and_what_is_before_it() -> None:
    layer = LSTM(INPUT, HIDDEN, proj_size=2, dtype=torch.float64)
    assert_alike(layer, {"l0.m": at(0.5, unit=3), "l0.f": 1.0}, values(TIME, BATCH, INPUT))
    with (
        edit(layer, {"l0.h": 0.5}),
        use_engine("cpp"),
        pytest.raises(RuntimeError, match="edited by functions, or after a projection"),
    ):
        layer(values(TIME, BATCH, INPUT))
    with edit(layer, {"l0.h": 0.5}):
        assert (layer(values(TIME, BATCH, INPUT))[0] == 0.5).all()


def test_nested_blocks_one_after_the_other() -> None:
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.float64), values(TIME, BATCH, INPUT)
    found = []
    for engine in ("reference", "cpp"):
        with use_engine(engine), edit(layer, {"l0.c": 2.0, "l0.f": at(0.0, time=3)}), edit(layer, {"l0.c": at(1.0, unit=0)}):
            found.append(layer(x)[0])
    torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-12)


def test_a_held_value_may_be_anything() -> None:
    """Also what is not a number, an infinity and −0: a mask chooses, nothing is multiplied."""
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.float64), values(TIME, BATCH, INPUT)
    for value in (float("nan"), float("inf"), -0.0):
        with use_engine("cpp"), record(layer) as trace, edit(layer, {"l0.o": at(value, time=4, unit=2)}):
            layer(x)
        there = trace["l0.o"][4, :, 2]
        torch.testing.assert_close(there, torch.full_like(there, value), rtol=0, atol=0, equal_nan=True)
        assert trace["l0.o"][4, :, [0, 1, 3, 4]].isfinite().all() and trace["l0.o"][:4].isfinite().all()
        assert torch.equal(torch.signbit(there), torch.full_like(there, value == 0, dtype=torch.bool))


def test_what_is_held_nowhere_changes_no_bit() -> None:
    layer, x = LSTM(INPUT, HIDDEN), values(TIME, BATCH, INPUT).float()
    before = layer(x)[0]
    with edit(layer, {"l0.f": at(0.5, time=[])}):
        assert torch.equal(layer(x)[0], before)


def test_low_precision_holds_the_value_in_float32() -> None:
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.bfloat16), values(TIME, BATCH, INPUT).bfloat16()
    found = []
    for engine in ("reference", "cpp"):
        with use_engine(engine), edit(layer, {"l0.c": at(torch.tensor(1.00390625 / 3), time=2)}):
            found.append(layer(x)[0])
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=0)


def test_functions_and_values_with_gradients_run_on_the_reference_engine() -> None:
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.float64), values(TIME, BATCH, INPUT)
    held = torch.zeros(HIDDEN, dtype=torch.float64, requires_grad=True)
    for change in (lambda f: f / 2, held, [at(0.5, unit=1), lambda f: f], at(held, time=1)):
        with edit(layer, {"l0.f": change}), use_engine("cpp"), pytest.raises(RuntimeError, match="edited by functions"):
            layer(x)
    with edit(layer, {"l0.f": held}):
        assert dict(engines(layer, x)) is not None
        layer(x)[0].sum().backward()
    assert held.grad is not None and held.grad.abs().sum() > 0


def test_the_derivative_is_differentiable_itself() -> None:
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.float64), values(TIME, BATCH, INPUT).requires_grad_()
    found = []
    for engine in ("reference", "cpp"):
        with use_engine(engine), edit(layer, {"l0.f": at(0.5, unit=1), "l0.i": at(1.0, time=2)}):
            (first,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
            found.append(torch.autograd.grad(first.square().sum(), x)[0])
    torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-12)


def test_what_is_not_there_is_said_as_ever() -> None:
    layer, x = LSTM(INPUT, HIDDEN), torch.zeros(TIME, BATCH, INPUT)
    with (
        edit(layer, {"l0.f": at(0.0, unit=HIDDEN)}),
        pytest.raises(IndexError, match=r"edit of l0\.f expected unit within 0…4, got 5"),
    ):
        layer(x)
    with (
        edit(layer, {"l0.f": torch.zeros(4)}),
        pytest.raises(ValueError, match=r"broadcasts to \(time, batch, hidden\) = \(7, 3, 5\)"),
    ):
        layer(x)


def test_ablation_is_the_reference_engines() -> None:
    layer, x = LSTM(INPUT, HIDDEN, dtype=torch.float64), values(TIME, BATCH, INPUT)
    found = []
    for engine in ("reference", "cpp"):
        with use_engine(engine):
            found.append(explain.ablation(layer, x, lambda out: out[0].square().mean(), units="all"))
    assert len(found[0].rows) == len(found[1].rows) == 3 * 3 * (1 + HIDDEN) + 0
    for one, other in zip(*(each.rows for each in found), strict=True):
        assert one.name == other.name and other.change == pytest.approx(one.change, rel=1e-9, abs=1e-14)


def test_an_edit_leaves_nothing_behind() -> None:
    layer, x = LSTM(INPUT, HIDDEN), torch.randn(TIME, BATCH, INPUT)
    before = layer(x)[0]
    with byhand.edit(layer, {"l0.f": 0.0}):
        assert not torch.equal(layer(x)[0], before)
    assert torch.equal(layer(x)[0], before)
