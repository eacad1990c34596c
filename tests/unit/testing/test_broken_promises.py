"""For every promise of check_cell there is a cell that breaks it, and the error names it."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from byhand import LSTM, edit, engines
from byhand.cells import lstm
from byhand.testing import CellError, check_cell, check_promise
from byhand.testing.check_cell import PROMISES

ENGINES = "every engine that runs the cell gives the same results and gradients"  # tests/kernels/test_check_cell.py


def changed(**values: Any) -> Callable[[Any, Any, Any, Any], Any]:
    """The LSTM's step with its results put through functions, by name."""

    def step(x: Any, u: Any, s: Any, p: Any) -> Any:
        sites = lstm.step(x, u, s, p)[1]
        sites = {name: values[name](value) if name in values else value for name, value in sites.items()}
        return (sites["h"], sites["c"]), sites

    return step


class Counting:
    """A step that remembers how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Any, u: Any, s: Any, p: Any) -> Any:
        (h, c), sites = lstm.step(x, u, s, p)
        self.calls += bool(h.sum() < 1e9)  # by value, so that its graph cannot be recorded once and for all
        return (h + self.calls, c), sites | {"h": h + self.calls}


def writing(x: Any, u: Any, s: Any, p: Any) -> Any:
    s.c.mul_(2)
    return lstm.step(x, u, s, p)


def forgetful(x: Any, u: Any, s: Any, p: Any) -> Any:
    (h, c), sites = lstm.step(x, u, s, p)
    return (h, c), {name: value for name, value in sites.items() if name != "c"}


def deciding(x: Any, u: Any, s: Any, p: Any) -> Any:
    (h, c), sites = lstm.step(x, u, s, p)
    h = h if bool(h.sum() > 0) else -h
    return (h, c), sites | {"h": h}


def detached(x: Any, u: Any, s: Any, p: Any) -> Any:
    """Squares h with a derivative that cannot be derived again; decides by value, so that it is run as it is."""
    (h, c), sites = lstm.step(x, u, s, p)
    h = Detached.apply(h) if bool(h.sum() < 1e9) else h
    return (h, c), sites | {"h": h}


class Squared(torch.autograd.Function):
    """A square whose derivative is wrong."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Any) -> Any:
        return value * value

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return 3 * ctx.saved_tensors[0] * grad


class Detached(torch.autograd.Function):
    """A square with a derivative that cannot be differentiated again, nor forwards."""

    @staticmethod
    def forward(ctx: Any, value: Any) -> Any:
        ctx.save_for_backward(value)
        return value * value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * grad


BROKEN: list[tuple[str, Callable[[Any, Any, Any, Any], Any], str]] = [
    ("every state is a site, and every result has the step's shape", forgetful, "['c'] are not among the sites"),
    (
        "every state is a site, and every result has the step's shape",
        changed(h=lambda h: h.sum(-1)),
        "h has shape (3,), expected (3, 6)",
    ),
    ("the step is pure", writing, "the step writes into its arguments"),
    ("the step is pure", Counting(), "the same arguments give another result"),
    ("unit j depends on unit j only (elementwise)", changed(h=lambda h: h - h.mean(-1, keepdim=True)), "say elementwise=False"),
    ("sequences of a batch do not mix", changed(h=lambda h: h - h.mean(0, keepdim=True)), "alone than in a batch"),
    ("packed sequences equal each one alone", changed(h=lambda h: h - h.mean(0, keepdim=True)), "differs when packed"),
    ("a sequence equals its steps, one call each", Counting(), "is not all there is"),
    ("recording changes nothing", Counting(), "results differ while they are recorded"),
    ("every site can be edited; a change by nothing changes nothing", deciding, "decides by the values of its tensors"),
    ("gradients equal finite differences", changed(h=Squared.apply), "Jacobian mismatch"),
    ("second gradients equal finite differences", detached, "Jacobian mismatch"),
    ("forward-mode derivatives equal backward-mode ones", detached, "implement the jvp"),
    ("vmap over inputs equals a loop", deciding, "vmap"),
    ("per-sample gradients by vmap equal a loop", detached, "vmap"),
    (
        "float32 and bfloat16 stay what they are",
        changed(h=lambda h: h.float()),
        "h of a step in torch.bfloat16 is torch.float32",
    ),
    ("large pre-activations give no NaN", changed(h=lambda h: h / h * h), "give NaN in ['h']"),
    ("the cell can be pickled, and equals itself", changed(), "define the step with def at the top of a module"),
]


@pytest.mark.parametrize(("promise", "step", "told"), BROKEN, ids=[f"{promise}: {told}" for promise, _, told in BROKEN])
def test_a_broken_promise_is_named(promise: str, step: Callable[[Any, Any, Any, Any], Any], told: str) -> None:
    with pytest.raises(CellError, match=re.escape(told)):
        check_promise(replace(lstm, name="broken", step=step), promise)


def test_all_that_are_broken_are_named_together() -> None:
    with pytest.raises(CellError, match=r"cell 'broken' breaks [2-9] of 17 promises:") as caught:
        check_cell(replace(lstm, name="broken", step=writing))
    assert "- the step is pure: the step writes into its arguments" in str(caught.value)


def test_a_step_with_a_derivative_of_its_own_keeps_it() -> None:
    """Its graph would not show it, so it is run as it is, and refuses to be edited."""
    cell = replace(lstm, name="own", step=changed(h=Squared.apply))
    layer = LSTM(2, 3, cell=cell, dtype=torch.float64)
    x = torch.randn(1, 1, 2, dtype=torch.float64)
    assert "does what its graph does not show" in dict(engines(layer, x))["cpp"]
    layer(x)[0].sum().backward()
    plain = LSTM(2, 3, cell=replace(lstm, name="plain", step=changed(h=torch.square)), dtype=torch.float64)
    plain.load_state_dict(layer.state_dict())
    plain(x)[0].sum().backward()
    torch.testing.assert_close(layer.weight_ih_l0.grad, 1.5 * plain.weight_ih_l0.grad)
    with pytest.raises(TypeError, match="does what its graph does not show"), edit(layer, {"l0.f": 1.0}):
        layer(x)


def test_every_promise_can_be_broken() -> None:
    assert {promise for promise, _, _ in BROKEN} | {ENGINES} == set(PROMISES)
