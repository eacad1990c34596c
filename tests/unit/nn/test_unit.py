"""The unit's arithmetic, against nn.LSTM, against the published numbers, and against itself."""

import math

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
import torch
from conftest import COLOURS, with_numbers
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from LSTM import COMPANIES, LSTMbyHand

finite = st.floats(-3, 3)
twelve = st.fixed_dictionaries({colour: st.tuples(finite, finite, finite) for colour in COLOURS})


def as_torch(model: LSTMbyHand) -> nn.LSTM:
    """nn.LSTM(1, 1) in float64 with the same numbers; both of its biases carry half of ours."""
    lstm = nn.LSTM(1, 1, dtype=torch.float64)
    with torch.no_grad():
        for row, colour in enumerate(COLOURS):
            lstm.get_parameter("weight_hh_l0")[row] = model.get_parameter(f"w_{colour}1")
            lstm.get_parameter("weight_ih_l0")[row] = model.get_parameter(f"w_{colour}2")
            for half in ("bias_ih_l0", "bias_hh_l0"):
                lstm.get_parameter(half)[row] = model.get_parameter(f"b_{colour}1") / 2
    return lstm


def torch_gradients(lstm: nn.LSTM) -> dict[str, torch.Tensor]:
    """By our names."""
    found = {}
    for row, colour in enumerate(COLOURS):
        for name, theirs in (
            (f"w_{colour}1", "weight_hh_l0"),
            (f"w_{colour}2", "weight_ih_l0"),
            (f"b_{colour}1", "bias_ih_l0"),
        ):
            gradient = lstm.get_parameter(theirs).grad
            assert gradient is not None
            found[name] = gradient[row].squeeze()
    return found


def test_untrained_predictions_are_the_published_ones(untrained: LSTMbyHand) -> None:
    assert untrained(torch.tensor(COMPANIES["A"][0])).item() == pytest.approx(-0.0377, abs=5e-5)
    assert untrained(torch.tensor(COMPANIES["B"][0])).item() == pytest.approx(-0.0383, abs=5e-5)


def test_parameters_are_the_seeds_in_the_seeds_order(untrained: LSTMbyHand) -> None:
    names = [
        f"{kind}_{colour}{index}" for colour in ("blue", "green", "orange", "purple") for kind, index in ("w1", "w2", "b1")
    ]
    assert [name for name, _ in untrained.named_parameters()] == names
    assert all(parameter.shape == () for parameter in untrained.parameters())
    assert all(untrained.get_parameter(name).item() == 0 for name in names if name.startswith("b"))


@pytest.mark.parametrize("time", [1, 2, 4, 7, 33])
@pytest.mark.parametrize("batch", [None, 1, 3, 5])
def test_values_and_every_gradient_equal_those_of_torch(time: int, batch: int | None) -> None:
    torch.manual_seed(time * 10 + (batch or 0))
    model = LSTMbyHand().double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(()))
    lstm = as_torch(model)
    ours = torch.randn(time, dtype=torch.float64) if batch is None else torch.randn(time, batch, dtype=torch.float64)
    ours.requires_grad_()
    theirs = ours.detach().reshape(time, -1, 1).requires_grad_()

    prediction = model(ours)
    output, _ = lstm(theirs)
    expected = output[-1, :, 0].reshape(prediction.shape)
    torch.testing.assert_close(prediction, expected, rtol=0, atol=1e-15)
    short_memory = model.trace(ours)["updated_short_memory"]
    torch.testing.assert_close(short_memory, output[:, :, 0].reshape(ours.shape), rtol=0, atol=1e-15)

    weights = torch.randn_like(prediction)
    (prediction * weights).sum().backward()
    (expected * weights).sum().backward()
    wanted = torch_gradients(lstm)
    assert wanted.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], rtol=0, atol=1e-14, msg=lambda text, n=name: f"{n}: {text}")
    assert ours.grad is not None and theirs.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad.reshape(ours.shape), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("company", "long_memory", "short_memory"),
    [
        ("A", [-0.2012, -0.2022, -0.3246, 0.0153], [-0.1278, -0.0965, -0.1662, 0.0064]),
        ("B", [0.4995, 0.9136, 1.4806, 2.4091], [0.2764, 0.6117, 0.8670, 0.9694]),
    ],
)
def test_trace_with_the_published_weights(
    published: LSTMbyHand, company: str, long_memory: list[float], short_memory: list[float]
) -> None:
    trace = published.trace(torch.tensor(COMPANIES[company][0], dtype=torch.float64))
    assert trace["updated_long_memory"].tolist() == pytest.approx(long_memory, abs=5e-5)
    assert trace["updated_short_memory"].tolist() == pytest.approx(short_memory, abs=5e-5)


@given(twelve, st.lists(finite, min_size=1, max_size=6))
def test_trace_obeys_the_formulas_day_by_day(numbers: dict[str, tuple[float, float, float]], prices: list[float]) -> None:
    """The six formulas once more in plain Python floats: a second implementation for every named value."""
    trace = {
        name: value.tolist() for name, value in with_numbers(numbers).trace(torch.tensor(prices, dtype=torch.float64)).items()
    }

    def sigma(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    c = h = 0.0
    for day, x in enumerate(prices):
        z = {colour: w_h * h + w_x * x + b for colour, (w_h, w_x, b) in numbers.items()}
        wanted = {"input_value": x, "long_memory": c, "short_memory": h}
        wanted["long_remember_percent"] = sigma(z["blue"])
        wanted["potential_remember_percent"] = sigma(z["green"])
        wanted["potential_remember"] = math.tanh(z["orange"])
        wanted["output_percent"] = sigma(z["purple"])
        wanted["updated_long_memory"] = c = sigma(z["blue"]) * c + sigma(z["green"]) * math.tanh(z["orange"])
        wanted["updated_short_memory"] = h = sigma(z["purple"]) * math.tanh(c)
        assert {name: values[day] for name, values in trace.items()} == pytest.approx(wanted, abs=1e-13)


@given(twelve, npst.arrays(np.float64, npst.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=finite))
def test_a_batch_is_its_sequences_side_by_side(numbers: dict[str, tuple[float, float, float]], prices: np.ndarray) -> None:
    model, together = with_numbers(numbers), torch.from_numpy(prices)
    alone = torch.stack([model(sequence) for sequence in together.T])
    torch.testing.assert_close(model(together), alone, rtol=0, atol=1e-15)
    for name, values in model.trace(together).items():
        assert values.shape == together.shape, name


def test_tracing_changes_nothing_and_keeps_no_graph(untrained: LSTMbyHand) -> None:
    prices = torch.randn(9, 3)
    before = untrained(prices)
    trace = untrained.trace(prices)
    assert torch.equal(trace["updated_short_memory"][-1], before)
    assert torch.equal(untrained(prices), before)
    assert not any(value.requires_grad for value in trace.values())


def test_the_output_gate_reads_the_input(untrained: LSTMbyHand) -> None:
    """The bug that circulates: an output gate that multiplies the short memory by both of its weights."""
    untrained.loss([torch.tensor([COMPANIES["B"][0]]), torch.tensor([1.0])])[0].backward()
    assert untrained.w_purple1.grad is not None and untrained.w_purple2.grad is not None
    assert abs(untrained.w_purple1.grad - untrained.w_purple2.grad) > 1e-3
    first_day = [untrained.trace(torch.tensor([price]))["output_percent"].item() for price in (0.0, 1.0)]
    assert first_day[0] != first_day[1]


def test_gradients_by_gradcheck_and_twice(published: LSTMbyHand) -> None:
    """Against finite differences, first and second order."""
    prices = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(published, prices)
    assert torch.autograd.gradgradcheck(published, prices)
