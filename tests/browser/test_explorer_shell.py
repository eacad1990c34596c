"""The explorer's window: address, history, Python text, keyboard, broken documents, two on one page, the training's epochs."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import NARROW, Opener, scrolls_sideways, settle, show, violations
from torch import nn

import byhand
from byhand import cells
from byhand.explorer.document.document import document
from byhand.explorer.hosts.page import page as html
from byhand.explorer.hosts.page import static
from byhand.nn.snapshots import Snapshots

STORE = "document.querySelector('#byhand-explorer').byhand.store"
FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def make(cell: cells.Cell = cells.lstm, steps: int = 6, **options: Any) -> tuple[byhand.LSTM, torch.Tensor]:
    torch.manual_seed(1)
    return byhand.LSTM(3, 4, cell=cell, dtype=torch.float64, **options), torch.randn(steps, 2, 3, dtype=torch.float64)


@pytest.fixture(scope="module")
def doc() -> dict[str, Any]:
    lstm, x = make(num_layers=2, bidirectional=True)
    return document(lstm, x, items=["first", "second"])


@pytest.fixture(scope="module")
def trained() -> tuple[Snapshots, byhand.LSTM, torch.Tensor]:
    lstm, x = make()
    snapshots, optimiser = Snapshots(), torch.optim.SGD(lstm.parameters(), lr=0.5)
    for epoch in range(12):
        loss = lstm(x)[0][-1].square().mean()
        snapshots.take(epoch, lstm, loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return snapshots, lstm, x


def state(page: Any) -> dict[str, Any]:
    return page.evaluate(f"{STORE}.state")


def until(page: Any, expression: str) -> None:
    """Waits till it holds. playwright's own wait_for_function makes code from text, which the page forbids."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"it never came to this: {expression}")


def edit(page: Any, change: dict[str, Any], *, dragging: bool = False) -> None:
    page.evaluate(f"([edit, dragging]) => {STORE}.edit(edit, {{ dragging }})", [{"on": True} | change, dragging])
    settle(page)


def site(value: float, name: str = "f", place: str = "l0", time: int | None = 2, unit: int | None = 1) -> dict[str, Any]:
    return {"kind": "site", "place": place, "site": name, "value": value, "time": time, "unit": unit}


EDITS = [
    site(0.25),
    site(-1.5, "h", "l1.reverse", None, 0),
    {"kind": "input", "item": 1, "time": 3, "feature": 2, "value": 0.75},
    {"kind": "weight", "place": "l0.reverse", "part": "input", "row": 9, "column": 1, "value": 1.125},
    {"kind": "weight", "place": "l1", "part": "recurrent", "row": 6, "column": 2, "value": -0.5},
    {"kind": "weight", "place": "l1", "part": "bias_recurrent", "row": 15, "column": 0, "value": 2.0},
    {"kind": "initial", "item": 1, "place": "l1.reverse", "state": "c", "unit": 3, "value": -0.25},
]


def test_the_address_holds_all_that_is_seen(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc)
    patch = {
        "view": "layer",
        "item": 1,
        "place": "l1.reverse",
        "unit": 3,
        "time": 4,
        "node": "f",
        "sort": "activity",
        "span": [1, 3],
    }
    page.evaluate(f"(patch) => {STORE}.set(patch)", patch | {"table": True, "theme": "dark", "compare": False})
    for one in EDITS:
        edit(page, one)
    edit(page, site(0.0, "i") | {"on": False})
    before = state(page)
    until(page, "location.hash.includes('off~l0.i')")
    address = page.evaluate("location.hash")
    other = open_page(doc, fragment=address)
    assert state(other) == before
    assert len(address) < 600


def test_addresses_that_follow_each_other_quickly(open_page: Opener, doc: dict[str, Any]) -> None:
    """Away and back again before the page has written down where it was; and a change while it is about to write."""
    page = open_page(doc, fragment="view=unit")
    page.evaluate(
        """async () => {
            const settled = () => new Promise((done) => setTimeout(done, 60));
            location.hash = "view=layer&time=3";
            await settled();
            location.hash = "view=unit";
            await settled();
        }"""
    )
    assert (state(page)["view"], state(page)["time"]) == ("unit", 0)
    page.wait_for_timeout(600)  # until it has written that down, and is about to write nothing
    page.evaluate(
        f"""async () => {{
            const later = window.setTimeout;
            let writes = null;
            window.setTimeout = (what, pause) => (pause === 200 ? ((writes = what), 1) : later(what, pause));
            {STORE}.set({{ time: 2 }});
            await {FRAME};
            window.setTimeout = later;
            location.hash = "view=ledger&time=4";
            writes(); // before the event of the new address has come
            await new Promise((done) => setTimeout(done, 400));
        }}"""
    )
    assert (state(page)["view"], state(page)["time"]) == ("ledger", 4)
    assert page.evaluate("location.hash") == "#view=ledger&time=4"


def test_an_address_of_nonsense_does_no_harm(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(
        doc, fragment="view=unit&unit=999&time=1e9&item=-3&place=%E0%A4%A&node=__proto__&span=9~x&stage=NaN&edits=l9.f~1~1~1"
    )
    first = state(page)
    assert (first["unit"], first["time"], first["item"], first["place"], first["edits"]) == (3, 5, 0, "l0", [])
    draw = random.Random(0)
    words = [
        "view",
        "edits",
        "=",
        "&",
        "~",
        ",",
        "l0.f",
        "off",
        "x",
        "w",
        "s",
        "all",
        "9e999",
        "-1",
        "%",
        "%zz",
        "<b>",
        "constructor",
        "unit",
        "Infinity",
        "0.5",
    ]
    for _ in range(150):
        page.evaluate("(hash) => { location.hash = hash }", "".join(draw.choice(words) for _ in range(draw.randrange(14))))
        found = page.evaluate(f"{STORE}.state")
        assert 0 <= found["unit"] < 4
        assert 0 <= found["time"] < 6
    page.evaluate("location.hash = 'view=unit&edits=l0.f~99~99~0.5'")
    until(page, f"{STORE}.state.edits.length === 1")
    assert state(page)["edits"] == [{"on": True} | site(0.5, time=5, unit=3)]


def test_many_notices_are_one_line_until_they_are_opened(open_page: Opener, doc: dict[str, Any]) -> None:
    few = open_page(doc | {"notices": ["one", "two"]})
    assert few.locator(".notices li").all_inner_texts() == ["one", "two"]
    page = open_page(doc | {"notices": ["the first", *(f"note {index}" for index in range(9))]})
    line, others = page.locator(".notices summary"), page.locator(".notices li")
    assert line.inner_text() == "the first; and 9 more" and not others.first.is_visible()
    assert violations(page) == []
    line.click()
    assert others.all_inner_texts() == [f"note {index}" for index in range(9)] and others.last.is_visible()
    assert violations(page) == []


def test_undo_takes_back_a_drag_at_once(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc)
    for step in range(5):
        edit(page, site(step / 8), dragging=True)
    edit(page, site(0.5, "i"), dragging=True)
    page.keyboard.press("u")
    assert state(page)["edits"] == [{"on": True} | site(0.5)]
    page.keyboard.press("u")
    assert state(page)["edits"] == []
    assert not page.evaluate(f"{STORE}.canUndo()")
    page.keyboard.press("Shift+U")
    page.keyboard.press("Control+y")
    assert [one["site"] for one in state(page)["edits"]] == ["f", "i"]
    page.get_by_role("button", name="undo (u)").click()
    assert [one["site"] for one in state(page)["edits"]] == ["f"]


def test_edits_are_listed_switched_off_and_removed(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc)
    for one in EDITS[:3]:
        edit(page, one)
    page.locator(".changes .fold").click()
    listed = page.locator(".changes li")
    assert listed.count() == 3
    assert "forget gate f of unit 1 at step 2 = 0.25" in listed.first.inner_text()
    listed.nth(0).get_by_role("checkbox").uncheck()
    listed.nth(1).get_by_role("button").click()
    assert [(one["on"], one["kind"]) for one in state(page)["edits"]] == [(False, "site"), (True, "input")]
    page.get_by_role("button", name="Remove all").click()
    page.locator(".changes").wait_for(state="hidden")


def test_the_keyboard_alone(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc)
    for key, name, value in [
        ("ArrowRight", "time", 1),
        ("End", "time", 5),
        ("ArrowLeft", "time", 4),
        ("Home", "time", 0),
        ("ArrowDown", "unit", 1),
        ("ArrowUp", "unit", 0),
        ("Space", "playing", True),
        ("Space", "playing", False),
        ("t", "table", True),
        ("t", "table", False),
        ("3", "view", "layer"),
        ("4", "view", "ledger"),
        ("2", "view", "unit"),
        ("c", "compare", False),
    ]:
        page.keyboard.press(key)
        assert state(page)[name] == value, key
    page.keyboard.press("t")
    page.keyboard.press("Escape")
    assert state(page)["table"] is False
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    page.get_by_role("spinbutton", name="unit", exact=True).first.focus()
    page.keyboard.type("3")
    assert state(page)["view"] == "unit"  # typed into the field
    page.keyboard.press("Enter")
    assert state(page)["unit"] == 3
    page.get_by_role("tab", name="Unit").focus()
    page.keyboard.press("ArrowRight")
    assert state(page)["view"] == "layer"
    settle(page)
    assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"


def test_the_tour_leaves_the_model_alone(open_page: Opener, doc: dict[str, Any]) -> None:
    """It has a model and a history of its own: keys that mean the reader's model mean nothing there."""
    page = open_page(doc, fragment="view=tour&edits=l0.f~1~1~0")
    edit(page, site(0.5, "i"))
    for key in ["u", "Control+z", "t", "c", "ArrowRight", "ArrowDown", "Space"]:
        page.keyboard.press(key)
    found = state(page)
    assert [one["site"] for one in found["edits"]] == ["f", "i"]
    assert (found["time"], found["unit"], found["table"], found["compare"], found["playing"]) == (0, 0, False, True, False)
    page.keyboard.press("2")
    assert state(page)["view"] == "unit"
    settle(page)
    page.keyboard.press("u")
    assert [one["site"] for one in state(page)["edits"]] == ["f"]


def test_it_plays_to_the_end_and_says_what_it_shows(open_page: Opener, doc: dict[str, Any]) -> None:
    page = open_page(doc, fragment="view=unit&time=4")
    page.get_by_role("button", name="play (space)").click()
    until(page, f"{STORE}.state.time === 5 && !{STORE}.state.playing")
    settle(page)
    assert "step 5 of 0–5" in page.locator(".time-bar").inner_text()
    until(page, "document.querySelector('.unseen[aria-live]').textContent.startsWith('Step 5 of 0 to 5, unit 0')")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"schema": 1, "cell"', "not JSON"),
        ('{"schema": 7}', "version 7"),
        ("null", "companies"),
        ('{"schema": 1, "layers": [], "items": [], "cell": {"sites": []}}', "no layers"),
        ('{"schema": 1, "layers": [3], "items": [{"steps": 0}], "cell": {"sites": ["f"]}}', "without a step"),
        ('{"schema": 1, "layers": [3], "items": [{"steps": 1}], "cell": {"sites": ["f"]}}', "There is nothing to show"),
    ],
)
def test_a_broken_document_is_told_kindly(chromium: Any, tmp_path: Path, doc: dict[str, Any], text: str, says: str) -> None:
    whole = html(doc)
    start = whole.index('id="byhand-document">') + len('id="byhand-document">')
    (tmp_path / "page.html").write_text(whole[:start] + text + whole[whole.index("</script>", start) :], encoding="utf-8")
    page = chromium.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".byhand-explorer").wait_for()
    assert says in page.locator(".byhand-explorer").inner_text()
    page.close()


def test_two_on_one_page_do_not_disturb_each_other(chromium: Any, doc: dict[str, Any]) -> None:
    page = chromium.new_page()
    told = page.evaluate(
        """async ([script, doc]) => {
            const module = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
            document.body.innerHTML = "<div id=a></div><div id=b></div>";
            for (const id of ["a", "b"]) module.mount(document.getElementById(id), doc, { state: "view=unit&time=1" });
            const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
            return ids.length === new Set(ids).size;
        }""",
        [static("explorer.js"), json.dumps(doc)],
    )
    assert told, "an id stands twice on the page"
    page.locator("#a").get_by_role("button", name="one step forward").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    states = page.evaluate("['a', 'b'].map((id) => document.getElementById(id).byhand.store.state)")
    assert [(one["time"], one["view"]) for one in states] == [(2, "layer"), (1, "unit")]
    assert page.evaluate("location.hash") == ""
    page.close()


def test_epochs_show_the_values_as_they_were(open_page: Opener, trained: tuple[Snapshots, byhand.LSTM, torch.Tensor]) -> None:
    snapshots, lstm, x = trained
    page = open_page(document(lstm, x, training=snapshots), fragment="view=training")
    page.get_by_role("slider", name="epoch").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert state(page)["snapshot"] == 1
    assert state(page)["time"] == 0
    then = byhand.LSTM(3, 4, dtype=torch.float64)
    then.load_state_dict(snapshots.kept[1].state)
    with byhand.record(then) as trace, torch.no_grad():
        then(x)
    ours = page.evaluate(f"[...{STORE}.run().places.l0.sites.c.data]")
    found = torch.tensor(ours, dtype=torch.float64).reshape(len(x), 4)
    assert float((found - trace["l0.c"][:, 0]).abs().max()) < 1e-9
    settle(page)
    assert page.locator(".training .epoch").inner_text() == "epoch 1"
    page.locator(".loss-curve svg").click(position={"x": 60, "y": 60})
    assert state(page)["snapshot"] == 0
    show(page, "unit", "&snapshot=3")
    assert "after epoch 3" in page.locator(".then-bar").inner_text()
    page.get_by_role("button", name="Show it as trained").click()
    assert state(page)["snapshot"] is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_training_view_is_accessible_and_narrow(
    open_page: Opener, trained: tuple[Snapshots, nn.Module, torch.Tensor], scheme: str
) -> None:
    snapshots, lstm, x = trained
    fragment = "view=training&snapshot=2&edits=l0.f~1~0~0.5"
    page = open_page(document(lstm, x, training=snapshots), fragment=fragment, viewport=NARROW, color_scheme=scheme)
    page.locator(".loss-curve svg").wait_for()
    assert violations(page) == []
    assert not scrolls_sideways(page)
