"""A model out of a file, opened in a real browser: chosen or dropped, live in every view, refused in one message."""

import base64
from typing import Any

import documents
import page_files
import pytest
import torch
from browser import NARROW, WIDE, Opener, picture, scrolls_sideways, violations
from torch import nn

VALUES = """() => {
  const { store } = document.querySelector('#byhand-explorer').byhand;
  const run = store.run();
  return { x: [...run.input.data], y: [...run.output.data], steps: run.steps };
}"""
DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), one => one.charCodeAt(0)), data = new DataTransfer();
  data.items.add(new File([bytes], name));
  for (const kind of ['dragover', 'drop'])
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def given(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow, dark"])
def test_a_chosen_file_opens_live(open_page: Opener, viewport: dict[str, int], scheme: str) -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(6, 33, 2, bidirectional=True).double()
    page = open_page(documents.companies(), viewport=viewport, color_scheme=scheme)
    page.get_by_role("button", name="open a model").click()
    assert violations(page) == []
    picture(page, f"open-file-{viewport['width']}")
    page.get_by_label("a file with a model").set_input_files(given("lstm.safetensors", page_files.saved(lstm.state_dict())))
    page.locator(".map-box canvas").first.wait_for()
    assert page.locator(".title").first.inner_text().startswith("lstm.safetensors: LSTM, 2 layers in both directions")
    found = page.evaluate(VALUES)
    x = torch.tensor(found["x"], dtype=torch.float64).reshape(found["steps"], 1, 6)
    with torch.no_grad():
        torch.testing.assert_close(torch.tensor(found["y"], dtype=torch.float64), lstm(x)[0].flatten(), rtol=1e-9, atol=1e-12)
    assert "nothing of it was sent anywhere" in page.locator("main").inner_text()
    for view in ("unit", "layer", "ledger"):
        page.evaluate("view => { location.hash = `view=${view}`; }", view)
        page.wait_for_function("view => document.querySelector('.view').dataset.view === view", arg=view)
        assert violations(page) == []
        assert not scrolls_sideways(page)
        picture(page, f"opened-{view}-{viewport['width']}")


def test_a_file_dropped_anywhere_asks_which_of_its_models(open_page: Opener) -> None:
    made = nn.ModuleDict({"a": nn.LSTM(3, 4), "b": nn.GRU(4, 6)})
    page = open_page(documents.companies())
    content = base64.b64encode(page_files.saved(made.state_dict())).decode()
    page.evaluate(DROP, ["two.safetensors", content])
    page.get_by_role("button", name="b: GRU, 4 inputs, 6 units").wait_for()
    assert violations(page) == []
    page.keyboard.press("Tab")  # from the first to the second
    page.keyboard.press("Enter")
    page.locator(".map-box canvas").first.wait_for()
    assert page.evaluate(VALUES)["steps"] == 40
    assert "b: GRU" in page.locator(".title").first.inner_text()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("clipped.onnx", page_files.node_file("GRU", clip=1.0), "it clips"),
        ("notes.txt", b"no model", ".safetensors or .onnx"),
        ("cut.safetensors", page_files.saved(nn.LSTM(3, 4).state_dict())[:-5], "cut short"),
        ("<img src=x onerror=alert(1)>.onnx", b"\x00\x01", "it has no graph"),
    ],
    ids=["form", "ending", "cut", "hostile"],
)
def test_what_the_page_cannot_open_it_says_in_one_message(open_page: Opener, name: str, content: bytes, reason: str) -> None:
    page = open_page(documents.companies())
    title = page.locator(".title").first.inner_text()
    page.get_by_role("button", name="open a model").click()
    page.get_by_label("a file with a model").set_input_files(given(name, content))
    page.wait_for_function("() => document.querySelector('.open-said').textContent.includes('was not opened')", polling=50)
    assert reason in page.locator(".open-said").inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".title").first.inner_text() == title
