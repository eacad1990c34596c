"""The explorer's weights say their names: to the mouse, to a finger and to the keyboard."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from browser import NARROW, WIDE, Opener, picture, settle, violations

from byhand import LSTM, cells
from byhand.explorer.document.document import document

PYTHON = "document.querySelector('#byhand-explorer').byhand.store.python()"
TIP = ".worked .weight-names:visible"


def lesson() -> dict[str, Any]:
    torch.manual_seed(0)
    lstm = LSTM(1, 1, dtype=torch.float64)
    with torch.no_grad():
        lstm.bias_hh_l0.zero_()
    return document(lstm, torch.rand(4, 1, 1, dtype=torch.float64), features=["price"])


def weight(page: Any, name: str) -> Any:
    return page.locator(f'.worked .handle[aria-label="{name}"]')


def test_pointing_at_a_weight_shows_its_names(open_page: Opener) -> None:
    page = open_page(lesson(), fragment="view=unit&time=1&node=f")
    assert page.locator(TIP).count() == 0
    weight(page, "weight of short memory").hover()
    assert page.locator(TIP).inner_text().startswith("w_blue1 (LSTM.py) = U_f = weight_hh_l0[1, 0]\ndrag")
    page.locator(TIP).hover()  # it stays while it is read
    assert page.locator(TIP).count() == 1
    picture(page, "names-pointed")
    weight(page, "weight of price").hover()
    assert page.locator(TIP).inner_text().startswith("w_blue2 (LSTM.py) = W_f = weight_ih_l0[1, 0]\n")
    page.mouse.move(5, 5)
    assert page.locator(TIP).count() == 0


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_keyboard_finds_them_and_puts_them_away(open_page: Opener, viewport: dict[str, int], scheme: str) -> None:
    torch.manual_seed(0)
    lstm = LSTM(3, 5, 2, bidirectional=True, cell=cells.peephole, dtype=torch.float64)
    doc = document(lstm, torch.rand(4, 1, 3, dtype=torch.float64))
    page = open_page(doc, fragment="view=unit&place=l1.reverse&unit=3&node=f", viewport=viewport, color_scheme=scheme)
    number = weight(page, "forget peephole")
    number.focus()
    assert page.locator(TIP).inner_text().startswith("p_f[3] = p_f_l1_reverse[3]\n")
    described = number.get_attribute("aria-describedby")
    assert page.locator(f"[id='{described}']").inner_text() == page.locator(TIP).inner_text()
    page.keyboard.press("Escape")
    assert page.locator(TIP).count() == 0
    bias = page.locator(".worked .term.bias .handle").first
    bias.focus()
    assert "b_f[3] = bias_ih_l1_reverse[8] + bias_hh_l1_reverse[8]; this is bias_" in page.locator(TIP).inner_text()
    box, room = page.locator(TIP).bounding_box(), page.locator(".worked").bounding_box()
    assert box["x"] >= room["x"] and box["x"] + box["width"] <= room["x"] + room["width"] + 1
    picture(page, f"names-focused-{viewport['width']}-{scheme}")
    assert violations(page) == []
    page.keyboard.press("ArrowUp")
    assert page.locator(TIP).count() == 0, "what is being changed is not covered"
    settle(page)
    assert "_l1_reverse[8] = " in page.evaluate(PYTHON) and "# part of b_f[3]" in page.evaluate(PYTHON)


def test_a_finger_finds_them(open_page: Opener) -> None:
    page = open_page(lesson(), fragment="view=unit&time=1&node=o", viewport=NARROW, has_touch=True)
    weight(page, "weight of price").tap()
    assert page.locator(TIP).inner_text().startswith("w_purple2 (LSTM.py) = W_o = weight_ih_l0[3, 0]\n")
    picture(page, "names-tapped")


def test_they_stand_inside_the_window_at_its_foot(open_page: Opener) -> None:
    """Also in the sheet at the foot of the tour."""
    page = open_page(lesson(), fragment="view=tour&stage=2", viewport=NARROW, has_touch=True)
    number = page.locator(".tour .named-weight .handle:visible").first
    number.focus()
    box = page.locator(".tour .weight-names:visible").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= NARROW["height"]
    picture(page, "names-tour")
    assert violations(page) == []


def test_a_list_of_changes_says_them_too(open_page: Opener) -> None:
    page = open_page(lesson(), fragment="view=unit&time=1&node=f&edits=w~l0~recurrent~1~0~0.5")
    change = page.locator(".changes li")
    assert "w_blue1 (LSTM.py) = U_f = weight_hh_l0[1, 0]" in change.inner_text()
    picture(page, "names-changes")
    assert violations(page) == []
