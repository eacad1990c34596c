"""Room: picture, arithmetic, first strips and time bar are in sight together; what opens comes into sight; a wide input is a map."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from browser import NARROW, Opener, picture, scrolls_sideways, settle, violations
from test_explorer_tour_window import overlap
from test_explorer_unit import Example, number, state
from torch import nn

import byhand
from byhand import LSTM, cells
from byhand.explorer.document.document import document

STORE = "document.querySelector('#byhand-explorer').byhand.store"
SIZES = {"1440x900": (1440, 900), "1280x720": (1280, 720), "1100x720": (1100, 720)}
PARTS = {"lstm": (cells.lstm, 2, 3), "many terms": (cells.lstm, 4, 64), "gru": (cells.gru, 3, 8)}


def in_sight(page: Any, selector: str) -> dict[str, float]:
    """The box of what must be in the window as a whole, clear of the bar at its foot."""
    box, window = page.locator(selector).first.bounding_box(), page.viewport_size
    foot = window["height"] if selector == ".time-bar" else page.locator(".dock").bounding_box()["y"]
    assert box["width"] > 0 and box["height"] > 0, selector
    assert box["x"] >= 0 and box["x"] + box["width"] <= window["width"], (selector, box)
    assert box["y"] >= 0 and box["y"] + box["height"] <= foot + 0.5, (selector, box, foot)
    return box


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("part", PARTS)
def test_what_matters_is_in_sight_together(open_page: Opener, part: str, size: str) -> None:
    cell, inputs, hidden = PARTS[part]
    width, height = SIZES[size]
    made = Example(cell, size=inputs, hidden=hidden).document
    page = open_page(made, fragment="view=unit&time=2&unit=1", viewport={"width": width, "height": height})
    settle(page)
    drawing = in_sight(page, "svg.unit-picture")
    assert 300 <= drawing["height"] <= 380
    worked = in_sight(page, ".worked")
    for selector in (".worked .result", ".hold", ".hold .handle", ".time-bar", ".strip >> nth=0", ".strip >> nth=1"):
        in_sight(page, selector)
    if height > 720:
        in_sight(page, ".strip >> nth=5" if part == "lstm" else ".strip >> nth=3")
    section, strips = page.locator("section.picture").bounding_box(), page.locator(".strips").bounding_box()
    assert worked["x"] >= section["x"] + section["width"] and worked["y"] == pytest.approx(section["y"], abs=1)
    assert strips["y"] >= section["y"] + section["height"]
    assert strips["x"] == pytest.approx(section["x"], abs=1)
    assert strips["x"] + strips["width"] == pytest.approx(worked["x"] + worked["width"], abs=1)
    shown = [page.locator(f".worked {one}").first.bounding_box() for one in (".numbers", ".sentence", ".hold")]
    terms = page.locator(".worked .terms").first.bounding_box()
    assert not any(overlap(one, other) for one, other in [(terms, shown[0]), *pairwise(shown)])
    assert not scrolls_sideways(page)
    picture(page, f"room-{part.replace(' ', '-')}-{size}")


@pytest.mark.parametrize("size", SIZES)
def test_letting_go_stands_beside_holding(open_page: Opener, size: str) -> None:
    page = open_page(Example().document, viewport=dict(zip(("width", "height"), SIZES[size], strict=True)))
    page.get_by_role("button", name="shut").first.click()
    settle(page)
    worked, shut, go = (
        page.locator(one).first.bounding_box() for one in (".worked", ".hold button", ".hold button:has-text('let go')")
    )
    assert go["y"] == pytest.approx(shut["y"], abs=1)
    assert go["x"] + go["width"] <= worked["x"] + worked["width"] and go["y"] + go["height"] <= worked["y"] + worked["height"]


def test_more_terms_scroll_inside_and_the_result_stays(open_page: Opener) -> None:
    page = open_page(Example(hidden=64).document, fragment="view=unit&time=2&node=f", viewport={"width": 1280, "height": 720})
    more = page.locator(".worked .more")
    more.click()
    settle(page)
    page.wait_for_timeout(400)  # it scrolls smoothly
    assert page.locator(".worked .term").count() > 60
    assert page.evaluate("scrollY") == 0
    list_box = page.locator(".worked .terms").bounding_box()
    row = page.locator(".worked .term").nth(9).bounding_box()
    assert list_box["y"] <= row["y"] and row["y"] + row["height"] <= list_box["y"] + list_box["height"]
    in_sight(page, ".worked .result")
    in_sight(page, ".hold .handle")
    assert page.evaluate("document.activeElement.className") == "more"
    assert violations(page) == []


def test_on_a_phone_what_opens_comes_into_sight_and_nothing_jumps(open_page: Opener) -> None:
    page = open_page(
        Example(hidden=24).document,
        fragment="view=unit&time=2&node=f",
        viewport=NARROW,
        reduced_motion="reduce",
        has_touch=True,
    )
    settle(page)
    assert page.evaluate("scrollY") == 0
    page.locator('.unit-picture .node.gate[data-opens="o"]').click()
    settle(page)
    settle(page)
    title = in_sight(page, ".worked header")
    assert page.locator(".worked h2").inner_text() == "Output gate" and title["y"] < 640
    there = page.evaluate("scrollY")
    assert there > 0
    page.locator(".strip-name").first.evaluate("(one) => one.click()")
    settle(page)
    in_sight(page, ".worked header")
    page.evaluate("scrollTo(0, 0)")
    page.locator(".equations summary").click()
    settle(page)
    in_sight(page, ".equations")
    assert page.evaluate("scrollY") == 0, "it was in sight already"
    page.locator('.unit-picture .node.gate[data-opens="f"]').click()
    settle(page)
    more = page.locator(".worked .more")
    more.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    more.click()
    settle(page)
    in_sight(page, ".worked .term >> nth=10")
    assert page.evaluate("scrollY") - before < 400, "not to the end of the list"


def test_the_table_is_a_drawer(open_page: Opener) -> None:
    page = open_page(Example().document, fragment="view=unit&time=2", viewport={"width": 1280, "height": 720})
    gate = page.locator('.unit-picture .node.gate[data-opens="f"]')
    gate.focus()
    page.keyboard.press("t")
    settle(page)
    page.wait_for_timeout(300)
    drawer = in_sight(page, ".drawer")
    head = page.locator(".head").bounding_box()
    assert drawer["x"] + drawer["width"] == pytest.approx(1280, abs=1) and drawer["x"] > 500
    assert drawer["y"] == pytest.approx(head["y"] + head["height"], abs=1)
    assert page.evaluate("document.querySelector('.drawer').contains(document.activeElement)"), "the focus went in"
    assert violations(page) == []
    picture(page, "drawer-wide")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert state(page)["time"] == 3
    assert page.locator(".drawer tr[aria-current] th").inner_text() == "3"
    page.locator('.unit-picture .node.gate[data-opens="i"]').click()
    assert state(page)["node"] == "i", "the view behind stays usable"
    assert state(page)["table"] is True
    page.locator(".drawer [role=region]").first.focus()
    page.keyboard.press("Escape")
    settle(page)
    assert state(page)["table"] is False and not page.locator(".drawer").is_visible()
    assert page.evaluate("document.activeElement.dataset.opens") == "i", "and came back"
    page.get_by_role("button", name="data table (t)").click()
    settle(page)
    page.get_by_role("button", name="close the table (esc)").click()
    settle(page)
    assert page.get_by_role("button", name="data table (t)").evaluate("(one) => one === document.activeElement")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_drawer_comes_from_below(open_page: Opener, scheme: str) -> None:
    page = open_page(Example().document, fragment="view=layer&time=2&table=1", viewport=NARROW, color_scheme=scheme)
    settle(page)
    page.wait_for_timeout(300)
    drawer, dock = page.locator(".drawer").bounding_box(), page.locator(".dock").bounding_box()
    assert (drawer["x"], drawer["width"]) == (0, 360)
    assert drawer["y"] + drawer["height"] == pytest.approx(dock["y"], abs=1) and drawer["y"] > 200
    assert page.evaluate("document.activeElement === document.body"), "what the address opens takes no focus away"
    assert not scrolls_sideways(page)
    assert violations(page) == []
    page.keyboard.press("Escape")
    settle(page)
    assert not page.locator(".drawer").is_visible()


INK = """(canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Map();
    for (let at = 0; at < data.length; at += 4) {
        const key = data.slice(at, at + 3).join();
        seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    return [...seen.values()].sort((a, b) => b - a);
}"""


@pytest.mark.parametrize("features", [28, 64, 784])
def test_a_wide_input_is_a_map_with_the_largest_named(open_page: Opener, features: int) -> None:
    torch.manual_seed(2)
    x = torch.zeros(12, 1, features)
    hot = torch.randint(features, (12,)).tolist()
    for time, column in enumerate(hot):
        x[time, 0, column] = 1 + time / 10
    x[7, 0, 3] = -5
    for viewport in ({"width": 1280, "height": 720}, NARROW):
        page = open_page(
            byhand.explore(LSTM(features, 5), x).document, fragment="view=unit&time=4&node=input", viewport=viewport
        )
        settle(page)
        strip = page.locator(".strip").first
        assert strip.locator("svg").is_hidden() and strip.locator("canvas").is_visible()
        shades = strip.locator("canvas").evaluate(INK)
        assert len(shades) > 5 and sum(shades[1:]) > 0.01 * sum(shades), "one value among many is not averaged away"
        port = page.locator('.unit-picture .node[data-opens="input"]')
        for time, index, value in ((4, hot[4], 1.4), (7, 3, -5.0)):
            page.evaluate(f"(time) => {STORE}.set({{ time }})", time)
            settle(page)
            assert number(strip.locator(".strip-figure").inner_text()) == pytest.approx(value)
            assert strip.locator(".strip-note").inner_text() == f"input {index}"
            says = f"{features} values, the largest: input {index} = {value:.2f}".replace("-", "−")
            assert port.locator(".title").text_content() == says
            cells_drawn = port.locator(".cells rect")
            assert 5 <= cells_drawn.count() <= 30
            marked = cells_drawn.evaluate_all(
                "(all) => all.map((one) => [+one.style.fillOpacity > 0, one.classList.contains('below')])"
            )
            inked = {index, hot[time]} if time == 7 else {index}  # at step 7 there are two values
            assert sum(ink for ink, _ in marked) == len({one * len(marked) // features for one in inked})
            assert any(below for _, below in marked) == (value < 0)
            named = page.locator(".worked .term .label").all_inner_texts()
            assert len(named) == 8 and f"input {index}" in named, "the arithmetic begins with the largest"
        assert not scrolls_sideways(page)
        picture(page, f"wide-{features}-{viewport['width']}")


def test_letters_and_upper_layers_are_named(open_page: Opener) -> None:
    letters = "etaoin shrdlu"
    x = nn.functional.one_hot(torch.tensor([letters.index(one) for one in "another land"]), len(letters)).float().unsqueeze(1)
    lstm = LSTM(len(letters), 6, 2)
    page = open_page(document(lstm, x, characters="another land", features=list(letters)), fragment="view=unit&time=3")
    note, figure = page.locator(".strip-note").first, page.locator(".strip-figure").first
    assert (note.inner_text(), figure.inner_text()) == ("“t”", "1.00")
    page.evaluate(f"{STORE}.set({{ time: 7 }})")
    settle(page)
    assert note.inner_text() == "“␣”"
    page.evaluate(f"{STORE}.set({{ place: 'l1' }})")
    settle(page)
    with byhand.record(lstm) as trace, torch.no_grad():
        lstm(x)
    below = trace["l0.h"][7, 0]
    assert note.inner_text() == f"unit {int(below.abs().argmax())} of l0"
    assert number(figure.inner_text()) == pytest.approx(below[below.abs().argmax()].item(), abs=0.0051)


def test_a_few_features_stay_lines(open_page: Opener) -> None:
    page = open_page(Example(size=4).document, fragment="view=unit&time=2")
    settle(page)
    strip = page.locator(".strip").first
    assert strip.locator("svg .now").count() == 4 and strip.locator("canvas").is_hidden()
    assert page.locator('.unit-picture .node[data-opens="input"] .value').text_content() == "4 values"
