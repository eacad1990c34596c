"""Activation functions by name: those of ONNX's LSTM, GRU and RNN, for the cells' own rewritings and for readers of ONNX files.

    sigmoid                    σ(x)                                    Sigmoid
    tanh                       tanh(x)                                 Tanh
    relu                       max(x, 0)                               Relu
    identity                   x                                       Affine with alpha 1, beta 0
    softsign                   x / (1 + |x|)                           Softsign
    softplus                   log(1 + eˣ)                             Softplus
    affine(a, b)               a·x + b                                 Affine
    hard_sigmoid(a, b)         min(max(a·x + b, 0), 1)                 HardSigmoid
    scaled_tanh(a, b)          a·tanh(b·x)                             ScaledTanh
    leaky_relu(a)              x where x ≥ 0, else a·x                 LeakyRelu
    thresholded_relu(a)        x where x > a, else 0                   ThresholdedRelu
    elu(a)                     x where x ≥ 0, else a·(eˣ − 1)          Elu

>>> read("hard_sigmoid")
hard_sigmoid(0.2, 0.5)
>>> read("hard_sigmoid(0.25, 0.5)")(torch.tensor(1.0))
tensor(0.7500)

ONNX 1.23, operators LSTM, GRU and RNN; each function is the operator of its ONNX name.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function_unary

if TYPE_CHECKING:
    from torch import Tensor

    Function = Callable[..., Any]


def one_node(function: Function) -> Function:
    """The function as one node of a recorded step's graph, so that a later rewriting finds it again."""

    @wraps(function)
    def called(x: Tensor, *numbers: float) -> Tensor:
        if has_torch_function_unary(x):
            return handle_torch_function(called, (x,), x, *numbers)
        return function(x, *numbers)

    return called


@one_node
def identity(x: Tensor) -> Tensor:
    return x.view_as(x)


@one_node
def softsign(x: Tensor) -> Tensor:
    return x / (1 + x.abs())


@one_node
def softplus(x: Tensor) -> Tensor:
    return -functional.logsigmoid(-x)


@one_node
def affine(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * x + beta


@one_node
def hard_sigmoid(x: Tensor, alpha: float, beta: float) -> Tensor:
    return torch.clamp(alpha * x + beta, 0.0, 1.0)


@one_node
def scaled_tanh(x: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha * torch.tanh(beta * x)


@one_node
def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x >= 0, x, alpha * x)


@one_node
def thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x > alpha, x, 0.0)


@one_node
def elu(x: Tensor, alpha: float) -> Tensor:
    return functional.elu(x, alpha)


class Kind(NamedTuple):
    """A function of one value and up to two numbers.

    onnx: the name in ONNX's attribute `activations`. defaults: its numbers where a name is typed without them; None: they have to be
    typed, since ONNX's text and its runtimes differ in them. runtime_defaults: what onnxruntime 1.32 takes where a file gives none.
    """

    function: Function
    onnx: str
    numbers: int = 0
    defaults: tuple[float, ...] | None = ()
    runtime_defaults: tuple[float, ...] = ()


KINDS: dict[str, Kind] = {
    "sigmoid": Kind(torch.sigmoid, "Sigmoid"),
    "tanh": Kind(torch.tanh, "Tanh"),
    "relu": Kind(torch.relu, "Relu"),
    "identity": Kind(identity, "Affine"),
    "softsign": Kind(softsign, "Softsign"),
    "softplus": Kind(softplus, "Softplus"),
    "affine": Kind(affine, "Affine", 2, None, (0.0, 0.0)),
    "hard_sigmoid": Kind(hard_sigmoid, "HardSigmoid", 2, (0.2, 0.5), (0.2, 0.5)),
    "scaled_tanh": Kind(scaled_tanh, "ScaledTanh", 2, None, (0.0, 0.0)),
    "leaky_relu": Kind(leaky_relu, "LeakyRelu", 1, (0.01,), (0.01,)),
    "thresholded_relu": Kind(thresholded_relu, "ThresholdedRelu", 1, None, (0.0,)),
    "elu": Kind(elu, "Elu", 1, (1.0,), (1.0,)),
}
BY_ONNX_NAME = {
    kind.onnx.lower(): name for name, kind in KINDS.items() if name != "identity"
}  # whose case does not count there
FUNCTIONS = tuple(kind.function for kind in KINDS.values())


@dataclass(frozen=True)
class Activation:
    """An activation function: its name and its numbers.

    Args:
        name: a name out of KINDS, such as "hard_sigmoid".
        numbers: alpha, or alpha and beta, of a function that takes them; the defaults of KINDS if not given.

    Raises:
        ValueError: another name, the wrong count of numbers, or one that is not finite.
    """

    name: str
    numbers: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        kind = KINDS.get(self.name)
        if kind is None:
            raise ValueError(f"expected an activation out of {', '.join(KINDS)}, got {self.name!r}")
        given = tuple(self.numbers) or kind.defaults or ()
        right = all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in given)
        if len(given) != kind.numbers or not right:
            example = {0: self.name, 1: f"{self.name}(0.5)", 2: f"{self.name}(0.2, 0.5)"}[kind.numbers]
            wanted = ("no number", "one finite number, alpha", "two finite numbers, alpha and beta")[kind.numbers]
            raise ValueError(f"activation {self.name} expected {wanted}, got {tuple(self.numbers)!r}: write {example!r}")
        object.__setattr__(self, "numbers", tuple(map(float, given)))

    def __call__(self, x: Tensor) -> Tensor:
        """The function of every element."""
        return self.function(x, *self.numbers)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.numbers))})" if self.numbers else self.name

    @property
    def function(self) -> Function:
        """The function of a tensor and the numbers."""
        return KINDS[self.name].function

    @property
    def onnx(self) -> tuple[str, tuple[float, ...]]:
        """Its name in ONNX, and its numbers there: alpha, or alpha and beta."""
        return KINDS[self.name].onnx, (1.0, 0.0) if self.name == "identity" else self.numbers


def read(text: str | Activation) -> Activation:
    """The activation that a text means, such as "relu" or "hard_sigmoid(0.2, 0.5)".

    Raises:
        TypeError: neither a text nor an Activation.
        ValueError: no such activation, or not with these numbers.
    """
    if isinstance(text, Activation):
        return text
    if not isinstance(text, str):
        raise TypeError(f"expected an activation's name, such as 'relu' or 'hard_sigmoid(0.2, 0.5)', got {text!r}")
    name, bracket, rest = text.strip().partition("(")
    if not bracket:
        return Activation(name)
    try:
        numbers = ast.literal_eval(f"({rest.removesuffix(')')},)") if rest.endswith(")") else None
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        numbers = None
    if not isinstance(numbers, tuple) or not numbers:
        raise ValueError(f"expected an activation's name with its numbers, such as 'hard_sigmoid(0.2, 0.5)', got {text!r}")
    return Activation(name.strip(), numbers)
