"""Odd inputs of byhand.explain: wrong arguments are refused with a reason, and what is rare but right stays right."""

import re
from collections.abc import Callable
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from byhand import LSTM, Trace, cells, explain, record

X = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(0))


def summed(output: tuple[Tensor, object]) -> Tensor:
    return output[0].sum()


def seen(layer: LSTM, x: Tensor = X) -> Trace:
    with record(layer) as trace:
        layer(x)
    return trace


TRACE, LAYER = seen(LSTM(3, 4)), LSTM(3, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: explain.ledger(TRACE).at(True), IndexError, "the ledger expected a time from 0 to 5, got True"),
        (lambda: explain.ledger(TRACE).at(torch.tensor(1)), IndexError, "expected a time from 0 to 5, got tensor(1)"),
        (lambda: explain.ledger(TRACE).at(0, 1.0), IndexError, "expected a sequence from 0 to 1, got 1.0"),
        (lambda: explain.ledger(TRACE, unit=4), IndexError, "ledger expected a unit from 0 to 3, got 4"),
        (lambda: explain.ledger(Trace({})), ValueError, "ledger got an empty trace: call the model inside `with byhand.record"),
        (lambda: explain.half_life(Trace({})), ValueError, "half_life got an empty trace"),
        (lambda: explain.saturation(Trace({})), ValueError, "saturation got an empty trace"),
        (lambda: explain.saturation(TRACE, shut="0.1"), TypeError, "saturation expected numbers, got shut='0.1', open=0.9"),
        (lambda: explain.gradient_paths(LAYER, X, 3), TypeError, "gradient_paths expected target to be a function, got 3"),
        (lambda: explain.gradient_paths(LAYER, X, summed, places="l0"), TypeError, "a list of places, got 'l0': write ['l0']"),
        (
            lambda: explain.gradient_paths(LAYER, X, lambda output: output[0]),
            ValueError,
            "to give one number, got shape (6, 2, 4)",
        ),
        (lambda: explain.gradient_paths(LAYER, X * nan, summed), ValueError, "target to give a finite number, got nan"),
        (lambda: explain.connectivity(LAYER, X, at=1.0), IndexError, "connectivity expected at from 0 to 5, got 1.0"),
        (lambda: explain.connectivity(LAYER, X, at=True), IndexError, "connectivity expected at from 0 to 5, got True"),
        (lambda: explain.connectivity(LAYER, X, at=0, unit="a"), IndexError, "connectivity expected unit from 0 to 3, got 'a'"),
        (
            lambda: explain.connectivity(LAYER, X[:, :0], at=0),
            IndexError,
            "connectivity expected item and there is none, got 0",
        ),
        (lambda: explain.connectivity(LAYER, X * nan, at=2), ValueError, "connectivity found l0.c at time 2 not finite"),
        (lambda: explain.ablation(LAYER, X, 3), TypeError, "ablation expected score to be a function, got 3"),
        (lambda: explain.ablation(LAYER, X, summed, sites=[3]), TypeError, "got [3]: write ['l0.f']"),
        (lambda: explain.ablation(LAYER, X, summed, units=3), TypeError, "as in units=[3], got 3"),
        (lambda: explain.ablation(LAYER, X, summed, units="some"), TypeError, "units='all' or a list of numbers"),
        (lambda: explain.ablation(LAYER, X, summed, units=[1.0]), IndexError, "units of l0.i from 0 to 3, got 1.0"),
        (lambda: explain.ablation(LAYER, X * nan, summed), ValueError, "the model's own score is nan"),
        (
            lambda: explain.diagnose(LAYER, None),
            TypeError,
            "expected an input, or a list or DataLoader of several, got a NoneType",
        ),
        (lambda: explain.diagnose(LAYER, X, 3), TypeError, "diagnose expected loss to be a function, got 3"),
        (lambda: explain.diagnose(LAYER, X, call=3), TypeError, "diagnose expected call to be a function, got 3"),
        (
            lambda: explain.diagnose(LAYER, X, lambda output, _: output[0]),
            ValueError,
            "loss to give one number, got shape (6, 2, 4)",
        ),
        (lambda: explain.diagnose(LAYER, X, lambda *_: 1.0), TypeError, "loss to give a tensor of one number, got a float"),
        (lambda: explain.diagnose(LAYER, X, lambda *_: torch.ones(())), ValueError, "to depend on the model's parameters"),
        (lambda: explain.diagnose(LAYER, [X], most=0), ValueError, "expected most to be at least 1, got 0"),
        (lambda: explain.diagnose(LAYER, [X], most="3"), ValueError, "expected most to be at least 1, got '3'"),
        (lambda: explain.diagnose(LAYER, [X, X[:, :0]]), ValueError, "nothing to look at in input 1: it is of shape (6, 0, 3)"),
    ],
)
def test_wrong_arguments(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_scores_of_numpy_and_scores_that_are_no_number() -> None:
    found = explain.ablation(LAYER, X, lambda output: np.float32(output[0].sum().item()), sites=["l0.f"])
    assert found.base == pytest.approx(LAYER(X)[0].sum().item(), rel=1e-6)
    found = explain.ablation(LSTM(3, 4, cell=cells.slstm), X, summed)  # with its input gate shut, an sLSTM divides 0 by 0
    broken = [isnan(row.change) for row in found.ranked()]
    assert any(broken)
    assert broken == sorted(broken, reverse=True)
    sizes = [abs(row.change) for row in found.ranked() if not isnan(row.change)]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_ledger_of_zoneout_in_training_adds_up_in_any_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = LSTM(3, 8, cell=cells.zoneout(cells.lstm), dtype=dtype).train()
    trace = seen(layer, torch.randn(12, 4, 3).to(dtype))
    for unit in range(8):
        book = explain.ledger(trace, unit=unit)
        total = book.values.sum(1) + book.initial
        assert (total - book.memory).abs().max() <= 4 * torch.finfo(dtype).eps * book.memory.abs().max()


def test_the_ledger_of_zoneout_over_calls_in_both_modes() -> None:
    layer = LSTM(3, 4, cell=cells.zoneout(cells.lstm), dtype=torch.float64)
    with record(layer) as trace:
        _, state = layer.eval()(X.double())
        layer.train()(X.double(), state)
    book = explain.ledger(trace.joined())
    assert torch.allclose(book.values.sum(1) + book.initial, book.memory, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("options", [{}, {"num_layers": 3, "bidirectional": True}, {"proj_size": 1}, {"batch_first": True}])
def test_one_unit_and_one_step(steps: int, options: dict) -> None:
    torch.manual_seed(1)
    layer = LSTM(3, 2 if "proj_size" in options else 1, dtype=torch.float64, **options)
    x = torch.randn(steps, 2, 3, dtype=torch.float64)
    x = x.transpose(0, 1) if "batch_first" in options else x
    trace = seen(layer, x)
    book = explain.ledger(trace)
    assert torch.allclose(book.values.sum(1) + book.initial, book.memory, rtol=0, atol=1e-12)
    assert all(bool(life.isnan().all()) == (steps == 1) for life in explain.half_life(trace).values())
    top = trace.places[-1]
    for paths in explain.gradient_paths(layer, x, summed).values():
        assert torch.allclose(paths.along + paths.gates, paths.total, rtol=0, atol=1e-12)
    with record(layer, detach=False) as live:
        layer(wanted := x.clone().requires_grad_())
    state = live[f"{top}.c"][0, 1]
    squares = [torch.autograd.grad(one, wanted, retain_graph=True)[0].square() for one in state]
    by_hand = torch.stack(squares).sum(0).sqrt()
    by_hand = by_hand[1] if "batch_first" in options else by_hand[:, 1]
    assert torch.allclose(explain.connectivity(layer, x, at=0, site=f"{top}.c", item=1).values, by_hand, rtol=0, atol=1e-12)


def test_a_trace_from_a_file_means_the_same(tmp_path: Path) -> None:
    trace = seen(LSTM(3, 4, 2, bidirectional=True))
    trace.save(tmp_path / "seen.safetensors")
    again = Trace.load(tmp_path / "seen.safetensors")
    assert torch.equal(explain.ledger(again, "l1.reverse", 2).values, explain.ledger(trace, "l1.reverse", 2).values)
    for name, life in explain.half_life(trace).items():
        assert torch.equal(explain.half_life(again)[name], life)
    for name, shares in explain.saturation(trace).items():
        assert torch.equal(explain.saturation(again)[name].left, shares.left)


def test_dropout_in_training_is_the_same_in_all_runs() -> None:
    model = LSTM(3, 4, 3, dropout=0.5, dtype=torch.float64).train()
    x = X[:1].double()  # at the first step there is nothing to forget, so that forget gates change nothing
    assert [row.change for row in explain.ablation(model, x, summed, sites=["*.f"]).rows] == [0.0] * 9
    for paths in explain.gradient_paths(model, X.double(), summed).values():
        assert torch.allclose(paths.along + paths.gates, paths.total, rtol=0, atol=1e-12)
