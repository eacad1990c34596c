"""The explorer where no kernel runs: what a notebook keeps of it, and the page that is made of a notebook, opened from the disk."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from browser import WIDE, Watched, picture, violations
from conftest import ROOT, run

import byhand
from byhand import LSTM, cells
from byhand.explorer.hosts.stored import MOST, stored
from byhand.explorer.still.colours import Scheme, png
from byhand.explorer.still.values import first_layer

SHOW = """\
import torch, byhand
torch.manual_seed(1)
byhand.explore(byhand.LSTM(1, 2), torch.tensor([0.0, 0.5, 0.25, 1.0]).view(4, 1, 1), features=["price"])"""
STORE = "document.querySelector('#byhand-explorer').byhand.store"


def made(**options: Any) -> byhand.explorer.Explorer:
    torch.manual_seed(1)
    return byhand.explore(LSTM(1, 2), torch.tensor([0.0, 0.5, 0.25, 1.0]).view(4, 1, 1), **options)


def opened(chromium: Any, file: Path, **options: Any) -> tuple[Any, Watched]:
    page = chromium.new_page(viewport=WIDE, **options)
    page.set_default_timeout(60_000)
    watched = Watched(page, [])
    page.goto(file.as_uri())
    return page, watched


def inside(page: Any) -> Any:
    """The frame with the explorer, drawn."""
    page.locator("iframe").scroll_into_view_if_needed()
    page.frame_locator("iframe").locator(".byhand-explorer .view > *").first.wait_for()
    return next(one for one in page.frames if one.parent_frame is not None)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a notebook that has been run, kept, and made a page of, as make run does it."""
    folder = tmp_path_factory.mktemp("notebook")
    one = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SHOW)])
    one.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(one, folder / "one.ipynb")
    done = run("python", str(ROOT / "tools/notebook.py"), "one.ipynb", "--keep", "--html", "page.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_page_of_a_notebook_is_live(chromium: Any, notebook: Path) -> None:
    page, watched = opened(chromium, notebook / "page.html")
    frame = inside(page)
    frame.get_by_role("button", name="Play with it").click()
    last = frame.evaluate(f"{STORE}.state.time")
    assert last == frame.evaluate(f"{STORE}.model.doc.items[0].steps") - 1, "of the most telling sequence"
    frame.locator(".view").focus() if frame.locator(".view[tabindex]").count() else frame.locator("body").click(
        position={"x": 3, "y": 3}
    )
    page.keyboard.press("ArrowLeft")
    frame.wait_for_function(f"{STORE}.state.time === {last - 1}")
    frame.get_by_role("button", name="shut").first.click()
    frame.wait_for_function(f"{STORE}.state.edits.length === 1")
    page.wait_for_timeout(500)  # longer than it waits to write its address, which a frame has not
    picture(page, "notebook-page")
    assert frame.evaluate("origin") == "null", "it reaches nothing of the page around it"
    with pytest.raises(Exception, match=r"SecurityError|cross-origin|Blocked"):
        frame.evaluate("parent.document.title")
    page.close()
    asked = [one for one in watched.asked if not one.startswith(("file:", "data:", "blob:", "about:"))]
    assert watched.wrong == [] and asked == []


def test_what_is_kept_shows_without_frames(chromium: Any, notebook: Path, tmp_path: Path) -> None:
    """As where they are taken out: the picture is left, with the words that say what to do."""
    (output,) = nbformat.read(notebook / "one.ipynb", as_version=4).cells[0].outputs
    assert set(output.data) == {"text/plain", "text/html"}, "a widget does not live in a file"
    sanitised = re.sub(r"<iframe.*?</iframe>", "", output.data["text/html"], flags=re.DOTALL)
    (tmp_path / "page.html").write_text(
        f"<!doctype html><html lang=en><title>Kept</title><main><h1>Kept</h1>{sanitised}</main>", encoding="utf-8"
    )
    page, watched = opened(chromium, tmp_path / "page.html")
    assert page.evaluate("document.querySelector('img').naturalWidth") > 500
    assert "run this cell again, or explorer.save('page.html')" in page.inner_text("main")
    assert violations(page) == []
    picture(page, "notebook-still")
    page.close()
    assert watched.wrong == []
    assert len(json.dumps(output)) < 650_000


@pytest.mark.parametrize("name", ["lstm", "gru", "peephole", "min_lstm", "lstm_1997", "projected", "backwards", "recorded"])
def test_the_picture_is_of_the_models_own_values(name: str) -> None:
    options: dict[str, Any] = {"projected": {"proj_size": 2}, "backwards": {"bidirectional": True}}.get(name, {})
    torch.manual_seed(0)
    cell = {"projected": cells.lstm, "backwards": cells.lstm, "recorded": cells.layernorm_lstm}.get(name) or getattr(
        cells, name
    )
    lstm, x = LSTM(3, 4, cell=cell, dtype=torch.float64, **options), torch.randn(7, 2, 3, dtype=torch.float64)
    with byhand.record(lstm) as trace:
        lstm(x)
    document = byhand.explore(lstm, x).document
    for number in range(2):
        values = first_layer(document, number)
        assert set(values) == set(trace.run("l0").sites)
        for site, value in values.items():
            assert (value - trace[f"l0.{site}"][:, number]).abs().max() < (1e-12 if name != "recorded" else 1e-6), site
    if name == "backwards":
        reverse = document | {"layers": document["layers"][1:]}
        for site, value in first_layer(reverse).items():
            assert (value - trace[f"l0.reverse.{site}"][:, 0]).abs().max() < 1e-12, site


def test_a_pixel_is_a_value(chromium: Any) -> None:
    """As the browser reads the file: from white to blue, NaN grey."""
    value = torch.tensor([[0.0, 0.5, 1.0], [float("nan"), 2.0, -1.0]])
    data = base64.b64encode(png(value, Scheme(((255, 255, 255), (0, 114, 178)), 0.0, 1.0))).decode()
    page = chromium.new_page()
    found = page.evaluate(
        """async (data) => {
            const image = new Image(); image.src = data; await image.decode();
            const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            return [image.width, image.height, [...context.getImageData(0, 0, image.width, image.height).data]];
        }""",
        f"data:image/png;base64,{data}",
    )
    page.close()
    pixels = [tuple(found[2][at : at + 3]) for at in range(0, len(found[2]), 4)]
    assert found[:2] == [3, 2]
    assert pixels == [(255, 255, 255), (128, 184, 216), (0, 114, 178), (190, 190, 190), (0, 114, 178), (255, 255, 255)]


def test_a_large_one_keeps_its_picture_alone() -> None:
    torch.manual_seed(0)
    lstm = LSTM(8, 256)
    kept = stored(byhand.explore(lstm, torch.randn(30, 1, 8), full=["weights"]).document)
    assert "<iframe" in kept and len(kept) < 1.2 * MOST
    kept = stored(byhand.explore(LSTM(8, 256, num_layers=2), torch.randn(30, 1, 8)).document)
    assert "<iframe" not in kept and len(kept) < 200_000 and "MB, is too large to be kept in a notebook" in kept


def test_words_in_it_are_words() -> None:
    title = "<script>'\"& ]]>"
    kept = stored(made(title=title, items=["<b>"], characters="<&>'").document)
    assert "<script>" not in kept and "<b>" not in kept
    still = base64.b64decode(re.findall(r"data:image/svg\+xml;base64,([^']*)", kept)[0]).decode()
    assert "&lt;script&gt;" in still and "<script" not in still


def test_without_anywidget_it_still_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = made()
    data, _ = explorer._repr_mimebundle_()
    assert f"data-byhand-kept='{explorer.widget.kept}'" in data["text/html"]
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    import sys  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "byhand.explorer.hosts.widget", raising=False)
    data, _ = made()._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"} and "pip install 'byhand[explore]'" in data["text/plain"]
