"""The explorer's tour: every stage is solved by doing what it says; the reader's own model is not touched."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
import torch
from browser import NARROW, settle, violations

import byhand
from byhand import LSTM
from byhand.explorer.document.document import document
from byhand.tasks.companies import PRICES
from tools import companies_document

STAGES = 10


def type_into(page: Any, key: str, value: str) -> None:
    """Focus a handle by its key, and type."""
    page.locator(f'.tour .worked [role=spinbutton][data-key="{key}"]').focus()
    page.keyboard.type(value)
    page.keyboard.press("Enter")


def hold(page: Any, how: str, *, everywhere: bool = False) -> None:
    if everywhere:
        page.get_by_label("at which steps").select_option("all")
    page.locator(".tour .hold").get_by_role("button", name=how, exact=True).click()


def arrives(page: Any) -> None:
    page.get_by_role("button", name="day 2").click()


def open_long_memory(page: Any) -> None:
    page.locator('.tour .node.port[data-opens="c"]').click()


def drag_price(page: Any) -> None:
    box = page.locator('.tour [data-key="input 0"]').bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 70, box["y"] + 8, steps=8)
    page.mouse.up()


def survive(page: Any) -> None:
    page.locator(".share-gate").focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    settle(page)
    assert "done" not in page.locator(".tour-try").get_attribute("class").split()
    page.keyboard.press("End")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")


WAYS = [
    arrives,
    open_long_memory,
    drag_price,
    lambda page: hold(page, "shut"),
    lambda page: hold(page, "shut", everywhere=True),
    lambda page: type_into(page, "input 0", "0"),
    lambda page: type_into(page, "s.c 0", "2"),
    lambda page: (page.get_by_label("at which steps").select_option("one"), hold(page, "shut")),
    lambda page: type_into(page, "input 0", "1"),
    survive,
]


@pytest.fixture(scope="module")
def own() -> dict[str, Any]:
    """The reader's model, which is not the tour's."""
    torch.manual_seed(0)
    return document(LSTM(2, 3), torch.randn(6, 1, 2))


def test_the_page_holds_what_python_makes_of_the_companies() -> None:
    text = companies_document.TARGET.read_text(encoding="utf-8")
    assert text == companies_document.written(), "python tools/companies_document.py"
    inside = json.loads(text[text.index("= {") + 2 :].rstrip().removesuffix(";"))
    assert inside == json.loads(json.dumps(companies_document.companies()))


def test_the_numbers_are_the_published_ones() -> None:
    prices = torch.tensor(PRICES, dtype=torch.float64).T.unsqueeze(-1)
    lstm = companies_document.unit()
    with byhand.record(lstm) as trace:
        lstm(prices)
    assert trace["l0.h"][:, 1, 0].tolist() == pytest.approx([0.2764, 0.6117, 0.8670, 0.9694], abs=5e-5)
    assert trace["l0.c"][:, 0, 0].tolist() == pytest.approx([-0.2012, -0.2022, -0.3246, 0.0153], abs=5e-5)


def test_all_stages_are_solved_by_doing_what_they_say(open_page: Any, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="view=tour")
    for number, way in enumerate(WAYS):
        settle(page)
        assert page.locator(".tour-words h2").inner_text().startswith(f"{number + 1}. ")
        box = page.locator(".tour-try")
        assert "done" not in box.get_attribute("class").split(), f"stage {number + 1} is done before anything is"
        way(page)
        settle(page)
        assert "done" in box.get_attribute("class").split(), f"stage {number + 1} is not done"
        assert len(page.locator(".tour-said").inner_text()) > 40
        assert page.locator(".dot.solved").count() == number + 1
        page.locator(".tour-buttons .primary").click()
    settle(page)
    state = page.evaluate("document.querySelector('#byhand-explorer').byhand.store.state")
    assert state["view"] == "unit"
    assert state["edits"] == []
    assert page.locator(".unit-view").is_visible()


def said_numbers(page: Any) -> list[float]:
    text = page.locator(".tour-said").inner_text().replace("−", "-")
    return [float(one) for one in re.findall(r"-?\d+\.\d+", text)]


def test_what_is_said_is_what_torch_finds(open_page: Any, own: dict[str, Any]) -> None:
    """Stage 4: the forget gate of company B held shut on day 2."""
    page = open_page(own, fragment="view=tour&stage=3")
    hold(page, "shut")
    settle(page)
    lstm = companies_document.unit()
    prices = torch.tensor(PRICES, dtype=torch.float64).T.unsqueeze(-1)[:, 1:]
    with torch.no_grad():
        before, _ = lstm(prices)
        with byhand.edit(lstm, {"l0.f": byhand.at(0.0, time=1)}), byhand.record(lstm) as trace:
            after, _ = lstm(prices)
    expected = [trace["l0.c"][1, 0, 0].item(), before[3].item(), after[3].item()]
    assert said_numbers(page) == pytest.approx(expected, abs=0.0051)


def test_other_deeds_do_not_solve_a_stage(open_page: Any, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="view=tour&stage=8")
    type_into(page, "input 0", "0.2")
    settle(page)
    assert "done" not in page.locator(".tour-try").get_attribute("class").split()
    page.locator(".tour-buttons").get_by_role("button", name="Start this stage over").click()
    settle(page)
    assert page.locator(".days td.changed").count() == 0


def test_the_tour_by_keys_alone(open_page: Any, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="view=tour")
    for number in range(STAGES):
        settle(page)
        assert page.locator('.dot[aria-current="step"]').inner_text() == str(number + 1)
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert page.locator('.dot[aria-current="step"]').inner_text() == str(STAGES - 1)
    page.locator(".tour-buttons").get_by_role("button", name="Leave the tour").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator(".unit-view").is_visible()


def test_undo_in_the_tour_takes_back_the_tours_change(open_page: Any, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="view=tour&stage=5")
    type_into(page, "input 0", "0")
    settle(page)
    assert page.locator(".days td.changed").count() > 0
    page.keyboard.press("Escape")
    page.locator(".tour-words h2").focus()
    page.keyboard.press("u")
    settle(page)
    assert page.locator(".days td.changed").count() == 0


def test_the_last_stage_computes_what_survives(open_page: Any, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="view=tour&stage=9")
    for name, kind, value in (("share-gate", "LSTM", 0.995), ("share-weight", "plain RNN", 1.55)):
        page.locator(f".{name}").evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
        )
        text = page.locator(".survival-says").inner_text()
        factor = value if kind == "LSTM" else value * (1 - 0.6**2)
        share = factor**100
        found = re.search(rf"{kind} (\d+(?:\.\d+)?) %", text)
        assert found, text
        assert float(found[1]) == pytest.approx(100 * share, rel=0.06)
        path = page.locator(f".survives.{'lstm' if kind == 'LSTM' else 'rnn'} path").get_attribute("d")
        heights = [float(point.split(",")[1]) for point in path.removeprefix("M").split("L")]
        assert len(heights) == 101
        slope = (heights[100] - heights[0]) / 100
        assert slope == pytest.approx(-math.log10(factor) * (220 - 34 - 10) / 14, abs=0.01)


def test_on_a_phone_nothing_is_cut(open_page: Any, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="view=tour", viewport=NARROW)
    for _ in range(STAGES):
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator(".tour-buttons .primary").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Any, own: dict[str, Any], scheme: str) -> None:
    page = open_page(own, fragment="view=tour", color_scheme=scheme)
    for _ in range(STAGES):
        settle(page)
        assert violations(page) == []
        page.locator(".tour-buttons .primary").click()
