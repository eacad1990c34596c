"""bfloat16, float16 and autocast: sums and states in float32, on every engine, so that memories count and forget as they should."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import CASES, as_tuple
from pairs import SINGLE
from torch import Tensor, nn

import byhand
from byhand import LSTM, LSTMCell, cells, record, use_engine
from byhand.engine import precision

BFLOAT16 = torch.bfloat16
ENGINES = ("cpp", "reference")


def autocast() -> Any:
    return torch.autocast("cpu", dtype=BFLOAT16)


# How a layer comes to run in low precision: what is done to it, and what is around it.
WAYS: dict[str, tuple[torch.dtype, Callable[[], Any]]] = {
    "bfloat16": (BFLOAT16, contextlib.nullcontext),
    "autocast": (torch.float32, autocast),
    "bfloat16 under autocast": (BFLOAT16, autocast),
    "float16": (torch.float16, contextlib.nullcontext),
}


def counting(layer: Any) -> Any:
    """All gates open and the candidate 1: the memory counts its steps."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0.fill_(40.0)
    return layer


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", WAYS)
def test_a_memory_counts_to_six_hundred(way: str, engine: str) -> None:
    dtype, around = WAYS[way]
    layer = counting(LSTM(1, 1, dtype=dtype))
    with around(), use_engine(engine), torch.no_grad():
        _, (_, c) = layer(torch.zeros(600, 1, 1, dtype=dtype))
    assert c.item() == 600
    theirs = counting(nn.LSTM(1, 1, dtype=dtype))
    with around(), torch.no_grad():
        _, (_, c) = theirs(torch.zeros(600, 1, 1, dtype=dtype))
    assert c.item() == (600 if way == "float16" else 256)  # torch's, or this test shows nothing


@pytest.mark.parametrize("engine", ENGINES)
def test_under_autocast_it_counts_from_call_to_call(engine: str) -> None:
    layer, state = counting(LSTM(1, 1)), None
    with autocast(), use_engine(engine), torch.no_grad():
        for _ in range(600):
            _, state = layer(torch.zeros(1, 1, 1), state)
    assert state[1].item() == 600


def test_a_stepper_counts_in_bfloat16() -> None:
    stepper = counting(LSTM(1, 1)).to(BFLOAT16).stepper()
    for _ in range(600):
        stepper(torch.zeros(1, 1, dtype=BFLOAT16))
    assert stepper(torch.zeros(1, 1, dtype=BFLOAT16)).dtype == BFLOAT16 and stepper.state[1].item() == 601


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", ["bfloat16", "autocast"])
def test_a_forget_gate_near_one_forgets(way: str, engine: str) -> None:
    """σ(6.25) = .998 over a thousand steps: within a hundredth of float64 with the same rounded parameters; torch's forgets nothing."""
    dtype, around = WAYS[way]

    def forgetting(layer: Any) -> Any:
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.zero_()
            layer.bias_ih_l0.copy_(torch.tensor([-40.0, 6.25, 0.0, 40.0]))  # 6.25 is a number in bfloat16, too
        return layer

    start = tuple(torch.ones(1, 1, 1) for _ in range(2))
    exact = forgetting(nn.LSTM(1, 1, dtype=torch.float64))
    wanted = exact(torch.zeros(1000, 1, 1, dtype=torch.float64), tuple(one.double() for one in start))[1][1].item()
    assert 0.14 < wanted < 0.15
    given = tuple(one.to(dtype) for one in start)
    with around(), use_engine(engine), torch.no_grad():
        found = forgetting(LSTM(1, 1, dtype=dtype))(torch.zeros(1000, 1, 1, dtype=dtype), given)[1][1].item()
    assert abs(found / wanted - 1) < 0.01
    with around(), torch.no_grad():
        assert forgetting(nn.LSTM(1, 1, dtype=dtype))(torch.zeros(1000, 1, 1, dtype=dtype), given)[1][1].item() == 1.0


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("way", WAYS)
def test_both_engines_give_the_same(way: str, name: str) -> None:
    dtype, around = WAYS[way]
    layer = LSTM(3, 6, cell=CASES[name][0], dtype=dtype).eval()
    x = torch.randn(7, 2, 3, dtype=dtype, requires_grad=True)
    found = []
    for engine in ENGINES:
        with around(), use_engine(engine):
            y, state = layer(x)
        values = [y, *as_tuple(state)]
        loss = sum((one.float() * torch.linspace(-1, 1, one.numel()).view_as(one)).sum() for one in values)
        found.append([*values, *torch.autograd.grad(loss, [x, *layer.parameters()], materialize_grads=True)])
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype
        if dtype == BFLOAT16:  # products of rounded numbers: what is left of a sum that cancels may differ by as much as itself
            assert (one.float() - other.float()).norm() <= 1e-2 * other.float().norm() + 1e-4
        else:
            torch.testing.assert_close(one, other, rtol=2e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("cell", "engine"),
    [
        (cells.lstm, "cpp"),
        (cells.gru, "cpp"),
        (cells.lstm, "reference"),
        (cells.layernorm_lstm, "reference"),
        (cells.gru_reset_before, "reference"),
    ],
    ids=str,
)
def test_under_autocast_nothing_but_the_output_is_rounded(cell: Any, engine: str) -> None:
    layer, x = LSTM(3, 6, 2, cell=cell, bidirectional=True), torch.randn(7, 2, 3)
    exact, last = layer(x)
    with autocast(), use_engine(engine), record(layer) as trace:
        y, state = layer(x)
    assert y.dtype == BFLOAT16 and all(one.dtype == torch.float32 for one in as_tuple(state))
    assert all(trace[site].dtype == torch.float32 for site in trace)
    torch.testing.assert_close(y, exact.to(BFLOAT16), rtol=1e-2, atol=1e-2)
    for one, other in zip(as_tuple(state), as_tuple(last), strict=True):
        torch.testing.assert_close(one, other, rtol=2e-2, atol=5e-3)  # the layer above reads outputs that were rounded


def test_gradients_and_a_backward_inside_autocast() -> None:
    """Gradients have the parameters' type, and are not made by products in bfloat16 where the weights are large."""
    for hidden in (6, 330):
        layer, x = LSTM(3, hidden), torch.randn(5, 2, 3)
        layer(x)[0].sum().backward()
        exact = {name: one.grad.clone() for name, one in layer.named_parameters()}
        layer.zero_grad()
        with autocast():
            layer(x)[0].float().sum().backward()
        for name, parameter in layer.named_parameters():
            assert parameter.grad.dtype == torch.float32
            torch.testing.assert_close(parameter.grad, exact[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16])
def test_gradients_by_sites(low: torch.dtype) -> None:
    """On the reference engine they were all zero: it computed in float32, and the recorder listened at copies in low precision."""
    torch.manual_seed(2)
    layer, x = LSTM(3, 5), torch.randn(6, 2, 3)
    with record(layer, gradients=True) as expected:
        layer(x)[0].sum().backward()
    layer = layer.to(low)
    for engine in ("cpp", "reference"):
        with use_engine(engine), record(layer, gradients=True) as found:
            layer(x.to(low))[0].sum().backward()
        for site in expected:
            assert found[site].dtype == low
            torch.testing.assert_close(found.grad[site].float(), expected.grad[site], rtol=0.05, atol=0.02)
            assert expected.grad[site].abs().max() > 0.05


def test_input_of_autocasts_own_type_and_float64_that_it_leaves_alone() -> None:
    layer, x = LSTM(3, 6), torch.randn(7, 2, 3)
    with autocast():
        y, _ = layer(x.to(BFLOAT16), (torch.zeros(1, 2, 6, dtype=BFLOAT16),) * 2)
        assert y.dtype == BFLOAT16
        double = LSTM(3, 6, dtype=torch.float64)
        assert double(x.double())[0].dtype == torch.float64 and byhand.engines(double, x.double())[0] == ("cpp", "ready")
        h, c = LSTMCell(3, 6)(x[0])
        assert h.dtype == c.dtype == torch.float32  # its output is its memory, as with torch.nn.LSTMCell


def test_engines_says_in_what_is_computed() -> None:
    layer, x = LSTM(3, 6), torch.randn(7, 2, 3)
    with autocast():
        assert byhand.engines(layer, x)[0] == ("cpp", "ready: computed in float32, output in bfloat16")
    low = LSTM(3, 6, dtype=torch.float16)
    assert byhand.engines(low, x.half())[0] == ("cpp", "ready: computed in float32, output in float16")
    assert byhand.engines(layer, x)[0] == ("cpp", "ready")


def test_weights_of_different_types_are_not_read_as_one() -> None:
    layer, x = LSTM(3, 6), torch.randn(7, 2, 3)
    layer.weight_hh_l0.data = layer.weight_hh_l0.data.double()
    assert byhand.engines(layer, x)[0] == ("cpp", "the tensors differ in number type or device")
    with pytest.raises(RuntimeError, match="dtype"):
        layer(x)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_training_under_autocast_follows_the_one_without(engine: str) -> None:
    torch.manual_seed(3)
    x, target = torch.randn(20, 4, 8), torch.randn(20, 4, 32) / 10

    def trained(around: Callable[[], Any]) -> list[Tensor]:
        torch.manual_seed(0)
        layer = LSTM(8, 32)
        optimiser = torch.optim.SGD(layer.parameters(), 0.5)
        for _ in range(10):
            with around(), use_engine(engine):
                loss = (layer(x)[0].float() - target).square().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
            optimiser.step()
        return [one.detach() for one in layer.parameters()]

    for one, other in zip(trained(autocast), trained(contextlib.nullcontext), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)


def test_a_derivative_is_outside_every_devices_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """backward() asks for it inside, where somebody has left autocast on; CUDA's is off, too, for layers there."""
    on = {"cpu": True, "cuda": True}

    @contextlib.contextmanager
    def changed(kind: str, *, enabled: bool) -> Any:
        before, on[kind] = on[kind], enabled
        yield
        on[kind] = before

    monkeypatch.setattr(torch, "is_autocast_enabled", on.__getitem__)
    monkeypatch.setattr(torch, "autocast", changed)
    assert precision.exact(lambda: dict(on))() == {"cpu": False, "cuda": False}
    assert on == {"cpu": True, "cuda": True}
