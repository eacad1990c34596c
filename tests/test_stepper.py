"""lstm.stepper(): a signal as it comes gives what the whole sequence gives; and short calls take their short cut unseen."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

import byhand
from byhand import cells, quick
from byhand.engine.cpp import engine as cpp


def as_tuple(value: Any) -> tuple[Tensor, ...]:
    return value if isinstance(value, tuple) else (value,)


LAYERS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2},
    {"proj_size": 3},
    {"cell": cells.gru},
    {"cell": cells.peephole},
    {"cell": cells.lstm_1997},
    {"cell": cells.layernorm_lstm},
    {"cell": cells.zoneout(cells.lstm)},
    {"learn_initial_state": True},
    {"dtype": torch.float64},
]


@pytest.mark.parametrize("options", LAYERS, ids=str)
@pytest.mark.parametrize("batch", [1, 3])
def test_steps_are_the_sequence(options: dict[str, Any], batch: int) -> None:
    layer = byhand.LSTM(5, 7, **options).eval()
    x = torch.randn(6, batch, 5, dtype=options.get("dtype"))
    with torch.no_grad():
        expected, state = layer(x)
    stepper = layer.stepper(batch)
    steps = torch.stack([stepper(one) for one in x[:4]])
    torch.testing.assert_close(torch.cat([steps, stepper(x[4:])]), expected, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(as_tuple(stepper.state), as_tuple(state), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_reset_and_state() -> None:
    layer = byhand.LSTM(5, 7, 2)
    stepper, x = layer.stepper(), torch.randn(5)
    first = stepper(x)
    assert first.shape == (7,)
    kept = stepper.state
    second = stepper(x)
    assert not torch.equal(first, second)
    stepper.state = kept
    assert torch.equal(stepper(x), second)
    stepper.reset()
    assert torch.equal(stepper(x), first)


def test_the_outputs_of_a_stepper_are_ones_to_keep() -> None:
    stepper = byhand.LSTM(5, 7).stepper()
    x = torch.randn(1, 5)
    one = stepper(x)
    copy_of_one = one.clone()
    stepper(x)
    assert torch.equal(one, copy_of_one)


def test_a_stepper_keeps_the_weights_it_was_made_with() -> None:
    layer, x = byhand.LSTM(5, 7), torch.randn(1, 5)
    expected = layer.stepper()(x)
    stepper = layer.stepper()
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
    assert torch.equal(stepper(x), expected)


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        (lambda: byhand.LSTM(5, 7, bidirectional=True).stepper(), ValueError, "got bidirectional=True"),
        (lambda: byhand.LSTM(5, 7).stepper(0), ValueError, "expected a batch of at least 1, got 0"),
        (
            lambda: byhand.LSTM(5, 7).stepper(2)(torch.randn(1, 5)),
            ValueError,
            r"shape \(2, 5\), or that for several steps, got",
        ),
        (lambda: byhand.LSTM(5, 7).stepper()(torch.randn(1, 5).double()), ValueError, "got torch.float64 of shape"),
        (lambda: byhand.LSTM(5, 7).stepper()([1.0]), TypeError, "got a list"),
        (lambda: setattr(byhand.LSTM(5, 7).stepper(), "state", torch.zeros(1)), ValueError, "expected states of shapes"),
    ],
)
def test_wrong_use(wrong: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        wrong()


def usual(layer: byhand.LSTM, x: Tensor) -> Any:
    """The way that other calls take: a state is given."""
    zeros: tuple[Tensor, ...] = tuple(
        torch.zeros(layer.num_layers, x.shape[1], layer.hidden_size, dtype=x.dtype) for _ in layer.cell.state
    )
    return layer(x, zeros[0] if len(zeros) == 1 else zeros)


@pytest.mark.parametrize("cell", [cells.lstm, cells.gru, cells.peephole], ids=str)
@pytest.mark.parametrize("shape", [(1, 1, 5), (4, 3, 5), (20, 8, 5)])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_short_cut_changes_no_bit(cell: cells.Cell, shape: tuple[int, ...], layers: int) -> None:
    layer, x = byhand.LSTM(5, 7, layers, cell=cell), torch.randn(shape, requires_grad=True)
    for _ in range(2):
        with torch.no_grad():
            plain, short = usual(layer, x), layer(x)
        for ours, theirs in zip((short[0], *as_tuple(short[1])), (plain[0], *as_tuple(plain[1])), strict=True):
            assert torch.equal(ours, theirs)
        grads = [
            torch.autograd.grad(run(x)[0].sin().sum(), [x, *layer.parameters()]) for run in (layer, lambda x: usual(layer, x))
        ]
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(*grads, strict=True))
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.mul_(0.5)  # in place: the next round must see it
    assert layer in quick._known


def test_the_short_cut_sees_parameters_that_were_replaced() -> None:
    layer, x = byhand.LSTM(5, 7), torch.randn(1, 1, 5)
    with torch.no_grad():
        layer(x)
        layer.weight_ih_l0.data = torch.randn(28, 5)
        assert torch.equal(layer(x)[0], usual(layer, x)[0])
        layer.double()
        assert torch.equal(layer(x.double())[0], usual(layer, x.double())[0])
    torch.nn.utils.parametrize.register_parametrization(layer, "weight_hh_l0", torch.nn.Tanh(), unsafe=True)
    with torch.no_grad():
        assert torch.equal(layer(x.double())[0], usual(layer, x.double())[0])


def test_the_short_cut_is_not_taken_past_who_watches() -> None:
    layer, x = byhand.LSTM(5, 7), torch.randn(1, 1, 5)
    layer(x)
    with byhand.record(layer) as trace:
        layer(x)
    assert trace["l0.f"].shape == (1, 1, 7)
    with byhand.edit(layer, {"l0.h": 0.5}):
        assert (layer(x)[0] == 0.5).all()


def test_layers_with_a_short_cut_are_copied_and_pickled() -> None:
    layer, x = byhand.LSTM(5, 7), torch.randn(1, 1, 5)
    expected = layer(x)[0]
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x)[0], expected)


def test_an_engine_is_there() -> None:
    """Or all of this would pass without being tested."""
    layer, x = byhand.LSTM(5, 7), torch.randn(1, 1, 5)
    assert dict(byhand.engines(layer, x))["cpp"] == "ready" and cpp.is_plain() and layer.stepper()._bound
