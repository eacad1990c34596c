"""The tour for a class: no stage is passed over, what was solved is kept, and a code at the end that a teacher can check."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
import torch
from browser import Opener, picture, scrolls_sideways, settle, violations
from test_explorer_tour import STAGES, WAYS
from test_explorer_tour_window import HANDLES, SIZES, overlap, seen_whole

from byhand import LSTM
from byhand.explorer.document.document import document

STORE = "document.querySelector('#byhand-explorer').byhand.store"
NEXT = ".tour-buttons .primary"
EXAMPLE = ("Ada Lovelace", "2EYS-17CR", "2026-12-01")


@pytest.fixture(scope="module")
def own() -> dict[str, Any]:
    torch.manual_seed(0)
    return document(LSTM(2, 3), torch.randn(6, 1, 2))


def stage(page: Any) -> int:
    settle(page)
    found = page.evaluate(f"{STORE}.state.stage")
    assert page.locator(".tour-words h2").inner_text().startswith(f"{found + 1}. ")
    return found


def keep(page: Any, solved: list[int]) -> None:
    """As if these stages had been solved here before. What is stored just before a page is loaded again may come too late for it."""
    for _ in range(5):
        page.evaluate("(solved) => localStorage.setItem('byhand tour', JSON.stringify(solved))", solved)
        page.reload()
        page.wait_for_selector(".view > *")
        settle(page)
        if page.evaluate("localStorage.getItem('byhand tour')") == json.dumps(solved, separators=(",", ":")):
            return
    raise AssertionError("the browser keeps nothing, or the page has taken it away")


def code_of(page: Any, name: str) -> str:
    page.locator(NEXT).click()
    page.get_by_label("Your name or number").fill(name)
    return page.locator(".tour-code").inner_text()


@pytest.mark.parametrize("size", SIZES)
def test_a_class_from_the_first_stage_to_the_code(open_page: Opener, own: dict[str, Any], size: str) -> None:
    width, height = SIZES[size]
    page = open_page(own, fragment="tour&class", viewport={"width": width, "height": height}, reduced_motion="reduce")
    for number, way in enumerate(WAYS):
        assert stage(page) == number
        assert page.locator(NEXT).is_disabled()
        page.keyboard.press("Enter")
        for dot in range(number + 1, STAGES):
            assert page.locator(".tour .dot").nth(dot).is_disabled()
        assert stage(page) == number, "not before the task is solved"
        parts = [".tour-task", ".days", NEXT, HANDLES[number]]
        for part in parts:
            seen_whole(page, part)
        way(page)
        settle(page)
        assert page.locator(NEXT).is_enabled()
        if number < STAGES - 1:
            page.locator(NEXT).click()
    assert page.locator(NEXT).inner_text() == "Your code"
    code = code_of(page, "Ada Lovelace")
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", code)
    seen_whole(page, "dialog.finish")
    picture(page, f"class-code-{size}")
    page.evaluate("location.hash = 'tour&check'")
    page.keyboard.press("Escape")
    page.get_by_label("names and codes").fill(f"Ada Lovelace, {code}\nBen Lovelace, {code}")
    today = date.today().isoformat()
    assert page.locator(".check-list li").all_inner_texts() == [
        f"✓ Ada Lovelace: {today}",
        f"✗ Ben Lovelace: {code} is not the code for this name",
    ]


def test_an_address_passes_no_stage_over(open_page: Opener, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="view=tour&class&stage=7")
    assert stage(page) == 0
    keep(page, [0, 1, 2])
    page.evaluate("location.hash = 'view=tour&class&stage=7'")
    for _ in range(40):
        if stage(page) == 3:
            break
        page.wait_for_timeout(25)
    assert stage(page) == 3
    free = open_page(own, fragment="view=tour&stage=7")
    assert stage(free) == 7 and free.locator(NEXT).is_enabled()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fragment", ["tour", "tour&class"])
def test_what_was_solved_is_kept_and_offered_again(open_page: Opener, own: dict[str, Any], size: str, fragment: str) -> None:
    width, height = SIZES[size]
    page = open_page(own, fragment=fragment, viewport={"width": width, "height": height}, reduced_motion="reduce")
    assert not page.locator(".tour-offer").is_visible(), "nothing to go on with"
    keep(page, [0, 1, 2, 3, 4])
    boxes = [seen_whole(page, one) for one in (".tour-offer", ".tour-task", ".tour .picture svg.unit-picture", ".days", NEXT)]
    assert not any(overlap(one, other) for k, one in enumerate(boxes) for other in boxes[:k])
    assert not scrolls_sideways(page)
    assert violations(page) == []
    picture(page, f"class-offer-{size}")
    page.get_by_role("button", name="Go on at stage 6").click()
    assert stage(page) == 5
    assert not page.locator(".tour-offer").is_visible()
    assert page.locator(".dot.solved").count() == 5


def test_the_start_card_offers_it_too(open_page: Opener, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="")
    keep(page, [0, 1, 2, 3, 4])
    page.get_by_role("button", name="Go on with the tour at stage 6").click()
    assert stage(page) == 5


def test_the_next_student_begins_anew(open_page: Opener, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="tour&class")
    keep(page, list(range(STAGES)))
    assert page.locator(".tour-offer").inner_text().startswith("All 10 solved before.")
    page.get_by_role("button", name="Begin anew").click()
    settle(page)
    assert page.locator(".dot.solved").count() == 0
    assert page.locator(NEXT).is_disabled()
    page.reload()
    page.wait_for_selector(".tour")
    settle(page)
    assert page.locator(".dot.solved").count() == 0 and not page.locator(".tour-offer").is_visible()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Opener, own: dict[str, Any], size: str, scheme: str) -> None:
    width, height = SIZES[size]
    page = open_page(own, fragment="tour&class", viewport={"width": width, "height": height}, color_scheme=scheme)
    assert violations(page) == []
    keep(page, list(range(STAGES)))
    for number in (3, STAGES - 1):
        page.locator(".tour .dot").nth(number).click()
        assert stage(page) == number
        assert violations(page) == []
    assert code_of(page, "7")
    assert violations(page) == []
    check = open_page(own, fragment="tour&check", viewport={"width": width, "height": height}, color_scheme=scheme)
    check.get_by_label("names and codes").fill("Ada 0000-0000\nAda Lovelace 2EYS-17CR\nnobody")
    assert check.locator(".check-list li").count() == 3
    assert violations(check) == []
    assert not scrolls_sideways(check)
    picture(check, f"class-check-{size}-{scheme}")


def test_the_teachers_page_knows_the_example(open_page: Opener, own: dict[str, Any]) -> None:
    """That of docs/teaching.md, and of the field itself."""
    name, code, day = EXAMPLE
    page = open_page(own, fragment="tour&check")
    field = page.get_by_label("names and codes")
    assert field.get_attribute("placeholder") == f"{name} {code}"
    field.fill(f"{name} {code}\n\n{name.lower()}  {code.lower()}\nGrace Hopper\n")
    assert page.locator(".check-list li").all_inner_texts() == [
        f"✓ {name}: {day}",
        f"✓ {name.lower()}: {day}",
        "✗ Grace Hopper: no code at the end of this line",
    ]
    assert page.get_by_role("status").filter(has_text="right").inner_text() == "2 of 3 right"
    page.get_by_role("tab", name="Unit").click()
    settle(page)
    assert page.locator(".unit-view").is_visible()


def test_a_class_by_keys_alone(open_page: Opener, own: dict[str, Any]) -> None:
    page = open_page(own, fragment="tour&class")
    page.keyboard.press("Enter")
    assert stage(page) == 0
    page.keyboard.press("ArrowRight")
    settle(page)
    page.keyboard.press("Enter")
    assert stage(page) == 1
    page.keyboard.press("Shift+Enter")
    assert stage(page) == 0
    keep(page, list(range(STAGES)))
    for number in range(1, STAGES):
        page.keyboard.press("Enter")
        assert stage(page) == number
    page.keyboard.press("Enter")
    assert page.locator("dialog.finish").is_visible()
    page.keyboard.type("7b")
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert len(page.locator(".tour-code").inner_text()) == 9
    page.keyboard.press("Escape")
    assert not page.locator("dialog.finish").is_visible()
