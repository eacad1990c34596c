"""Two models, or two states of one, under one cursor: their maps, their difference, and how much gradient gets through."""

from typing import Any

import documents
import pytest
import torch
from browser import NARROW, WIDE, Opener, picture, scrolls_sideways, violations
from torch import Tensor

import byhand
from byhand import cells

SURVIVES = """time => {
  const { model } = document.querySelector('#byhand-explorer').byhand.store;
  return model.survives(1, [], null, time);
}"""
STEPS = 100


def pair(**options: Any) -> tuple[list[byhand.LSTM], Tensor, dict[str, Any]]:
    """An LSTM and a plain RNN on the same two sequences; the document of both."""
    torch.manual_seed(0)
    x = torch.randn(STEPS, 2, 3, dtype=torch.float64)
    layers = [byhand.LSTM(3, 7, cell=cell, dtype=torch.float64, **options) for cell in (cells.lstm, cells.rnn)]
    beside = byhand.explore(layers[1], x, title="A plain RNN")
    return layers, x, byhand.explore(layers[0], x, title="An LSTM", beside=beside).document


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=["one layer", "two, both ways"])
def test_the_gradient_that_survives_is_autograd_s(open_page: Opener, options: dict[str, Any]) -> None:
    layers, x, document = pair(**options)
    x.requires_grad_()
    page = open_page(document, fragment="view=compare&item=1")
    for time in (0, 60, STEPS - 1):
        y, _ = layers[0](x[:, 1:])
        (expected,) = torch.autograd.grad(y[time].norm(), x)
        found = torch.tensor(page.evaluate(SURVIVES, time), dtype=torch.float64)
        torch.testing.assert_close(found, expected[:, 1].norm(dim=-1), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow, dark"])
def test_two_models_stand_side_by_side(open_page: Opener, viewport: dict[str, int], scheme: str) -> None:
    _, _, document = pair()
    page = open_page(document, fragment=f"view=compare&time={STEPS - 1}", viewport=viewport, color_scheme=scheme)
    assert page.get_by_label("side B").input_value() == "beside"
    page.locator("[data-panel=gradients] path.b").wait_for()
    assert page.locator(".compare-name b").all_inner_texts() == ["h"]  # all that both have
    assert "Only A has" in page.locator(".compare-main").inner_text()
    label = page.locator("[data-panel=gradients] svg").get_attribute("aria-label")
    assert "A:" in label
    assert "B:" in label
    assert violations(page) == []
    assert not scrolls_sideways(page)
    picture(page, f"compare-{viewport['width']}", full_page=True)


def test_before_and_after_a_change(open_page: Opener) -> None:
    answer = {"at": "last", "kind": "numbers", "spreads": None, "offsets": None}
    page = open_page(documents.companies() | {"answer": answer}, fragment="view=compare&edits=l0.f~1~all~0")
    assert page.get_by_label("side B").input_value() == "changed"
    answers = page.locator(".compare-answer").all_inner_texts()
    assert len(set(answers)) == 2
    names = page.locator(".compare-name").all_inner_texts()
    assert names[0].startswith("f")
    assert "differ by" in names[0]
    page.get_by_label("side A").select_option("epoch0")
    page.wait_for_function("() => location.hash.includes('sides=epoch0')")
    assert page.locator(".compare-answer").all_inner_texts()[0] != answers[0]
    box = page.locator(".compare-maps .map-box").nth(2)
    box.click(position={"x": box.bounding_box()["width"] - 3, "y": 5})
    assert page.evaluate("document.querySelector('#byhand-explorer').byhand.store.state.time") == 3


def test_another_model_has_to_read_the_same_sequences() -> None:
    layers, x, _ = pair()
    with pytest.raises(ValueError, match=r"of 100, 100 steps; got 99, 99"):
        byhand.explore(layers[0], x, beside=byhand.explore(layers[1], x[1:]))
    with pytest.raises(TypeError, match=r"byhand\.explore\(other, x\); got a LSTM"):
        byhand.explore(layers[0], x, beside=layers[1])  # pyright: ignore[reportArgumentType]
