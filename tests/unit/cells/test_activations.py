"""The activation functions: values and slopes beside plain Python, far out too; their texts, and their names in ONNX."""

import math
from collections.abc import Callable

import pytest
import torch

from byhand.cells import activations, graph, with_activations
from byhand.cells import lstm as plain
from byhand.cells.activations import BY_ONNX_NAME, KINDS, Activation, read

POINTS = (-800.0, -90.0, -3.1, -0.7, -1e-3, 1e-3, 0.4, 0.9, 2.2, 90.0, 800.0)


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


BY_HAND: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {  # the function and its derivative
    "sigmoid": (sigma, lambda x: sigma(x) * sigma(-x)),
    "tanh": (math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    "relu": (lambda x: max(x, 0.0), lambda x: float(x > 0)),
    "identity": (lambda x: x, lambda x: 1.0),
    "softsign": (lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2),
    "softplus": (lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))), sigma),
    "affine(0.7, -0.2)": (lambda x: 0.7 * x - 0.2, lambda x: 0.7),
    "hard_sigmoid(0.2, 0.5)": (lambda x: min(max(0.2 * x + 0.5, 0), 1), lambda x: 0.2 * (-2.5 < x < 2.5)),
    "scaled_tanh(1.5, 0.4)": (lambda x: 1.5 * math.tanh(0.4 * x), lambda x: 0.6 * (1 - math.tanh(0.4 * x) ** 2)),
    "leaky_relu(0.1)": (lambda x: x if x >= 0 else 0.1 * x, lambda x: 1.0 if x >= 0 else 0.1),
    "thresholded_relu(0.5)": (lambda x: x if x > 0.5 else 0.0, lambda x: float(x > 0.5)),
    "elu(0.8)": (lambda x: x if x >= 0 else 0.8 * math.expm1(x), lambda x: 1.0 if x >= 0 else 0.8 * math.exp(x)),
}


def test_every_one_is_here() -> None:
    assert {read(text).name for text in BY_HAND} == set(KINDS)


@pytest.mark.parametrize("text", BY_HAND)
def test_values_and_slopes(text: str) -> None:
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    value = read(text)(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    function, derivative = BY_HAND[text]
    assert value.tolist() == pytest.approx([function(point) for point in POINTS], rel=1e-14, abs=1e-300)
    assert slope.tolist() == pytest.approx([derivative(point) for point in POINTS], rel=1e-14, abs=1e-15)


@pytest.mark.parametrize("text", BY_HAND)
def test_a_text_is_read_and_written(text: str) -> None:
    activation = read(text)
    assert repr(activation) == text and read(repr(activation)) == activation and read(activation) is activation
    assert read(f" {text.replace(', ', ',')} ") == activation


@pytest.mark.parametrize("text", BY_HAND)
def test_onnx_has_the_same_function(text: str) -> None:
    name, numbers = read(text).onnx
    again = Activation(BY_ONNX_NAME[name.lower()], numbers)
    x = torch.tensor(POINTS, dtype=torch.float64)
    assert torch.equal(again(x), read(text)(x))


def test_numbers_that_need_not_be_typed_are_those_of_onnxs_operators() -> None:
    assert [repr(read(name)) for name in ("hard_sigmoid", "leaky_relu", "elu")] == [
        "hard_sigmoid(0.2, 0.5)",
        "leaky_relu(0.01)",
        "elu(1.0)",
    ]
    for name in (
        "affine",
        "scaled_tanh",
        "thresholded_relu",
    ):  # in which ONNX's text and onnxruntime differ, or there is no operator
        with pytest.raises(ValueError, match=f"^activation {name} expected (one|two) finite number"):
            read(name)


def test_each_is_one_node_of_a_recorded_step() -> None:
    """So that it can be replaced or left out again, and edits find the site behind it."""
    for text in BY_HAND:
        cell = with_activations(plain, candidate=text)
        node = graph.sites(graph.record(cell))["g"]
        assert node.target is KINDS[read(text).name].function
        assert with_activations(cell, candidate="tanh").worked({"g": 0.3}) == plain.worked({"g": 0.3})


def test_functions_are_those_of_the_list() -> None:
    assert set(activations.FUNCTIONS) == {kind.function for kind in KINDS.values()}
