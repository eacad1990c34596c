"""What is read stays readable: chosen buttons under the mouse, names in words, whole numbers; keys go where they are meant."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from browser import NARROW, Opener, settle, show
from PIL import Image

import byhand
from byhand import cells
from byhand.explorer.document.document import document

STORE = "document.querySelector('#byhand-explorer').byhand.store"
CONTRAST = """(element) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
        layers.push(rgba(getComputedStyle(at).backgroundColor));
        if (layers.at(-1)[3] === 255) break;
    }
    let ground = [255, 255, 255];
    for (const [r, g, b, a] of layers.reverse()) ground = [r, g, b].map((one, k) => one * (a / 255) + ground[k] * (1 - a / 255));
    const light = (colour) => {
        const [r, g, b] = colour.map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [a, b] = [light(rgba(getComputedStyle(element).color).slice(0, 3)), light(ground)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
}"""
BROKEN = r"""() => {
    const found = [];
    const walk = document.createTreeWalker(document.querySelector(".byhand-explorer"), NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        if (!node.parentElement.checkVisibility() || node.parentElement.closest("pre, svg, .unseen")) continue;
        for (const { 0: number, index } of node.data.matchAll(/[−≈]?\d+(?:\.\d+)?/g)) {
            const range = document.createRange();
            range.setStart(node, index);
            range.setEnd(node, index + number.length);
            const lines = new Set([...range.getClientRects()].filter((one) => one.width > 0).map((one) => Math.round(one.top)));
            if (lines.size > 1) found.push(`${number} in “${node.data}”`);
        }
    }
    return found;
}"""


def make(cell: cells.Cell = cells.lstm, **options: Any) -> dict[str, Any]:
    torch.manual_seed(1)
    lstm = byhand.LSTM(1, 3, cell=cell, dtype=torch.float64, **options)
    x = torch.tensor([0.473, -0.219, 0.05, -1.125, 0.861, 0.3337], dtype=torch.float64).reshape(-1, 1, 1)
    return document(lstm, x)


@pytest.fixture(scope="module")
def doc() -> dict[str, Any]:
    return make()


def state(page: Any) -> dict[str, Any]:
    return page.evaluate(f"{STORE}.state")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["tour", "unit", "layer", "ledger"])
def test_every_button_keeps_its_text_under_the_mouse(open_page: Opener, doc: dict[str, Any], view: str, scheme: str) -> None:
    page = open_page(doc, fragment=f"view={view}&edits=l0.f~1~0~0.5", color_scheme=scheme, reduced_motion="reduce")
    settle(page)
    tried = hovered(page, ".byhand-explorer button:visible:enabled:not(.skip, .unseen *)")
    assert tried > 8
    if view == "tour":
        assert page.locator(".day[aria-pressed=true], .dot[aria-current]").count() == 3
        return
    page.keyboard.press("t")
    settle(page)
    assert hovered(page, ".drawer button:visible:enabled") > 0


def hovered(page: Any, selector: str) -> int:
    """Each is legible under the mouse and pressed; how many they are."""
    buttons = page.locator(selector)
    tried = 0
    for index in range(buttons.count()):
        one = buttons.nth(index)
        one.hover()
        assert one.evaluate(CONTRAST) >= 4.5, one.evaluate("(one) => one.outerHTML")
        page.mouse.down()
        pressed = one.evaluate(CONTRAST)
        page.mouse.move(2, page.viewport_size["height"] // 2)
        page.mouse.up()
        assert pressed >= 4.5, one.evaluate("(one) => one.outerHTML")
        tried += 1
    return tried


def test_after_a_click_on_a_tab_arrows_change_the_step(open_page: Opener, doc: dict[str, Any]) -> None:
    """By keyboard the tabs are as ARIA has them: arrows go from tab to tab."""
    page = open_page(doc, fragment="view=unit")
    for name in ("Layer", "Ledger", "Unit"):
        page.get_by_role("tab", name=name).click()
        before = state(page)["time"]
        page.keyboard.press("ArrowRight")
        settle(page)
        assert (state(page)["view"], state(page)["time"]) == (name.lower(), before + 1)
    page.keyboard.press("ArrowDown")
    assert state(page)["unit"] == 1
    page.get_by_role("tab", name="Unit").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert state(page)["view"] == "layer"
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert state(page)["view"] == "ledger"


def test_letters_beside_a_number_do_nothing(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc, fragment="view=unit&node=f")
    settle(page)
    before = state(page)
    places = ['.worked [role=spinbutton][data-key^="weight"]', ".hold [role=spinbutton]", ".chooser input[type=number]"]
    for place in places:
        page.locator(place).first.focus()
        for letter in ["t", "c", "u", "U", "e", "?", " ", "x"]:
            page.keyboard.press(letter)
            settle(page)
            found = state(page)
            assert {key: found[key] for key in before} == before, (place, letter)
            assert page.get_by_role("dialog").count() == 0
    page.locator(places[0]).first.focus()
    page.keyboard.type("1.5")
    page.keyboard.press("t")  # into the field
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    settle(page)
    (edit,) = state(page)["edits"]
    assert edit["value"] == 1.5
    page.keyboard.press("Control+z")
    assert state(page)["edits"] == []
    show(page, "layer")
    for field in page.locator(".layer-bar input[type=number]").all():
        field.focus()
        page.keyboard.type("2")
        page.keyboard.press("t")
        assert (state(page)["view"], state(page)["table"]) == ("layer", False)


RAW = r"/(^|[\s(])[sxup]\.\w|\w_\w|from_|undefined|null|NaN/"
FOCUSED = ":is([tabindex='0'], button, input, select)"
NAMES = f"""() => [...document.querySelectorAll(".byhand-explorer {FOCUSED}")]
    .filter((one) => one.checkVisibility())
    .map((one) => one.getAttribute("aria-label") ?? one.closest("label")?.textContent ?? one.textContent)
    .filter((name) => !name.trim() || {RAW}.test(name))"""
CELLS = [cell for name in cells.__all__ if isinstance(cell := getattr(cells, name), cells.Cell)]


def test_tab_reads_names_that_a_person_understands(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc, fragment="view=unit&time=2")
    settle(page)
    names = []
    for _ in range(120):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
        if page.evaluate("document.activeElement === document.body"):
            break
        names.append(name)
    assert len(names) > 40
    figures = [name for name in names if "opens the arithmetic" in name]
    assert any(name.startswith("short memory before, ") for name in figures)
    assert any(name.startswith("long memory before, ") for name in figures)
    for view in ("unit", "layer", "ledger", "tour"):
        show(page, view, "&time=2")
        assert page.evaluate(NAMES) == []


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_the_names_of_every_cell_are_words(open_page: Opener, cell: cells.Cell) -> None:
    page = open_page(make(cell), fragment="view=unit&time=2")
    for view in ("unit", "layer"):
        show(page, view, "&time=2")
        assert page.evaluate(NAMES) == []


def test_no_number_stands_on_two_lines(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc, viewport=NARROW)
    for view in ("tour", "unit", "layer", "ledger"):
        for time in (0, 3, 5):
            show(page, view, f"&time={time}&table=1&edits=l0.f~1~0~0.4375,x~0~2~0~-0.1234")
            assert page.evaluate(BROKEN) == [], view


DARKER = """([selector, minus]) => {
    const element = document.querySelector(selector);
    const node = [...element.childNodes].find((one) => one.nodeType === 3 && one.data.includes("−"));
    if (!node) return false;
    const at = node.data.indexOf("−");
    const sign = node.splitText(at);
    sign.splitText(1);
    const span = document.createElement("span");
    sign.replaceWith(span);
    span.append(sign);
    span.id = minus;
    return true;
}"""


def changed_pixels(page: Any, selector: str) -> int:
    """How many pixels of the struck-out number are the minus sign's own: those that go when the sign alone is not drawn."""
    assert page.evaluate(DARKER, [selector, "sign"])
    sign = page.locator("#sign")
    shown = Image.open(io.BytesIO(sign.screenshot())).convert("L")
    sign.evaluate("(one) => { one.style.setProperty('-webkit-text-fill-color', 'transparent'); }")
    gone = Image.open(io.BytesIO(sign.screenshot())).convert("L")
    return sum(abs(a - b) > 60 for a, b in zip(shown.tobytes(), gone.tobytes(), strict=True))


def test_a_minus_that_is_struck_out_stays_visible(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc, fragment="view=tour&stage=8")
    page.locator('.tour .worked [data-key="input 0"]').focus()
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator(".days s").first.inner_text() == "0.00"
    assert changed_pixels(page, ".days .row-c s") >= 3
    show(page, "unit", "&edits=off~l0.f~1~0~-0.5")
    settle(page)
    page.locator(".changes .fold").click()
    assert "−0.5" in page.locator(".changes li.off").inner_text()
    assert changed_pixels(page, ".changes li.off .value") >= 3
