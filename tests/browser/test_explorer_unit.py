"""The explorer's Unit view: what is read there against torch, and every way to change a number."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from browser import NARROW, WIDE, settle, violations
from torch import Tensor

import byhand
from byhand import LSTM, Cell, cells
from byhand.explorer.document.document import document

ABLATIONS = {
    "no_forget_gate": cells.no_forget_gate(cells.lstm),
    "no_input_gate": cells.no_input_gate(cells.lstm),
    "no_output_gate": cells.no_output_gate(cells.lstm),
    "no_input_activation": cells.no_input_activation(cells.lstm),
    "no_output_activation": cells.no_output_activation(cells.lstm),
}
STANDARD = {"lstm": cells.lstm, "cifg": cells.cifg, "peephole": cells.peephole, "lstm_1997": cells.lstm_1997} | ABLATIONS
OTHERS = {
    "gru": cells.gru,
    "gru_reset_before": cells.gru_reset_before,
    "rnn": cells.rnn,
    "slstm": cells.slstm,
    "min_lstm": cells.min_lstm,
    "full_gate_recurrence": cells.full_gate_recurrence(cells.lstm),
    "zoneout": cells.zoneout(cells.lstm, h=0.2, c=0.1),
    "clipped": cells.clipped(cells.peephole, 0.3),
    "coupled_input": cells.coupled_input(cells.lstm),
    "with_activations": cells.with_activations(cells.lstm, gates="hard_sigmoid", candidate="softsign", output="relu"),
}


class Example:
    """A small model, its input and its page's document."""

    def __init__(self, cell: Cell = cells.lstm, *, size: int = 2, hidden: int = 3, steps: int = 5, layers: int = 1) -> None:
        torch.manual_seed(3)
        self.lstm = LSTM(size, hidden, num_layers=layers, cell=cell, dtype=torch.float64).eval()
        self.x = torch.randn(steps, 1, size, dtype=torch.float64)

    @property
    def document(self) -> dict[str, Any]:
        return document(self.lstm, self.x)

    def values(self, x: Tensor | None = None, edits: dict[str, Any] | None = None) -> Any:
        with byhand.edit(self.lstm, edits or {}), byhand.record(self.lstm) as trace:
            self.lstm(self.x if x is None else x)
        return trace


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def shown(page: Any, selector: str) -> float:
    return number(page.locator(selector).first.inner_text())


def near(value: float) -> Any:
    """What the page writes for a value: two decimals, or one digit where it is smaller."""
    size = abs(value)
    return pytest.approx(value, abs=0.0051 if size >= 0.01 else 0.51 * 10 ** math.floor(math.log10(size or 1.0)))


def opened(page: Any, node: str) -> None:
    page.locator(f'.unit-picture .node[data-opens="{node}"]').first.click()
    settle(page)


def handle(page: Any, key: str) -> Any:
    return page.locator(f'.worked [role=spinbutton][data-key="{key}"]')


def state(page: Any) -> dict[str, Any]:
    return page.evaluate("() => document.querySelector('#byhand-explorer').byhand.store.state")


SITE = """(site) => {
    const { store } = document.querySelector("#byhand-explorer").byhand;
    return [...store.run().places[store.state.place].sites[site].data];
}"""


def site_values(page: Any, site: str) -> Tensor:
    """All of a site's values, as the page has them."""
    return torch.tensor(page.evaluate(SITE, site), dtype=torch.float64)


@pytest.mark.parametrize("name", [*STANDARD, *OTHERS])
def test_every_part_shows_its_arithmetic(open_page: Any, name: str) -> None:
    example = Example((STANDARD | OTHERS)[name])
    page = open_page(example.document, fragment="view=unit&time=2&unit=1")
    trace = example.values()
    nodes = page.locator(".unit-picture .node").evaluate_all("(all) => [...new Set(all.map((one) => one.dataset.opens))]")
    sites = [node for node in nodes if node in example.lstm.cell.sites]
    assert {"h"} < set(sites) or name == "rnn"
    for node in nodes:
        opened(page, node)
        assert state(page)["node"] == node
        if node in sites:
            assert shown(page, ".worked .result") == near(trace[f"l0.{node}"][2, 0, 1].item())
        if node.startswith("s."):
            assert shown(page, ".worked .handle") == near(trace[f"l0.{node[2:]}"][1, 0, 1].item())


def test_terms_add_up_to_the_gate(open_page: Any) -> None:
    example = Example()
    page = open_page(example.document, fragment="view=unit&time=2&unit=1&node=f")
    trace, gate = example.values(), example.lstm.gates()["f"]
    h = trace["l0.h"][1, 0]
    expected = [*(h * gate.weight_h[1]).tolist(), *(example.x[2, 0] * gate.weight_x[1]).tolist()]
    expected += [gate.bias[1].item(), gate.bias_h[1].item()]
    products = [number(text) for text in page.locator(".worked .term:not(.total) .product").all_inner_texts()]
    assert products == [near(value) for value in expected]
    assert shown(page, ".worked .total .product") == near(sum(expected))
    kept = round(100 * trace["l0.f"][2, 0, 1].item())
    assert page.locator(".worked .sentence").inner_text() == f"Keeps {kept} % of the long memory."


def test_many_terms_show_the_largest_and_the_rest(open_page: Any) -> None:
    example = Example(hidden=16)
    page = open_page(example.document, fragment="view=unit&time=2&node=f")
    assert page.locator(".worked .term:not(.total):not(.rest)").count() == 8
    more = page.locator(".worked .more")
    first = [abs(number(text)) for text in page.locator(".worked .term:not(.total) .product").all_inner_texts()]
    assert first == sorted(first, reverse=True)
    assert more.inner_text().startswith("and 12 more: ")
    total = shown(page, ".worked .total .product")
    signed = [number(text) for text in page.locator(".worked .term:not(.total) .product").all_inner_texts()]
    assert sum(signed) + number(more.inner_text().split(": ")[1]) == pytest.approx(total, abs=0.06)
    more.click()
    settle(page)
    assert page.locator(".worked .term:not(.total):not(.rest)").count() == 20
    assert page.evaluate("document.activeElement.className") == "more"


def test_an_input_is_typed_dragged_stepped_and_turned(open_page: Any) -> None:
    example = Example(size=1)
    page = open_page(example.document, fragment="view=unit&time=1&node=input")
    price = handle(page, "input 0")

    def expect(value: float) -> None:
        settle(page)
        x = example.x.clone()
        x[1, 0, 0] = value
        assert number(price.inner_text()) == near(value)
        assert torch.allclose(site_values(page, "h"), example.values(x)["l0.h"].flatten(), atol=1e-9)

    price.focus()
    page.keyboard.type("-1,5")
    page.keyboard.press("Enter")
    expect(-1.5)
    page.keyboard.press("ArrowUp")
    expect(-1.45)
    page.keyboard.press("Shift+ArrowRight")
    expect(-1.445)
    page.keyboard.press("PageDown")
    expect(-1.945)
    page.mouse.move(0, 0)
    box = price.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.wheel(0, -100)
    expect(-1.895)
    page.mouse.down()
    page.mouse.move(box["x"] + 45, box["y"] + 5, steps=4)
    page.mouse.up()
    expect(-1.395)
    page.keyboard.press("Escape")
    assert price.get_attribute("aria-valuenow") == "-1.395"
    edits = state(page)["edits"]
    assert [edit["kind"] for edit in edits] == ["input"]


def test_the_wheel_scrolls_the_page_where_the_handle_has_no_focus(open_page: Any) -> None:
    page = open_page(Example(size=1).document, fragment="view=unit&time=1&node=input")
    handle(page, "input 0").hover()
    page.mouse.wheel(0, 100)
    settle(page)
    assert state(page)["edits"] == []


def test_a_touch_drags(open_page: Any) -> None:
    page = open_page(Example(size=1).document, fragment="view=unit&time=1&node=input", has_touch=True)
    price = handle(page, "input 0")
    before = float(price.get_attribute("aria-valuenow"))
    price.evaluate("""(element) => {
        const { x, y } = element.getBoundingClientRect();
        element.setPointerCapture = () => undefined;
        const say = (kind, dx) => element.dispatchEvent(new PointerEvent(kind,
            { pointerId: 7, pointerType: "touch", button: 0, clientX: x + dx, clientY: y, bubbles: true }));
        say("pointerdown", 0); say("pointermove", 20); say("pointermove", 40); say("pointerup", 40);
    }""")
    settle(page)
    assert float(price.get_attribute("aria-valuenow")) == pytest.approx(before + 0.5, abs=1e-5)
    assert price.evaluate("(element) => getComputedStyle(element).touchAction") == "pan-y"


def test_weights_biases_and_memories_are_handles(open_page: Any) -> None:
    example = Example(hidden=1)
    page = open_page(example.document, fragment="view=unit&time=0&node=f")
    handle(page, "weight input 1 1").press("End")  # no bound: nothing happens
    for key, value in (
        ("weight input 1 1", "0.75"),
        ("weight recurrent 1 0", "-2"),
        ("weight bias_input 1 0", "1"),
        ("s.h 0", "0.5"),
    ):
        handle(page, key).focus()
        page.keyboard.type(value)
        page.keyboard.press("Enter")
    opened(page, "s.c")
    handle(page, "s.c 0").focus()
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    settle(page)
    gate = example.lstm.gates()["f"]
    with torch.no_grad():
        gate.weight_x[0, 1], gate.weight_h[0, 0], gate.bias[0] = 0.75, -2.0, 1.0
    first = torch.full((1, 1, 1), 0.5, dtype=torch.float64), torch.full((1, 1, 1), 2.0, dtype=torch.float64)
    with torch.no_grad():
        y, _ = example.lstm(example.x, first)
    assert torch.allclose(site_values(page, "h"), y.flatten(), atol=1e-9)


def test_a_gate_is_held_open_shut_at_a_value_and_let_go(open_page: Any) -> None:
    example = Example(hidden=1)
    page = open_page(example.document, fragment="view=unit&time=2&node=f")
    buttons = {name: page.locator(".hold").get_by_role("button", name=name, exact=True) for name in ("open", "shut", "let go")}

    def expect(change: Any) -> None:
        settle(page)
        edits = {} if change is None else {"l0.f": change}
        assert torch.allclose(site_values(page, "c"), example.values(edits=edits)["l0.c"].flatten(), atol=1e-9)

    assert buttons["let go"].is_hidden()
    buttons["shut"].click()
    expect(byhand.at(0.0, time=2, unit=0))
    assert "By its own arithmetic" in page.locator(".held").inner_text()
    buttons["open"].click()
    expect(byhand.at(1.0, time=2, unit=0))
    handle(page, "hold").focus()
    page.keyboard.type("0.25")
    page.keyboard.press("Enter")
    expect(byhand.at(0.25, time=2, unit=0))
    buttons["let go"].click()
    expect(None)
    page.get_by_label("at which steps").select_option("all")
    buttons["shut"].click()
    expect(0.0)
    assert page.locator('.node.gate[data-opens="f"]').get_attribute("class").endswith("changed")
    page.keyboard.press("u")
    expect(None)


def test_keyboard_only(open_page: Any) -> None:
    page = open_page(Example(size=1).document, fragment="view=unit&time=1")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset?.opens ?? ''") == "o":
            break
    assert "output gate" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator(".worked h2").inner_text() == "Output gate"
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.worked [role=spinbutton]')"):
            break
    page.keyboard.press("ArrowUp")
    settle(page)
    assert len(state(page)["edits"]) == 1
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.locator(".strip-over").focus()
    page.keyboard.press("End")
    settle(page)
    assert state(page)["time"] == 4


def test_the_picture_can_be_skipped(open_page: Any) -> None:
    """The first thing in the view leads past its forty; then the order is that of the page: arithmetic, strips, time."""
    page = open_page(Example().document, fragment="view=unit&time=1&node=f")
    page.get_by_role("tab", name="Ledger").focus()
    skip = page.get_by_role("button", name="Skip to the arithmetic")
    for _ in range(12):
        page.keyboard.press("Tab")
        if skip.evaluate("(one) => one === document.activeElement"):
            break
    assert skip.bounding_box()["width"] > 100, "it is seen while it has the focus"
    page.keyboard.press("Enter")
    places = []
    for _ in range(40):
        page.keyboard.press("Tab")
        place = page.evaluate("['.worked', '.strips', '.time-bar'].find((one) => document.activeElement.closest(one)) ?? ''")
        if place not in places:
            places.append(place)
        if place == ".time-bar":
            break
    assert places == [".worked", ".strips", ".time-bar"]
    assert skip.bounding_box()["width"] < 4


def test_names_of_terms_have_room(open_page: Any) -> None:
    """Each in one line, beside its numbers or below them, on a phone too."""
    for viewport in (WIDE, NARROW):
        page = open_page(Example(cells.lstm_1997_blocks(2), hidden=4).document, fragment="view=unit&time=1", viewport=viewport)
        lines = page.locator(".worked .term .label").evaluate_all(
            "(all) => all.map((one) => one.getBoundingClientRect().height)"
        )
        assert max(lines) < 24
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_upper_layers_read_and_change_the_layer_below(open_page: Any) -> None:
    example = Example(hidden=2, layers=2)
    page = open_page(example.document, fragment="view=unit&place=l1&time=1&node=f")
    handle(page, "input 1").focus()
    page.keyboard.type("0.9")
    page.keyboard.press("Enter")
    settle(page)
    expected = example.values(edits={"l0.h": byhand.at(0.9, time=1, unit=1)})["l1.h"]
    assert torch.allclose(site_values(page, "h"), expected.flatten(), atol=1e-9)


def test_a_product_inside_the_step_is_shown_term_by_term_and_follows_edits(open_page: Any) -> None:
    """Of gru_reset_before: the candidate reads r × h of every unit, so that another unit's reset gate reaches it."""
    example = Example(cells.gru_reset_before)
    page = open_page(example.document, fragment="view=unit&time=2&unit=1&node=u.n")
    trace, gate = example.values(), example.lstm.gates()["n"]
    factors = trace["l0.r"][2, 0] * trace["l0.h"][1, 0]
    expected = [*(factors * gate.weight_h[1]).tolist(), gate.bias_h[1].item()]
    products = [number(text) for text in page.locator(".worked .term:not(.total) .product").all_inner_texts()]
    assert products == [near(value) for value in expected]
    assert "r × h₋₁ of unit 2" in page.locator(".worked .terms").inner_text()
    edit = byhand.at(0.0, time=2, unit=2)
    page.evaluate("() => { location.hash = 'view=unit&time=2&unit=1&node=n&edits=l0.r~2~2~0'; }")
    settle(page)
    assert torch.allclose(site_values(page, "h"), example.values(edits={"l0.r": edit})["l0.h"].flatten(), atol=1e-12)
    assert shown(page, ".worked .result") == near(example.values(edits={"l0.r": edit})["l0.n"][2, 0, 1].item())


def test_where_the_page_does_not_compute_there_is_a_reason_and_a_line(open_page: Any) -> None:
    example, site = Example(cells.layernorm_lstm), "c"
    made = example.document
    page = open_page(made, fragment=f"view=unit&time=1&node={site}")
    assert page.locator(".worked [role=spinbutton]").count() == 0
    assert made["why_not"] in page.locator(".why-not").inner_text()
    assert "byhand.edit(lstm" in page.locator(".why-not pre").inner_text()
    assert shown(page, ".worked .number") == near(example.values()[f"l0.{site}"][1, 0, 0].item())


def test_nan_is_hatched_and_named(open_page: Any) -> None:
    example = Example(size=1, hidden=1)
    example.x[2] = float("nan")
    page = open_page(example.document, fragment="view=unit&time=3&node=f")
    gate = page.locator('.node.gate[data-opens="f"]')
    assert "nan" in gate.get_attribute("class").split()
    assert gate.get_attribute("aria-valuetext") == "NaN"
    assert "not a number" in page.locator(".worked .sentence").inner_text()
    assert page.locator(".strip-plot .gap").count() > 0


@pytest.mark.parametrize("steps", [1, 2000])
def test_strips_are_as_long_as_the_sequence(open_page: Any, steps: int) -> None:
    example = Example(size=1, hidden=1, steps=steps)
    page = open_page(example.document, fragment="view=unit")
    over = page.locator(".strip-over").bounding_box()
    page.mouse.move(over["x"] + over["width"] - 2, over["y"] + 30)
    settle(page)
    assert steps - 1 - 3 * steps / over["width"] <= state(page)["time"] <= steps - 1
    page.locator(".strip-over").focus()
    page.keyboard.press("End")
    settle(page)
    assert state(page)["time"] == steps - 1
    longest = page.locator(".strip-plot .now").evaluate_all(
        "(all) => Math.max(...all.map((one) => one.getAttribute('d').length))"
    )
    assert 0 < longest < 60_000
    figure = page.locator(".strip", has=page.get_by_label("short memory, opens")).locator(".strip-figure").inner_text()
    assert number(figure) == near(example.values()["l0.h"][-1].item())


def test_the_original_is_drawn_under_the_edited(open_page: Any) -> None:
    page = open_page(Example().document, fragment="view=unit&time=2&node=f")
    assert page.locator(".strip-plot .old").count() == 0
    page.locator(".hold").get_by_role("button", name="shut").click()
    settle(page)
    assert page.locator(".strip-plot .old").count() > 0


OVERLAPS = """() => {
    const boxes = [...document.querySelectorAll(".unit-picture text")].filter((one) => one.textContent)
        .map((one) => [one.textContent, one.getBoundingClientRect()]);
    const common = (a, b, low, high) => Math.min(a[high], b[high]) - Math.max(a[low], b[low]);
    const hit = (a, b) => common(a, b, "left", "right") > 2 && common(a, b, "top", "bottom") > 6;
    const wrong = [];
    boxes.forEach(([one, a], k) => boxes.slice(k + 1).forEach(([other, b]) => hit(a, b) && wrong.push(`${one} / ${other}`)));
    const frame = document.querySelector(".unit-picture").getBoundingClientRect();
    for (const [text, box] of boxes) if (box.left < frame.left - 1 || box.right > frame.right + 1) wrong.push(`${text} is cut`);
    return wrong;
}"""


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", [*STANDARD, *OTHERS])
def test_no_text_stands_on_another(open_page: Any, name: str, viewport: dict[str, int]) -> None:
    page = open_page(Example((STANDARD | OTHERS)[name]).document, fragment="view=unit&time=2", viewport=viewport)
    settle(page)
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_values_travel_unless_motion_is_unwanted(open_page: Any) -> None:
    for motion, moves in (("no-preference", True), ("reduce", False)):
        page = open_page(Example().document, fragment="view=unit&time=1", reduced_motion=motion)
        page.evaluate("document.querySelector('#byhand-explorer').byhand.store.set({ time: 2 })")
        settle(page)
        assert (page.locator(".spark").count() > 0) is moves
        page.wait_for_timeout(450)
        assert page.locator(".spark").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["lstm", "gru", "layernorm_lstm", "gru_reset_before"])
def test_axe_finds_nothing(open_page: Any, name: str, scheme: str) -> None:
    example = Example((STANDARD | OTHERS).get(name) or getattr(cells, name))
    page = open_page(example.document, fragment="view=unit&time=1&node=h&edits=l0.h~1~0~0", color_scheme=scheme)
    settle(page)
    assert violations(page) == []
