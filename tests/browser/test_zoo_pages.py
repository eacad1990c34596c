"""Models of the zoo in a real browser: their pages compute what the models answer, and hold up like all others."""

import re

import pytest
import torch
from browser import NARROW, WIDE, picture, scrolls_sideways, violations
from statsmodels.datasets import sunspots

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
    words = " ".join(page.locator(".start-card").inner_text().split())
    assert f"{model.card.about} Worth a look: {model.card.look}" in words


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light")])
def test_a_page_is_sound_at_every_size(viewport, scheme, tmp_path, open_page):
    path = tmp_path / "page.html"
    assert main(["explore", "zoo:an_bn", "--save", str(path)]) == 0
    page = open_page(path, fragment="view=layer", viewport=viewport, color_scheme=scheme)
    assert not scrolls_sideways(page) and violations(page) == []
    picture(page, f"zoo-an-bn-{viewport['width']}-{scheme}")


def test_an_answer_stands_in_the_unit_of_its_data(tmp_path, open_page):
    path, model = tmp_path / "page.html", zoo.load("sunspots")
    assert main(["explore", "zoo:sunspots", "--save", str(path)]) == 0
    assert model.form.scale is not None
    mean, spread = model.form.scale
    for item, year in ((3, 1965), (0, 1962)):
        assert model.form.sequences[item].endswith(f"for {year}")
        with torch.no_grad():
            said = float(model(model.example.input[:, item : item + 1])[0]) * spread + mean
        counted = sunspots.load_pandas().data.set_index("YEAR").SUNACTIVITY[year]
        page = open_page(path, fragment=f"view=unit&item={item}&time=39")
        words = page.locator(".dock").inner_text()
        found = [float(one.replace("−", "-")) for one in re.findall(r"after step 39: ([−\d.]+), should be ([−\d.]+)", words)[0]]
        assert found == pytest.approx([said, counted], rel=2e-3)
