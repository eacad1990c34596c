"""Every function that a program can hold, in the page as in torch; and the maps of what the page does not compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from browser import Opener

import byhand
from byhand import cells
from byhand.explorer.document.document import document
from byhand.explorer.document.packing import levelled
from byhand.ir.program import COMPARISONS, FUNCTIONS

INF, NAN = float("inf"), float("nan")
STORE = "document.querySelector('#byhand-explorer').byhand.store"
ONE = [
    "sigmoid",
    "tanh",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "abs",
    "sign",
    "floor",
    "ceil",
    "round",
    "erf",
    "erfc",
    "sin",
    "cos",
    "tan",
]
ONE += ["asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "exp2", "log2", "neg"]
TWO = ["add", "sub", "mul", "div", "maximum", "minimum", "pow", "atan2"]
LOGIC = {"and": torch.logical_and, "or": torch.logical_or}


def everything(a: torch.Tensor, b: torch.Tensor) -> dict[str, torch.Tensor]:
    """All functions of two values, by name; masks as 1 and 0."""
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    found = {f"one_{name}": FUNCTIONS[name](a) for name in ONE}
    found |= {f"two_{name}": FUNCTIONS[name](a, b) for name in TWO}
    masks = {name: FUNCTIONS[name](a, b) for name in COMPARISONS}
    masks |= {name: function(a > 0.4, b > 0.5) for name, function in LOGIC.items()}
    found |= {f"two_{name}": torch.where(mask, one, zero) for name, mask in masks.items()}
    found["not"] = torch.where(torch.logical_not(a > 0.5), one, zero)
    found["where"] = torch.where(a > b, a * b, b)
    return found


def wild(x: Any, u: Any, s: Any, p: Any) -> Any:
    """All functions of anything: also where they have no value."""
    a, b = (x.a + u.a) * 2, x.b + u.b
    h = torch.tanh(a + b)
    return (h,), everything(a, b) | {"h": h}


def tame(x: Any, u: Any, s: Any, p: Any) -> Any:
    """All functions where they have a value and a slope; the state is made of all of them."""
    a, b = 0.15 + 0.7 * torch.sigmoid(x.a + u.a), 0.2 + 0.5 * torch.sigmoid(x.b + u.b)
    found = everything(a, b)
    found["one_acosh"] = torch.acosh(1 + a)
    total = a
    for value in found.values():
        total = total + value
    h = torch.tanh(0.1 * total - 4 * b)
    return (h,), {"a": a, "h": h}


def make(step: Any) -> tuple[byhand.LSTM, torch.Tensor]:
    torch.manual_seed(3)
    cell = cells.Cell(name=step.__name__, gates=("a", "b"), state=("h",), step=step)
    lstm = byhand.LSTM(2, 5, cell=cell, dtype=torch.float64)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return lstm, torch.randn(7, 1, 2, dtype=torch.float64)


def test_every_function_is_torchs(open_page: Opener) -> None:
    lstm, x = make(wild)
    assert {name.partition("_")[2] for name in lstm.cell.sites} >= set(FUNCTIONS) - {"where", "not"}
    with byhand.record(lstm) as trace, torch.no_grad():
        lstm(x)
    assert_torchs(open_page, lstm, x, trace)


SPECIAL = [  # a / 2, b
    *((0.5, one) for one in (NAN, INF, -INF)),
    *((-0.5, one) for one in (NAN, INF, -INF)),
    *((one, other) for one in (NAN, INF, -INF, 0.0, -0.0) for other in (NAN, INF, 0.0, 1.5, -2.0)),
]


def test_every_function_of_special_values_is_torchs(open_page: Opener) -> None:
    lstm = byhand.LSTM(
        1, len(SPECIAL), cell=cells.Cell(name="wild", gates=("a", "b"), state=("h",), step=wild), dtype=torch.float64
    )
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.zero_()
        lstm.get_parameter("bias_ih_l0").copy_(torch.tensor(SPECIAL, dtype=torch.float64).T.flatten())
    x = torch.ones(1, 1, 1, dtype=torch.float64)
    with byhand.record(lstm) as trace, torch.no_grad():
        lstm(x)
    assert_torchs(open_page, lstm, x, trace)


def assert_torchs(open_page: Opener, lstm: byhand.LSTM, x: torch.Tensor, trace: byhand.Trace) -> None:
    """Every site in the page is the recorded one."""
    page = open_page(document(lstm, x))
    sites = page.evaluate(
        f"Object.entries({STORE}.run().places.l0.sites).map(([name, {{ data }}]) => [name, [...data].map(String)])"
    )
    assert len(sites) == len(lstm.cell.sites)
    for name, values in sites:
        ours = torch.tensor([float(value.replace("Infinity", "inf")) for value in values], dtype=torch.float64)
        wanted = trace[f"l0.{name}"][:, 0]
        torch.testing.assert_close(ours.reshape(wanted.shape), wanted, atol=1e-9, rtol=1e-9, equal_nan=True, msg=name)


@pytest.mark.parametrize("edited", [False, True], ids=["as it is", "edited"])
def test_every_functions_slope_is_torchs(open_page: Opener, edited: bool) -> None:
    """As it is, byhand's own derivative program runs; at edited steps the page differentiates line by line."""
    lstm, x = make(tame)
    doc = document(lstm, x)
    assert {line[1] for line in doc["cell"]["program"]["lines"]} >= set(ONE) - {"neg"}
    page = open_page(doc)
    edits = [{"on": True, "kind": "site", "place": "l0", "site": "a", "time": None, "unit": 4, "value": 0.5}] if edited else []
    changes = {"l0.a": byhand.at(0.5, unit=4)} if edited else {}
    x.requires_grad_()
    with byhand.edit(lstm, changes), byhand.record(lstm, detach=False) as trace:
        lstm(x)
    (expected,) = torch.autograd.grad(trace["l0.h"][6, 0, 2], x)
    ours = page.evaluate(f"(edits) => [...{STORE}.model.listens(0, edits, null, 'l0', 'h', 2, 6).data]", edits)
    assert float(expected.abs().max()) > 1e-4
    torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64).reshape(7, 2), expected[:, 0], atol=1e-10, rtol=1e-9)


def test_what_the_page_does_not_compute_is_shown_as_recorded(open_page: Opener) -> None:
    torch.manual_seed(0)
    lstm, x = byhand.LSTM(3, 4, cell=cells.layernorm_lstm), torch.randn(9, 1, 3)
    with byhand.record(lstm) as trace, torch.no_grad():
        lstm(x)
    doc = document(lstm, x)
    assert not doc["computed"]
    maps = doc["items"][0]["maps"]["l0"]
    means = torch.stack([part.mean(0) for part in trace["l0.c"][:, 0, [1, 3]].split(4)])
    means[1, 0] = torch.nan
    maps["c"] = {"every": 4, "units": [1, 3], "values": levelled(means, "u1")}  # every second unit, the means of four steps
    page = open_page(doc)
    value = f"([site, unit, time]) => String({STORE}.model.value({STORE}.run(), [], null, 'l0', site, unit, time))"
    for time in range(9):
        assert float(page.evaluate(value, ["f", 2, time])) == pytest.approx(float(trace["l0.f"][time, 0, 2]), abs=1e-6)
        assert float(page.evaluate(value, ["c", 3, time])) == pytest.approx(float(means[time // 4, 1]), abs=0.01)
    assert page.evaluate(value, ["c", 1, 5]) == "NaN"
    assert page.evaluate(value, ["c", 2, 5]) == "NaN"  # not in the document
    assert "nothing can be changed here" in page.locator(".notices").inner_text()
    page.evaluate(f"{STORE}.edit({{ on: true, kind: 'site', place: 'l0', site: 'f', value: 0, time: 0, unit: 0 }})")
    assert page.evaluate(f"{STORE}.state.edits") == []


@pytest.mark.parametrize(
    ("squash", "function"),
    [("none", lambda y: y), ("softmax", lambda y: torch.softmax(y, -1)), ("sigmoid", torch.sigmoid)],
    ids=["none", "softmax", "sigmoid"],
)
def test_outputs_of_a_head(open_page: Opener, squash: str, function: Any) -> None:
    lstm, head = byhand.LSTM(2, 3, bidirectional=True).double(), torch.nn.Linear(6, 4).double()
    x = torch.randn(5, 1, 2, dtype=torch.float64) * 3
    page = open_page(document(lstm, x, head=head, squash=squash))
    values = page.evaluate(
        f"() => {{ const {{ model, state }} = {STORE}; return [...model.run(0, state.edits, null).head.data]; }}"
    )
    expected = function(head(lstm(x)[0])).flatten()
    torch.testing.assert_close(torch.tensor(values, dtype=torch.float64), expected, rtol=0, atol=1e-9)
