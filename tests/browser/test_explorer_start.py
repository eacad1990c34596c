"""The start card: what a stranger sees first, the two ways on, and that it asks once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import documents
import pytest
import torch
from browser import NARROW, Opener, picture, scrolls_sideways, settle, show, violations
from test_explorer_tour_window import SIZES, overlap, seen_whole

from byhand import LSTM
from byhand.explorer.document.document import document
from byhand.explorer.hosts.page import static

STORE = "document.querySelector('#byhand-explorer').byhand.store"
CARD, TOUR, PLAY = ".start-card", ".start-ways button.primary", ".start-ways button.outlined"
ABOUT = "Reads three numbers a step and remembers the first."


@pytest.fixture(scope="module")
def doc() -> dict[str, Any]:
    torch.manual_seed(0)
    return document(LSTM(3, 4), torch.randn(7, 3, 3), about=ABOUT, title="Mine") | {"telling": 2}


def state(page: Any) -> dict[str, Any]:
    settle(page)
    return page.evaluate(f"{STORE}.state")


def where(page: Any) -> tuple[str, int, int]:
    found = state(page)
    return found["view"], found["item"], found["time"]


def asks(page: Any) -> bool:
    settle(page)
    return page.locator(CARD).count() > 0


def address(page: Any, expected: str) -> None:
    """The page writes it a moment later."""
    page.wait_for_url(lambda url: expected in url)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_card_is_in_sight_whole_and_accessible(open_page: Opener, doc: dict[str, Any], size: str, scheme: str) -> None:
    width, height = SIZES[size]
    page = open_page(doc, fragment="", viewport={"width": width, "height": height}, color_scheme=scheme)
    page.wait_for_selector(CARD)
    seen_whole(page, CARD)
    boxes = [seen_whole(page, part) for part in (f"{CARD} h2", TOUR, PLAY, f"{CARD} > button.icon")]
    assert not any(overlap(one, other) for k, one in enumerate(boxes) for other in boxes[:k])
    assert page.locator(f"{CARD} h2").inner_text() == ABOUT
    assert page.locator(".start-title").inner_text() == "Mine"
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "nothing has to be scrolled"
    assert not scrolls_sideways(page)
    assert violations(page) == []
    picture(page, f"start-{size}-{scheme}")


def test_behind_the_card_the_most_telling_sequence_goes_by(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc, fragment="")
    shown = ".start-picture .unit-picture [data-id='x'] text, .start-picture .unit-picture .value"
    seen: set[str] = set()
    for _ in range(60):
        seen.add(" ".join(page.locator(shown).all_text_contents()))
        if len(seen) > 1:
            break
        page.wait_for_timeout(100)
    assert len(seen) > 1, "it stands still"
    assert page.evaluate("location.hash") == "", "what moves there leaves no trace"
    assert where(page) == ("unit", 2, 6)


def test_with_reduced_motion_it_stands_at_the_last_step(open_page: Opener, doc: dict[str, Any]) -> None:
    still = open_page(doc, fragment="", reduced_motion="reduce")
    value = ".start-picture .unit-picture .value"
    before = still.locator(value).all_text_contents()
    still.wait_for_timeout(2200)
    assert still.locator(value).all_text_contents() == before
    still.locator(PLAY).click()
    settle(still)
    assert still.locator(".unit-view .unit-picture .value").all_text_contents() == before


@pytest.mark.parametrize("way", ["play", "close", "escape"])
def test_play_opens_the_unit_at_the_last_step_of_the_most_telling_sequence(
    open_page: Opener, doc: dict[str, Any], way: str
) -> None:
    page = open_page(doc, fragment="")
    assert asks(page)
    if way == "escape":
        page.keyboard.press("Escape")
    else:
        page.locator(PLAY if way == "play" else f"{CARD} > button.icon").click()
    assert not asks(page)
    assert where(page) == ("unit", 2, 6)
    assert page.locator(".unit-view").is_visible() and page.locator(".time-bar").is_visible()
    address(page, "view=unit&item=2&time=6")
    page.reload()
    page.wait_for_selector(".unit-view")
    assert not asks(page) and where(page) == ("unit", 2, 6)


def test_the_tour_from_the_card_and_back_to_ones_own_model(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc, fragment="")
    page.locator(TOUR).click()
    settle(page)
    assert page.locator(".tour-words h2").inner_text().startswith("1. ")
    assert page.locator(".tour .days").is_visible()
    page.get_by_role("button", name="Leave the tour").click()
    assert where(page) == ("unit", 2, 6)
    assert page.locator(".head .title").inner_text() == "Mine"


@pytest.mark.parametrize(
    "kind", ["companies", "text", "both_ways", "not_computed", "of_a_trace", "smallest", "hostile"], ids=str
)
def test_every_kind_of_document_has_a_card_a_tour_and_a_way_back(open_page: Opener, kind: str) -> None:
    made = getattr(documents, kind)()
    page = open_page(made, fragment="", viewport=NARROW)
    seen_whole(page, CARD)
    seen_whole(page, TOUR)
    assert page.locator(f"{CARD} h2").inner_text() == made["about"]
    assert violations(page) == []
    page.locator(TOUR).click()
    settle(page)
    assert page.locator(".tour-task").is_visible()
    page.get_by_role("tab", name="Unit").click()
    item = made["telling"]
    assert where(page) == ("unit", item, made["items"][item]["steps"] - 1)
    assert page.locator(".unit-view").is_visible()


def test_by_keys_alone(open_page: Opener, doc: dict[str, Any]) -> None:
    """The first way on has the focus; digits are views, the steps' keys are not meant for what is behind the card."""
    page = open_page(doc, fragment="")
    name = "document.activeElement.textContent || document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(name) == "Take the 5-minute tour"
    for key in ("ArrowLeft", "Home", "t", "u", "c"):
        page.keyboard.press(key)
    assert asks(page) and where(page) == ("unit", 2, 6)
    page.keyboard.press("Tab")
    assert page.evaluate(name) == "Play with it"
    page.keyboard.press("Tab")
    assert page.evaluate(name) == "close (Esc)"
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert asks(page), "Esc closes the help first"
    page.keyboard.press("4")
    assert not asks(page) and where(page) == ("ledger", 2, 6)
    other = open_page(doc, fragment="")
    other.keyboard.press("Enter")
    settle(other)
    assert other.locator(".tour").is_visible()


def test_it_does_not_come_with_an_address_nor_twice(open_page: Opener, doc: dict[str, Any]) -> None:
    for fragment in ("view=unit", "tour", "view=layer", "unit=1", "nonsense"):
        assert not asks(open_page(doc, fragment=fragment)), fragment
    page = open_page(doc, fragment="")
    page.reload()
    assert asks(page), "not answered yet"
    page.locator(PLAY).click()
    address(page, "view=unit")
    page.reload()
    page.wait_for_selector(".unit-view")
    assert not asks(page) and where(page) == ("unit", 2, 6)


def test_the_theme_does_not_answer_it_and_an_address_does(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc, fragment="")
    page.get_by_role("button", name="theme: as the system").click()
    assert asks(page)
    show(page, "layer")
    assert not asks(page) and state(page)["view"] == "layer"


def test_a_widget_asks_where_it_has_no_state_once_and_leaves_the_focus_alone(
    chromium: Any, doc: dict[str, Any], tmp_path: Path
) -> None:
    """The third is the first again, as when a cell is run twice; the fourth another model."""
    page = chromium.new_page()
    blank = tmp_path / "blank.html"
    blank.touch()
    page.goto(blank.as_uri())
    found = page.evaluate(
        """async ([script, doc]) => {
            const { default: widget } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
            const model = (state, text = doc) => ({ values: { document: text, state, edits: "[]" }, get(name) { return this.values[name]; },
                set(name, value) { this.values[name] = value; }, save_changes() {}, on() {}, off() {} });
            document.body.innerHTML = "<div id=a></div><div id=b></div>";
            const models = { a: model(""), b: model("view=layer") };
            for (const id of ["a", "b"]) widget.render({ model: models[id], el: document.getElementById(id) });
            const cards = ["a", "b"].map((id) => document.querySelectorAll(`#${id} .start-card`).length);
            const focused = document.activeElement === document.body;
            document.querySelector("#a .start-ways .outlined").click();
            for (let wait = 0; wait < 100 && !models.a.values.state; wait++) await new Promise((done) => setTimeout(done, 100));
            const { state } = models.a.values, other = JSON.stringify({ ...JSON.parse(doc), title: "Another" });
            for (const [id, text] of [["c", doc], ["d", other]]) {
                document.body.append(Object.assign(document.createElement("div"), { id }));
                widget.render({ model: model("", text), el: document.getElementById(id) });
                cards.push(document.querySelectorAll(`#${id} .start-card`).length);
            }
            return { cards, focused, left: document.querySelectorAll("#a .start-card").length, state };
        }""",
        [static("explorer.js"), json.dumps(doc)],
    )
    assert found == {"cards": [1, 0, 0, 1], "focused": True, "left": 0, "state": "view=unit&item=2&time=6"}
    page.close()


def test_the_ledger_first_stands_at_the_last_step_and_the_layer_is_sorted_by_half_life(
    open_page: Opener, doc: dict[str, Any]
) -> None:
    page = open_page(doc, fragment="view=unit")
    page.get_by_role("tab", name="Ledger").click()
    assert where(page) == ("ledger", 0, 6)
    assert where(open_page(doc, fragment="ledger")) == ("ledger", 0, 6)
    assert where(open_page(doc, fragment="view=ledger&time=2")) == ("ledger", 0, 2)
    page.keyboard.press("3")
    settle(page)
    assert page.get_by_label("Sort units by").input_value() == "half-life"


def test_a_browser_that_keeps_nothing_shows_the_page_all_the_same(
    open_page: Opener, doc: dict[str, Any], tmp_path: Path
) -> None:
    page = open_page(doc, fragment="")
    page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, name, { get() { throw new DOMException('refused', 'SecurityError'); } });"
    )
    page.reload()
    page.locator(TOUR).click()
    page.get_by_role("button", name="day 2").click()
    settle(page)
    assert page.locator(".dot.solved").count() == 1
    page.keyboard.press("2")
    assert where(page) == ("unit", 2, 6)
