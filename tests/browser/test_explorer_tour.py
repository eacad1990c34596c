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
    lambda page: hold(page, "shut"),
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


def numbers(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?\d+\.\d+", text.replace("−", "-"))]


def prices(company: int) -> torch.Tensor:
    return torch.tensor(PRICES[company], dtype=torch.float64).reshape(-1, 1, 1)


def values(company: int, held: dict[str, Any] | None = None, first: float | None = None, at: int = 0) -> dict[str, list[float]]:
    """The sites of the unit over the four days by the library itself; first: another price, on the day `at`."""
    lstm, x = companies_document.unit(), prices(company)
    if first is not None:
        x[at] = first
    with torch.no_grad(), byhand.edit(lstm, held or {}), byhand.record(lstm) as trace:
        lstm(x)
    return {site: trace[f"l0.{site}"][:, 0, 0].tolist() for site in ("f", "i", "g", "o", "c", "h")}


def shut(site: str, time: int | None) -> dict[str, Any]:
    return {f"l0.{site}": byhand.at(0.0) if time is None else byhand.at(0.0, time=time)}


def expected(stage: int, page: Any) -> tuple[list[float], list[float]]:
    """What the library finds for the numbers in a stage's text, and in what it says once it is done as in WAYS."""
    a, b = values(0), values(1)
    changed = numbers(page.locator(".days .row-input td").nth(1 if stage == 2 else 0).inner_text())[-1]
    wiped, silent, written = shut("f", 1), shut("o", 3), {"l0.c": byhand.at(2.0, time=1)}
    f, o, two = values(1, wiped), values(1, silent), values(0, written)
    return [
        ([0.0, 1.0], [0.5, a["h"][0], a["h"][1]]),
        ([], [b["c"][0], b["c"][1]]),
        ([], [a["f"][1], values(0, first=changed, at=1)["f"][1]]),
        ([1.0, b["c"][0]], [f["c"][1], b["h"][3], f["h"][3], values(0, wiped)["h"][3]]),
        ([], [values(1, shut("i", None))["h"][3], b["h"][3]]),
        ([], [values(1, first=0.0)["g"][0], values(1, first=0.0)["c"][0], b["c"][0]]),
        ([], [2.0, two["c"][3]]),
        ([], [o["h"][3], b["h"][3], b["c"][3]]),
        ([], [1.0, 0.0, a["h"][3], values(0, first=1.0)["h"][3]]),
        ([], [0.995]),
    ][stage]


ORDERS = [range(STAGES), [9, 4, 7, 3, 8, 6, 5, 2, 1, 0]]  # 4, the input gate shut at all steps, comes right before 7


@pytest.mark.parametrize("order", ORDERS, ids=["in order", "otherwise"])
def test_every_number_that_is_said_is_what_torch_finds(open_page: Any, own: dict[str, Any], order: list[int]) -> None:
    page = open_page(own, fragment=f"view=tour&stage={order[0]}")
    for stage in order:
        page.locator(".tour .dot").nth(stage).click()
        settle(page)
        assert page.locator(".tour-said").text_content() == ""
        text = numbers(page.locator(".tour-text").inner_text())
        WAYS[stage](page)
        settle(page)
        in_text, in_said = expected(stage, page)
        assert text == pytest.approx(in_text, abs=0.0051), stage + 1
        said = page.locator(".tour-said").inner_text()
        assert numbers(said) == pytest.approx(in_said, abs=0.0051), (stage + 1, said)
        if stage == 6:
            two = values(0, {"l0.c": byhand.at(2.0, time=1)})
            assert [int(one) for one in re.findall(r"(\d+) %", said)] == [round(100 * gate) for gate in two["f"][2:]]
        if stage == 9:
            assert f"{round(100 * 0.995**100)} %" in said


def test_the_claims_without_numbers_hold_for_the_unit() -> None:
    """Companies A and B differ on day 1 alone; day 1 reaches day 4 in both memories; what is not passed on stays in c."""
    assert (prices(0) != prices(1)).flatten().tolist() == [True, False, False, False]
    a, b = values(0), values(1)
    both, long_wiped = b["h"][3] - a["h"][3], values(1, shut("f", 1))["h"][3] - values(0, shut("f", 1))["h"][3]
    short_wiped = values(1, shut("h", 0))["h"][3] - values(0, shut("h", 0))["h"][3]
    assert both > long_wiped > 0.5
    assert both > short_wiped > 0.5
    neither = shut("f", 1) | shut("h", 0)
    assert values(1, neither)["h"][3] == values(0, neither)["h"][3]
    assert values(1, shut("o", 3))["c"] == b["c"]
    assert values(1, shut("i", None))["c"] == [0.0] * 4


def test_nothing_is_said_that_is_no_longer_so(open_page: Any, own: dict[str, Any]) -> None:
    """The output gate held shut at all steps: the long memory is another one, and the words say which."""
    page = open_page(own, fragment="view=tour&stage=4")
    hold(page, "shut", everywhere=True)
    page.locator(".tour .dot").nth(7).click()
    settle(page)
    assert page.get_by_label("at which steps").input_value() == "one"
    hold(page, "shut", everywhere=True)
    settle(page)
    said = page.locator(".tour-said").inner_text()
    silent = values(1, shut("o", None))
    assert "still" not in said
    assert numbers(said) == pytest.approx([0.0, values(1)["h"][3], silent["c"][3], values(1)["c"][3]], abs=0.0051)
    page.locator(".tour .hold").get_by_role("button", name="let go").click()
    settle(page)
    assert page.locator(".tour-said").text_content() == ""
    page.locator(".tour .dot").nth(3).click()
    hold(page, "shut")
    settle(page)
    page.get_by_role("button", name="company A").click()
    settle(page)
    b, wiped = values(1), shut("f", 1)
    assert numbers(page.locator(".tour-said").inner_text()) == pytest.approx(
        [values(0, wiped)["c"][1], b["h"][3], values(1, wiped)["h"][3], values(0, wiped)["h"][3]], abs=0.0051
    )


def test_a_stage_begins_as_it_is_written(open_page: Any, own: dict[str, Any]) -> None:
    """Also a second time: the slider of the last stage goes back, and the companies' own gates are its beginning."""
    page = open_page(own, fragment="view=tour&stage=9")
    mean = sum(sum(values(company)["f"]) for company in (0, 1)) / 8
    for _ in range(2):
        settle(page)
        assert float(page.locator(".share-gate").input_value()) == pytest.approx(mean, abs=0.0006)
        survive(page)
        page.locator(".tour .dot").nth(0).click()
        settle(page)
        page.locator(".tour .dot").nth(9).click()
        settle(page)
        assert "done" not in page.locator(".tour-try").get_attribute("class").split()


@pytest.mark.parametrize("stage", [2, 5, 8])
def test_to_choose_the_other_company_is_no_deed(open_page: Any, own: dict[str, Any], stage: int) -> None:
    page = open_page(own, fragment=f"view=tour&stage={stage}")
    for company in ("company A", "company B"):
        page.get_by_role("button", name=company).click()
        for day in range(1, 5):
            page.get_by_role("button", name=f"day {day}").click()
            settle(page)
            assert page.locator(".tour-said").text_content() == ""


def test_other_deeds_do_not_solve_a_stage(open_page: Any, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="view=tour&stage=8")
    type_into(page, "input 0", "0.2")
    settle(page)
    assert "done" not in page.locator(".tour-try").get_attribute("class").split()
    page.locator(".tour-buttons").get_by_role("button", name="Start this stage over").click()
    settle(page)
    assert page.locator(".days td.changed").count() == 0


def current(page: Any) -> tuple[str, str]:
    settle(page)
    return page.locator('.dot[aria-current="step"]').inner_text(), page.locator('.day[aria-pressed="true"]').last.inner_text()


@pytest.mark.parametrize("after_a_click", [False, True])
def test_the_tour_by_keys_alone(open_page: Any, own: dict[str, Any], after_a_click: bool) -> None:
    """Arrows move the day, Enter the stage; also after a click on the tour's tab."""
    page = open_page(own, fragment="view=unit" if after_a_click else "view=tour")
    if after_a_click:
        page.get_by_role("tab", name="Tour").click()
    assert current(page) == ("1", "day 1")
    page.keyboard.press("ArrowRight")
    assert current(page) == ("1", "day 2")
    assert "done" in page.locator(".tour-try").get_attribute("class").split()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert current(page) == ("1", "day 1")
    for number in range(1, STAGES):
        page.keyboard.press("Enter")
        assert current(page)[0] == str(number + 1)
    page.keyboard.press("Shift+Enter")
    assert current(page)[0] == str(STAGES - 1)
    page.locator(".tour-buttons").get_by_role("button", name="Back").focus()
    page.keyboard.press("Enter")  # the button's own
    assert current(page)[0] == str(STAGES - 2)
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
