"""Models of the zoo in a real browser: their pages compute what the models answer, and hold up like all others."""

import pytest
import torch
from browser import NARROW, WIDE, picture, scrolls_sideways, violations

from byhand import zoo
from byhand.__main__ import main

RUN = "() => { const { model, state } = document.querySelector('#byhand-explorer').byhand.store; return "
SQUASHES = {"none": lambda answer: answer, "softmax": lambda answer: torch.softmax(answer, -1)}


@pytest.mark.parametrize("name", ["companies", "an_bn"])
def test_a_page_answers_what_its_model_answers(name, tmp_path, open_page):
    path, model = tmp_path / "page.html", zoo.load(name)
    assert main(["explore", f"zoo:{name}", "--save", str(path)]) == 0
    page = open_page(path, fragment="view=unit")
    values = page.evaluate(RUN + "[...model.run(0, state.edits, null).head.data]; }")
    steps = len(model.example.input) if model.example.lengths is None else int(model.example.lengths[0])
    with torch.no_grad():
        y, _ = model.lstm(model.features(model.example.input[:steps, :1]))
        expected = SQUASHES[model.form.squash](model.head(y)).flatten()
    torch.testing.assert_close(torch.tensor(values), expected, rtol=1e-5, atol=1e-6)
    if name == "companies":  # of company A, whose price on the first day was 0
        assert values[-1] == pytest.approx(0, abs=0.1)
    else:  # the string is at its end, and T is all that may come
        assert values[-1] > 0.5 and model.symbols[-1] == "T"
    page = open_page(path, fragment="")  # as a stranger opens it: the card says what it is, and what is worth a look
    assert model.card.about in page.locator(".start").inner_text()
    assert model.card.look in page.locator(".start").inner_text()


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light")])
def test_a_page_is_sound_at_every_size(viewport, scheme, tmp_path, open_page):
    path = tmp_path / "page.html"
    assert main(["explore", "zoo:an_bn", "--save", str(path)]) == 0
    page = open_page(path, fragment="view=layer", viewport=viewport, color_scheme=scheme)
    assert not scrolls_sideways(page) and violations(page) == []
    picture(page, f"zoo-an-bn-{viewport['width']}-{scheme}")
