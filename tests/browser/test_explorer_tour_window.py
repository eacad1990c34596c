"""The tour's window: task, handle, picture and days are in sight together, before and after the deed, at the usual sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from browser import Opener, picture, scrolls_sideways, settle, violations
from test_explorer_tour import STAGES, WAYS

from byhand import LSTM
from byhand.explorer.document.document import document

SIZES = {"1440x900": (1440, 900), "1280x720": (1280, 720), "360x740": (360, 740)}
HANDLES = [
    ".days button:text('day 2')",
    '.tour .node.port[data-opens="c"]',
    '.tour .worked [data-key="input 0"]',
    ".tour .hold >> button:text('shut')",
    ".tour .hold >> button:text('shut')",
    '.tour .worked [data-key="input 0"]',
    '.tour .worked [data-key="s.c 0"]',
    ".tour .hold >> button:text('shut')",
    '.tour .worked [data-key="input 0"]',
    ".share-gate",
]
COVERED = """(element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const at = document.elementFromPoint(left + width / 2, top + height / 2);
    return at === null || !(element.contains(at) || at.contains(element));
}"""


@pytest.fixture(scope="module")
def own() -> dict[str, Any]:
    torch.manual_seed(0)
    return document(LSTM(2, 3), torch.randn(6, 1, 2))


def seen_whole(page: Any, selector: str) -> dict[str, float]:
    """The box of what must be in the window as a whole, with nothing on top of its middle."""
    found = page.locator(selector)
    assert found.is_visible(), selector
    box, window = found.bounding_box(), page.viewport_size
    assert box["width"] > 0 and box["height"] > 0, selector
    assert box["x"] >= 0 and box["y"] >= 0, (selector, box)
    assert box["x"] + box["width"] <= window["width"] and box["y"] + box["height"] <= window["height"], (selector, box)
    assert not found.evaluate(COVERED), f"{selector} is covered"
    return box


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    across = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    down = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    return across > 0.5 and down > 0.5


@pytest.mark.parametrize("size", SIZES)
def test_task_handle_picture_and_days_are_in_sight_together(open_page: Opener, own: dict[str, Any], size: str) -> None:
    width, height = SIZES[size]
    page = open_page(own, fragment="view=tour", viewport={"width": width, "height": height}, reduced_motion="reduce")
    for stage in range(STAGES):
        settle(page)
        chart = width < 640 and stage == 9  # there it stands in the picture's place
        drawing = ".survival svg" if chart else ".tour .picture svg.unit-picture"
        parts = [".tour-task", drawing, ".days", ".tour-buttons .primary"]
        boxes = [seen_whole(page, one) for one in parts]
        seen_whole(page, HANDLES[stage])
        assert boxes[1]["height"] >= 180 and boxes[1]["width"] >= 300
        assert not any(overlap(one, other) for k, one in enumerate(boxes) for other in boxes[:k])
        picture(page, f"tour-{size}-{stage + 1}")
        WAYS[stage](page)
        settle(page)
        assert page.evaluate("scrollY") == 0, "nothing had to be scrolled"
        after = [seen_whole(page, one) for one in [*parts, ".tour-said", HANDLES[stage]]]
        assert not overlap(after[4], after[1]) and not overlap(after[4], after[2])
        picture(page, f"tour-{size}-{stage + 1}-done")
        page.locator(".tour-buttons .primary").click()


def test_on_a_phone_the_task_is_a_sheet_that_opens(open_page: Opener, own: dict[str, Any]) -> None:
    """Folded: two lines of the text, the task and its handle. Opened: all of the text and the arithmetic, inside the window."""
    page = open_page(own, fragment="view=tour&stage=3", viewport={"width": 360, "height": 740})
    settle(page)
    sheet = seen_whole(page, ".tour-card")
    assert sheet["y"] + sheet["height"] == pytest.approx(740, abs=1)
    assert sheet["width"] == 360
    assert not page.locator(".tour .worked header").is_visible()
    more = page.get_by_role("button", name="more")
    assert more.get_attribute("aria-expanded") == "false"
    more.click()
    settle(page)
    assert page.locator(".tour .worked header").is_visible()
    text = page.locator(".tour-text")
    assert text.evaluate("(one) => one.scrollHeight <= one.clientHeight + 1"), "the text is cut"
    sheet = seen_whole(page, ".tour-card")
    assert sheet["y"] + sheet["height"] == pytest.approx(740, abs=1)
    assert violations(page) == []
    assert not scrolls_sideways(page)
    page.get_by_role("button", name="less").click()
    page.locator(".tour-buttons .primary").click()
    settle(page)
    assert page.get_by_role("button", name="more").get_attribute("aria-expanded") == "false"
