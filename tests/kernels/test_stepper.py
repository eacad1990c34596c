"""lstm.stepper(): a signal as it comes gives what the whole sequence gives; and short calls take their short cut unseen."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

import byhand
from byhand import cells
from byhand.engine import transforms
from byhand.nn import prepared_stack


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
    {"cell": cells.gru_reset_before},
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


@pytest.mark.parametrize("options", LAYERS, ids=str)
def test_no_step_gives_no_output_of_the_right_width(options: dict[str, Any]) -> None:
    stepper = byhand.LSTM(5, 7, **options).eval().stepper(batch=2)
    before = as_tuple(stepper.state)
    y = stepper(torch.zeros(0, 2, 5, dtype=options.get("dtype")))
    assert y.shape == (0, 2, options.get("proj_size", 7)) and y.dtype == (options.get("dtype") or torch.float32)
    assert all(torch.equal(one, other) for one, other in zip(as_tuple(stepper.state), before, strict=True))


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


@pytest.mark.parametrize("cell", [cells.lstm, cells.gru, cells.peephole], ids=repr)
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
    assert layer in prepared_stack._prepared


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
    assert dict(byhand.engines(layer, x))["cpp"] == "ready" and transforms.is_plain() and layer.stepper()._bound


def pickled(stepper: Any) -> Any:
    return pickle.loads(pickle.dumps(stepper))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled], ids=lambda one: one.__name__)
@pytest.mark.parametrize("cell", [cells.lstm, cells.layernorm_lstm, cells.gru_reset_before], ids=repr)
def test_a_copy_goes_on_from_here_with_a_memory_of_its_own(cell: Any, copied: Any) -> None:
    layer = byhand.LSTM(3, 4, 2, cell=cell)
    stepper, x = layer.stepper(), torch.randn(4, 1, 3)
    stepper(x[0])
    other = copied(stepper)
    first = [stepper(one) for one in x]
    second = [other(one) for one in x]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    before = stepper.state[1]
    other.reset()
    assert torch.equal(stepper.state[1], before) and not other.state[1].any()


@pytest.mark.parametrize(
    ("which", "rows"),
    [
        (0, [0]),
        (-1, [2]),
        ([0, 2], [0, 2]),
        (slice(1, None), [1, 2]),
        (torch.tensor([True, False, True]), [0, 2]),
        (None, [0, 1, 2]),
    ],
    ids=str,
)
def test_some_sequences_are_set_back(which: Any, rows: list[int]) -> None:
    stepper = byhand.LSTM(3, 4).stepper(batch=3)
    stepper(torch.randn(5, 3, 3))
    before = [one.clone() for one in stepper.state]
    stepper.reset(which)
    for one, old in zip(stepper.state, before, strict=True):
        for row in range(3):
            assert torch.equal(one[0, row], torch.zeros(4) if row in rows else old[0, row])


@pytest.mark.parametrize(
    ("which", "kind", "words"),
    [
        (3, IndexError, "reset expected which within 0…2, got 3"),
        ("all", TypeError, "reset expected which to be an index, a slice, a list of indices or a mask, got 'all'"),
        (True, TypeError, "got True"),
        (torch.tensor([True]), IndexError, "reset expected which within 0…2"),
    ],
)
def test_sequences_that_are_not_there(which: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        byhand.LSTM(3, 4).stepper(batch=3).reset(which)


def test_a_stepper_made_in_inference_mode_serves_later() -> None:
    layer, x = byhand.LSTM(3, 4), torch.randn(1, 3)
    with torch.inference_mode():
        stepper = layer.stepper()
        stepper(x)
    stepper.reset()
    torch.testing.assert_close(stepper(x), layer(x.unsqueeze(0))[0][0].detach())
