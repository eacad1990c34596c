"""The picture is the handle: its gates, memories and input are dragged, turned with the wheel, stepped with the keys, and let go."""

from __future__ import annotations

from typing import Any

import documents
import pytest
import torch
from browser import NARROW, Opener, picture, settle, violations
from test_explorer_unit import OTHERS, STANDARD, Example, near, number, shown, site_values, state
from torch import Tensor

import byhand
from byhand import LSTM, Cell, cells
from byhand.explorer.document.document import document

STORE = "document.querySelector('#byhand-explorer').byhand.store"


def leaky_step(x: Any, u: Any, s: Any, p: Any) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """A cell of one's own, whose memory has no bounds."""
    keep = torch.sigmoid(x.keep + u.keep)
    h = keep * s.h + (x.new + u.new)
    return (h,), {"keep": keep, "h": h}


LEAKY = Cell("leaky", ("keep", "new"), ("h",), leaky_step)


def node(page: Any, name: str, kind: str = "") -> Any:
    return page.locator(f'.unit-picture .node{kind}[data-opens="{name}"]').first


def middle(page: Any, name: str, kind: str = "") -> tuple[float, float]:
    """In whole pixels, as a mouse moves."""
    box = node(page, name, kind).locator(".shell").bounding_box()
    return round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)


def drag(page: Any, name: str, up: float, *, drop: bool = True, kind: str = "") -> None:
    """With the mouse, by so many pixels."""
    x, y = middle(page, name, kind)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - up, steps=4)
    settle(page)
    if drop:
        page.mouse.up()
        settle(page)


def reset(page: Any) -> None:
    page.evaluate(f"{STORE}.set({{ edits: [] }})")
    settle(page)


def same_as_python(page: Any, example: Example) -> None:
    """All sites are what the model itself computes under the edit that the page made."""
    (edit,) = state(page)["edits"]
    given, values = example.x.clone(), {}
    if edit["kind"] == "input":
        given[edit["time"], 0, edit["feature"]] = edit["value"]
    else:
        assert edit["kind"] == "site"
        values = {f"{edit['place']}.{edit['site']}": byhand.at(edit["value"], time=edit["time"], unit=edit["unit"])}
    trace = example.values(given, values)
    for site in example.lstm.cell.sites:
        torch.testing.assert_close(site_values(page, site), trace[f"l0.{site}"].flatten(), rtol=1e-9, atol=1e-9)


def test_a_drag_holds_a_gate_and_all_follows_at_once(open_page: Opener) -> None:
    example = Example()
    page = open_page(example.document, fragment="view=unit&time=2&unit=1&node=f")
    level = node(page, "f").locator(".level")
    before = level.bounding_box()
    whole = node(page, "f").locator(".shell").evaluate("(one) => one.getBBox().height * one.getScreenCTM().d")
    own = example.values()["l0.f"][2, 0, 1].item()
    drag(page, "f", 15, drop=False)
    assert "dragging" in node(page, "f").get_attribute("class").split()
    assert before["y"] - level.bounding_box()["y"] == pytest.approx(15, abs=0.6), "the level is where the pointer took it"
    (edit,) = state(page)["edits"]
    assert edit == {"on": True, "kind": "site", "place": "l0", "site": "f", "time": 2, "unit": 1, "value": edit["value"]}
    assert edit["value"] == pytest.approx(own + 15 / whole, abs=0.006)
    assert shown(page, ".hold .handle") == near(edit["value"])
    assert number(node(page, "f").locator(".value").text_content()) == near(edit["value"])
    figures = page.locator(".strip", has=page.get_by_label("forget gate, opens")).locator(".strip-figure")
    assert number(figures.inner_text()) == near(edit["value"])
    picture(page, "unit-drag")
    same_as_python(page, example)
    page.mouse.move(*middle(page, "h", ".port"), steps=3)
    page.mouse.up()
    settle(page)
    assert state(page)["node"] == "f" and page.evaluate("getSelection().toString()") == ""
    page.keyboard.press("u")
    assert state(page)["edits"] == [] and not page.evaluate(f"{STORE}.canUndo()"), "a drag is one step of undo"


@pytest.mark.parametrize("cell", [cells.gru, cells.peephole, cells.cifg, cells.slstm, LEAKY], ids=lambda cell: cell.name)
def test_every_level_of_every_cell_can_be_dragged(open_page: Opener, cell: Cell) -> None:
    example = Example(cell)
    page = open_page(example.document, fragment="view=unit&time=2&unit=1")
    gates = page.locator(".unit-picture .node.gate").evaluate_all("(all) => all.map((one) => one.dataset.opens)")
    assert set(gates) <= set(cell.sites) and len(gates) > 1
    for name in gates:
        own = site_values(page, name).reshape(5, 3)[2, 1].item()
        up = 12 if own < 0.5 else -12
        before = node(page, name).locator(".grip").bounding_box()
        drag(page, name, up)
        (edit,) = state(page)["edits"]
        assert (edit["kind"], edit["site"], edit["time"], edit["unit"]) == ("site", name, 2, 1)
        assert (edit["value"] - own) * up > 0
        moved = before["y"] - node(page, name).locator(".grip").bounding_box()["y"]
        assert moved == pytest.approx(up, abs=0.8), "the grip stays under the pointer"
        same_as_python(page, example)
        reset(page)


@pytest.mark.parametrize("time", [0, 2])
def test_input_and_memories_mean_what_the_arithmetic_means(open_page: Opener, time: int) -> None:
    example = Example(size=1)
    page = open_page(example.document, fragment=f"view=unit&time={time}&unit=1&node=f")
    for name in ("input", "s.c", "s.h"):
        own = number(node(page, name, ".port").locator(".value").text_content())
        drag(page, name, 20, kind=".port")
        (edit,) = state(page)["edits"]
        assert edit["value"] == pytest.approx(own + 0.25, abs=0.006), "a step for every four pixels, as with the numbers"
        if edit["kind"] != "initial":
            same_as_python(page, example)
        else:
            hx = [torch.zeros(1, 1, 3, dtype=torch.float64) for _ in range(2)]
            hx["hc".index(edit["state"])][0, 0, edit["unit"]] = edit["value"]
            with byhand.record(example.lstm) as trace:
                example.lstm(example.x, tuple(hx))
            torch.testing.assert_close(site_values(page, "h"), trace["l0.h"].flatten(), rtol=1e-9, atol=1e-9)
        reset(page)
        page.evaluate(f"(node) => {STORE}.set({{ node }})", name)
        settle(page)
        page.locator(".worked [role=spinbutton]").first.focus()
        page.keyboard.press("ArrowUp")
        (by_hand,) = state(page)["edits"]
        assert {**by_hand, "value": 0} == {**edit, "value": 0}, "the same change as by the arithmetic's number"
        reset(page)


def test_wheel_and_keys(open_page: Opener) -> None:
    example = Example()
    page = open_page(example.document, fragment="view=unit&time=2&unit=1&node=o")
    own = example.values()["l0.f"][2, 0, 1].item()
    gate = node(page, "f")

    def value() -> float:
        settle(page)
        (edit,) = state(page)["edits"]
        assert (edit["site"], edit["time"]) == ("f", 2)
        assert float(gate.get_attribute("aria-valuenow")) == pytest.approx(edit["value"], abs=1e-5)
        return edit["value"]

    gate.hover()
    page.mouse.wheel(0, -100)
    settle(page)
    assert state(page)["edits"] == [], "without the focus the wheel scrolls the page"
    page.evaluate("scrollTo(0, 0)")
    gate.focus()
    page.mouse.move(*middle(page, "f"))
    page.mouse.wheel(0, -100)
    assert value() == pytest.approx(own + 0.05)
    page.keyboard.press("ArrowUp")
    assert value() == pytest.approx(own + 0.1)
    page.keyboard.press("Shift+ArrowDown")
    assert value() == pytest.approx(own + 0.095)
    page.keyboard.press("End")
    assert value() == 1
    page.keyboard.press("ArrowUp")
    assert value() == 1
    page.keyboard.press("PageDown")
    assert value() == 0.5
    page.keyboard.press("Home")
    assert value() == 0
    assert state(page)["unit"] == 1 and state(page)["node"] == "o"
    same_as_python(page, example)
    for key in ("Delete", "Backspace"):
        page.keyboard.press("ArrowUp")
        assert len(state(page)["edits"]) == 1
        page.keyboard.press(key)
        assert state(page)["edits"] == []
    page.keyboard.press("ArrowRight")
    assert state(page)["time"] == 3, "left and right are the steps', as everywhere"
    page.keyboard.press("Enter")
    assert state(page)["node"] == "f"


def test_escape_takes_a_drag_back_and_leaves_what_was_before(open_page: Opener) -> None:
    page = open_page(Example().document, fragment="view=unit&time=2&unit=1&node=f&edits=l0.f~2~1~0.25")
    before = state(page)["edits"]
    for name in ("f", "i"):
        drag(page, name, 12, drop=False)
        assert state(page)["edits"] != before
        page.keyboard.press("Escape")
        settle(page)
        assert state(page)["edits"] == before
        page.mouse.move(50, 400)
        page.mouse.up()
        settle(page)
        assert (state(page)["edits"], state(page)["node"]) == (before, "f")
        assert not page.evaluate(f"{STORE}.canRedo()")
    price = page.locator('.worked [role=spinbutton][data-key^="weight"]').first
    price.scroll_into_view_if_needed()
    box = price.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 45, box["y"] + 5, steps=3)
    settle(page)
    assert len(state(page)["edits"]) == 2
    page.keyboard.press("Escape")
    page.mouse.up()
    assert state(page)["edits"] == before, "a number is taken back in the same way"


def test_a_click_opens_and_a_double_click_lets_go(open_page: Opener) -> None:
    page = open_page(Example().document, fragment="view=unit&time=2&unit=1&node=o&edits=l0.i~2~1~0.5")
    drag(page, "f", 2)
    assert (state(page)["node"], len(state(page)["edits"])) == ("f", 1), "two pixels are a click"
    page.get_by_label("at which steps").select_option("all")
    drag(page, "g", 10)
    assert state(page)["edits"][1]["time"] is None, "held at all steps, as chosen beside it"
    assert state(page)["node"] == "f"
    for name, left in (("i", ["g"]), ("g", [])):
        page.mouse.dblclick(*middle(page, name))
        settle(page)
        assert [edit["site"] for edit in state(page)["edits"]] == left
        assert state(page)["node"] == name
    page.keyboard.press("u")
    assert [edit["site"] for edit in state(page)["edits"]] == ["g"]


def test_a_finger_drags_and_does_not_scroll(open_page: Opener) -> None:
    page = open_page(Example().document, fragment="view=unit&time=2&unit=1&node=f", viewport=NARROW, has_touch=True)
    session = page.context.new_cdp_session(page)
    x, y = middle(page, "o")

    def touch(kind: str, up: float | None = None) -> None:
        points = [] if up is None else [{"x": x, "y": y - up}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0)
    for up in range(3, 31, 3):
        touch("touchMove", up)
        settle(page)
    touch("touchEnd")
    settle(page)
    assert page.evaluate("scrollY") == 0
    (edit,) = state(page)["edits"]
    assert edit["site"] == "o" and state(page)["node"] == "f"
    page.touchscreen.tap(x, y)
    settle(page)
    assert state(page)["node"] == "o"


def test_grip_and_cursor_show_where_something_can_be_dragged(open_page: Opener) -> None:
    page = open_page(Example(cells.gru).document, fragment="view=unit&time=2&unit=1&node=r")
    look = "(one) => [getComputedStyle(one).cursor, getComputedStyle(one.querySelector('.grip') ?? one).opacity]"
    for name in ("r", "h", "s.h"):
        node(page, name).hover()
        page.wait_for_function("() => document.getAnimations().every((one) => one.playState !== 'running')")
        assert node(page, name).evaluate(look) == ["ns-resize", "1"]
    page.mouse.move(2, 2)
    node(page, "z").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.getAnimations().every((one) => one.playState !== 'running')")
    assert node(page, "z").evaluate(look)[1] == "1"
    for name in ("input", "x.r", "u.n"):  # two features, and sums
        node(page, name).hover()
        page.wait_for_function("() => document.getAnimations().every((one) => one.playState !== 'running')")
        assert node(page, name).evaluate(look) == ["pointer", "0"]
        drag(page, name, 20)
        assert state(page)["edits"] == []


def counted(x: Any, u: Any, s: Any, p: Any) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """It counts its own calls, and computes something else each time."""
    counted.calls += 1  # type: ignore[attr-defined]
    h = torch.tanh(x.a + u.a) * counted.calls  # type: ignore[attr-defined]
    return (h,), {"a": x.a, "h": h}


counted.calls = 0  # type: ignore[attr-defined]
REFUSAL = "the step of cell 'counting' does what its graph does not show"


def test_a_step_that_counts_its_own_calls_is_shown_and_not_computed(open_page: Opener) -> None:
    made = document(LSTM(1, 2, cell=Cell("counting", ("a",), ("h",), counted)), torch.ones(4, 1, 1))
    page = open_page(made, fragment="view=unit&time=2")
    assert REFUSAL in page.locator(".notices").inner_text() and REFUSAL in page.locator(".why-not").inner_text()
    assert page.locator(".equations pre").text_content() == "" and page.locator(".worked .equation").count() == 0
    no_edits(page)


def test_where_the_page_does_not_compute_nothing_can_be_dragged(open_page: Opener) -> None:
    page = open_page(documents.not_computed(), fragment="view=unit&time=2")
    no_edits(page)


def no_edits(page: Any) -> None:
    assert (
        page.locator(".byhand-explorer :is(.handle, .hold), .unit-picture :is([role=slider], [role=spinbutton], .free)").count()
        == 0
    )
    names = page.locator(".unit-picture .node").evaluate_all("(all) => [...new Set(all.map((one) => one.dataset.opens))]")
    for name in names:
        node(page, name).hover()
        assert node(page, name).evaluate("(one) => getComputedStyle(one).cursor") == "pointer"
        drag(page, name, 20)
        assert state(page)["edits"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screen_reader_hears_sliders_and_finds_buttons(open_page: Opener, scheme: str) -> None:
    page = open_page(
        Example(size=1).document, fragment="view=unit&time=2&unit=1&node=f&edits=l0.f~2~1~0.25", color_scheme=scheme
    )
    gate = page.get_by_role("slider", name="forget gate", exact=True)
    told = {
        name: gate.get_attribute(f"aria-{name}") for name in ("valuemin", "valuemax", "valuenow", "valuetext", "orientation")
    }
    assert told == {
        "valuemin": "0",
        "valuemax": "1",
        "valuenow": "0.25",
        "valuetext": "0.25, changed",
        "orientation": "vertical",
    }
    assert gate.get_attribute("aria-description") == "Enter opens its arithmetic"
    candidate = page.get_by_role("slider", name="candidate", exact=True)
    assert candidate.get_attribute("aria-valuemin") == "-1"
    memory = page.locator(".unit-picture").get_by_role(
        "spinbutton", name="long memory of unit 1 of the step before", exact=True
    )
    assert memory.get_attribute("aria-valuemin") is None and memory.get_attribute("aria-valuenow")
    opens = page.get_by_role("button", name="output gate (o):")
    assert opens.get_attribute("tabindex") == "-1"
    opens.evaluate("(one) => one.click()")  # as a screen reader does
    settle(page)
    assert state(page)["node"] == "o"
    assert violations(page) == []
    other = open_page(Example(cells.slstm).document, fragment="view=unit&time=2&unit=1", color_scheme=scheme)
    settle(other)
    assert violations(other) == []


def test_a_gate_that_is_not_a_number_can_be_held(open_page: Opener) -> None:
    example = Example(size=1, hidden=1)
    example.x[2] = float("nan")
    page = open_page(example.document, fragment="view=unit&time=2&node=f")
    assert violations(page) == []
    node(page, "f").focus()
    page.keyboard.press("ArrowUp")
    settle(page)
    assert state(page)["edits"][0]["value"] == 0.05
    assert node(page, "f").get_attribute("role") == "slider"


def test_in_the_tour_the_picture_is_the_handle_too(open_page: Opener) -> None:
    page = open_page(Example().document, fragment="view=tour&stage=3", reduced_motion="reduce")
    settle(page)
    drag(page, "f", -120)
    assert "done" in page.locator(".tour-try").get_attribute("class").split()
    page.keyboard.press("Escape")
    assert state(page)["edits"] == [], "the reader's own model is left alone"
    page.mouse.dblclick(*middle(page, "f"))
    settle(page)
    assert "done" not in page.locator(".tour-try").get_attribute("class").split()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.get_by_role("button", name="day 3").get_attribute("aria-pressed") == "true"


def test_every_known_cell_has_a_handle(open_page: Opener) -> None:
    for name, cell in (STANDARD | OTHERS).items():
        page = open_page(Example(cell).document, fragment="view=unit&time=2")
        assert page.locator(".unit-picture .node.free").count() >= 2, name
        page.close()
