"""What a step may be made of, so that there is a program of it, and what is refused and how."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import normal
from functions import FUNCTIONS, of_one
from torch import Tensor
from torch.nn import functional as F

from byhand import LSTM, Cell, engines, use_engine
from byhand.errors import UntraceableError
from byhand.ir import partition, program_of
from byhand.ir.program import Builder

OUTSIDE = torch.ones(3, dtype=torch.float64)
SPECIAL = [float("nan"), float("inf"), float("-inf"), 0.0, -0.7, 0.5, 2.0]


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return 2 * value

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return 3 * grads[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_and_its_derivative(name: str) -> None:
    function = FUNCTIONS[name]
    program = program_of(of_one(name, function))
    a, b = (torch.rand(40, 50, dtype=torch.float64).mul(0.8).add(0.1).requires_grad_() for _ in range(2))
    wanted, by = function(a, b), normal(40, 50)
    found = program.run({"x.a": a.detach(), "u.a": b.detach(), "s.h": torch.zeros_like(by), "d.h": by})
    grads = torch.autograd.grad(wanted, (a, b), by, materialize_grads=True)
    for label, value in {"n.h": wanted.detach(), "grad.x.a": grads[0], "grad.u.a": grads[1]}.items():
        torch.testing.assert_close(found[label], value, rtol=1e-12, atol=1e-12, msg=lambda text, n=label: f"{n}: {text}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_special_values(name: str) -> None:
    a, b = (grid.flatten() for grid in torch.meshgrid(*[torch.tensor(SPECIAL, dtype=torch.float64)] * 2, indexing="ij"))
    program = program_of(of_one(name, FUNCTIONS[name])).only({"h": program_of(of_one(name, FUNCTIONS[name])).results["n.h"]})
    found = program.run({"x.a": a, "u.a": b, "s.h": a, "d.h": a})["h"]
    torch.testing.assert_close(found, FUNCTIONS[name](a, b), rtol=1e-12, atol=1e-12, equal_nan=True)


def branch(a: Tensor, b: Tensor) -> Tensor:
    return a if a.sum() > 0 else b


def of_whole_batch(a: Tensor, b: Tensor) -> Tensor:
    c = torch.tanh(a)
    mean = b.mean(0)
    return torch.sigmoid(c) - mean


REFUSED: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "softmax": (lambda a, b: torch.softmax(a + b, -1), "_softmax"),
    "cumsum": (lambda a, b: a + b.cumsum(-1), "cumsum"),
    "flip": (lambda a, b: a + b.flip(-1), "flip"),
    "sort": (lambda a, b: a + b.sort(-1)[0], "sort"),
    "norm": (lambda a, b: F.layer_norm(a + b, (a.shape[-1],)), "native_layer_norm"),
    "mean": (lambda a, b: a - b.mean(-1, keepdim=True), "mean"),
    "total": (lambda a, b: a - b.sum(), "sum"),
    "slice": (lambda a, b: a + b[..., :1], "slice"),
    "batch": (of_whole_batch, "mean"),
    "bessel": (lambda a, b: a + torch.special.bessel_j0(b), "special_bessel_j0"),
}


def refusal(function: Callable[[Tensor, Tensor], Tensor]) -> str:
    with pytest.raises(UntraceableError) as told:
        partition(of_one("mine", function))
    return str(told.value)


@pytest.mark.parametrize(("function", "operation"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_work_unit_by_unit_is_refused_by_name(
    function: Callable[[Tensor, Tensor], Tensor], operation: str
) -> None:
    start = f"the step of cell 'mine' uses {operation}, which does not work unit by unit, or is not known"
    assert refusal(function).startswith(start)


def test_the_line_of_the_cell_is_named() -> None:
    line = of_whole_batch.__code__.co_firstlineno + 2
    assert refusal(of_whole_batch).endswith(f"(test_program_steps.py, line {line}: mean = b.mean(0))")


def test_what_rolls_or_multiplies_over_units_is_refused() -> None:
    assert "does not work unit by unit" in refusal(lambda a, b: a + b.roll(1, -1))
    assert "cannot be traced" in refusal(lambda a, b: a + b @ b.mT @ b) or "unit by unit" in refusal(
        lambda a, b: a + b @ b.mT @ b
    )


def test_an_if_that_depends_on_values_is_refused() -> None:
    assert "decides by the values of its tensors" in refusal(branch)
    assert "cannot be traced" in refusal(lambda a, b: a * b.max().item())


def test_what_a_graph_does_not_show_is_refused() -> None:
    assert "an autograd.Function" in refusal(lambda a, b: Doubled.apply(a + b))
    assert "from call to call" in refusal(lambda a, b: a + torch.rand_like(b))


def test_a_step_that_changes_its_arguments_is_refused() -> None:
    with pytest.raises(UntraceableError):
        partition(of_one("mine", lambda a, b: a.mul_(2) + b))


def test_a_tensor_from_outside_is_refused() -> None:
    assert "reads a tensor that is not among its arguments" in refusal(lambda a, b: a * OUTSIDE + b)


STRANGE: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "over all units": REFUSED["softmax"][0],
    "an if": branch,
    "a derivative of its own": lambda a, b: Doubled.apply(a + b),
    "a number as a tensor": lambda a, b: torch.tanh(a * torch.tensor(2.0) + b.cumsum(-1)),
    "a tensor from outside": lambda a, b: torch.tanh(a * OUTSIDE.sum() + b),
    "no derivative": torch.heaviside,
}


@pytest.mark.parametrize("function", STRANGE.values(), ids=STRANGE)
def test_what_is_refused_runs_on_the_reference(function: Callable[[Tensor, Tensor], Any]) -> None:
    """An engine refuses what it cannot do; it does not fail."""
    lstm, x = LSTM(3, 4, cell=of_one("strange", function), dtype=torch.float64), normal(5, 2, 3)
    assert [said == "ready" for _, said in engines(lstm, x)] == [False, False, False, True]
    output = lstm(x)[0]
    with use_engine("reference"):
        assert torch.equal(output, lstm(x)[0])


def test_a_cell_that_is_refused_still_says_so_through_engines() -> None:
    said = dict(engines(LSTM(3, 4, cell=of_one("mine", REFUSED["softmax"][0])), torch.randn(5, 2, 3)))
    assert said["cpp"].startswith("the step of cell 'mine' uses _softmax") and said["reference"] == "ready"


def test_common_subexpressions_are_made_once() -> None:
    made = partition(of_one("twice", lambda a, b: torch.sigmoid(a + b) * torch.tanh(b + a) + torch.sigmoid(b + a)))
    functions = [line.function for line in made.forward.lines]
    assert made.preactivations == ("a.a",) and functions.count("sigmoid") == functions.count("tanh") == 1


def test_dead_values_are_gone() -> None:
    def step(x: Any, u: Any, s: Any, p: Any) -> Any:
        torch.exp(x.a)
        h = torch.tanh(x.a + u.a)
        return (h,), {"h": h, "unused": torch.sin(x.a)}

    made = partition(Cell(name="dead", gates=("a",), state=("h",), step=step))
    assert {line.function for line in made.forward.lines} == {"tanh", "add"}
    assert not {line.function for line in made.backward.lines} & {"exp", "sin", "cos"}
    assert {line.function for line in made.sites.lines} >= {"sin"}


def test_what_follows_from_constants_is_computed_beforehand() -> None:
    builder = Builder()
    assert builder.make("add", builder.make("mul", 2.0, 3.0), 1.0) == 7.0
    assert (
        builder.make("mul", "a", 1.0) == "a" and builder.make("add", 0.0, "a") == "a" and builder.make("sub", "a", 0.0) == "a"
    )
    assert builder.make("add", "a", "b") == builder.make("add", "b", "a")
    assert builder.make("sub", "a", "b") != builder.make("sub", "b", "a")
    assert builder.make("where", builder.make("gt", 2.0, 1.0), "a", "b") == "a"
