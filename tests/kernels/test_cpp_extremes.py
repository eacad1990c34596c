"""Infinities, NaN and numbers too small for the usual form, on the C++ engine."""

from collections.abc import Iterator

import pytest
import torch
from cases import Shape, as_tuple
from pairs import COMPILED, FOUR, Named, example, on, packed, run, threads
from torch import Tensor

from byhand import LSTM, use_engine

SHAPE = Shape(4, 3, 3, 9)
INF, NAN = float("inf"), float("nan")
values = pytest.mark.parametrize("value", [NAN, INF, -INF, 1e300, -1e300, 1e-300], ids=str)


def assert_like(found: Named, wanted: Named) -> None:
    """Equal up to roundings where the reference is finite, and the same NaN and infinities where it is not."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(
            found[name], value, rtol=1e-9, atol=1e-11, equal_nan=True, msg=lambda text, n=name: f"{n}: {text}"
        )


@values
@pytest.mark.parametrize("name", COMPILED)
def test_in_the_input(name: str, value: float) -> None:
    lstm, x, states = example(name, SHAPE)
    x[1, 1, 2] = value
    assert_like(on("cpp", lstm, x, states), on("reference", lstm, x, states))


@values
@pytest.mark.parametrize("name", FOUR)
def test_in_a_weight(name: str, value: float) -> None:
    lstm, x, states = example(name, SHAPE)
    for label in ("weight_ih_l0", "bias_ih_l0"):
        with torch.no_grad():
            lstm.get_parameter(label)[3] = value
        assert_like(on("cpp", lstm, x, states), on("reference", lstm, x, states))


@values
@pytest.mark.parametrize("name", FOUR)
def test_in_a_first_state(name: str, value: float) -> None:
    for index in range(len(FOUR[name].state)):
        lstm, x, states = example(name, SHAPE)
        as_tuple(states)[index][0, 1, 4] = value
        assert_like(on("cpp", lstm, x, states), on("reference", lstm, x, states))


@pytest.mark.parametrize("name", FOUR)
def test_gates_that_are_shut_let_nothing_through(name: str) -> None:
    """σ(−∞) is 0, σ(∞) is 1, to the bit, through all the layer."""
    lstm, x, states = example(name, SHAPE)
    with torch.no_grad():
        for row, bias in enumerate(lstm.get_parameter("bias_ih_l0")):
            bias.fill_((INF, -INF, 0.5)[row % 3])
    assert_like(on("cpp", lstm, x, states), on("reference", lstm, x, states))


@pytest.mark.parametrize("name", FOUR)
def test_in_the_last_step_of_one_sequence(name: str) -> None:
    """It harms this step's output, and no other."""
    lstm, x, states = example(name, SHAPE)
    sequences = packed(x, [2, 4, 1])
    plain = on("cpp", lstm, sequences, states)["output"]
    sequences.data[-1] = NAN
    found = on("cpp", lstm, sequences, states)["output"]
    assert found[-1].isnan().all() and torch.equal(found[:-1], plain[:-1])


def tiny() -> Tensor:
    """Below the smallest float32 of the usual form; enough of them for several threads."""
    return torch.full((1_000_000,), 1e-40)


@pytest.fixture
def as_before() -> Iterator[None]:
    yield
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.usefixtures("as_before")
def test_what_torch_does_with_tiny_numbers_stays_as_it_was(count: int, flush: bool) -> None:
    lstm, x = LSTM(8, 32), torch.randn(20, 16, 8)
    with threads(count), use_engine("cpp"):
        (tiny() * 2).sum()  # which wakes torch's threads
        torch.set_flush_denormal(flush)
        before = (tiny() * 2).count_nonzero().item()
        assert flush or before == len(tiny())
        results, _ = run(lstm, x)
        assert (tiny() * 2).count_nonzero().item() == before
        results["output"].sum().backward()
        assert (tiny() * 2).count_nonzero().item() == before


def test_tiny_numbers_do_no_harm() -> None:
    lstm, x, states = example("lstm", SHAPE)
    lstm, x = lstm.float(), x.float()
    states = tuple(state.float() for state in states)
    plain = on("reference", lstm, x, states)
    x, states = x + 1e-40, tuple(state + 1e-40 for state in states)
    for name, value in on("cpp", lstm, x, states).items():
        torch.testing.assert_close(value, plain[name], rtol=1e-4, atol=1e-6)
