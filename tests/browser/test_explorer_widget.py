"""The explorer in a notebook, in a real JupyterLab: shown, changed there, and the change read back in Python."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from browser import WIDE, picture

import byhand

pytest.importorskip("jupyterlab", reason="no JupyterLab here: make setup")

SHOW = """\
import json
from pathlib import Path
import torch, byhand
torch.manual_seed(1)
lstm = byhand.LSTM(1, 2)
x = torch.tensor([0.0, 0.5, 0.25, 1.0]).view(4, 1, 1)
explorer = byhand.explore(lstm, x, features=["price"])
explorer"""
READ = """\
with byhand.edit(lstm, explorer.edits), byhand.record(lstm) as trace:
    lstm(x)
found = {"edits": repr(explorer.edits), "changes": explorer.changes, "f": trace["l0.f"].squeeze(1).tolist()}
Path("found.json").write_text(json.dumps(found))"""
SETTINGS = (
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port=0",
    "--ServerApp.open_browser=False",
    "--ServerApp.allow_root=True",
    "--ServerApp.disable_check_xsrf=True",
    "--IdentityProvider.token=test",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)


def until(found: Callable[[], Any], seconds: float) -> Any:
    """What the function gives as soon as that is something. TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.1)
    raise TimeoutError(f"nothing within {seconds} s")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab, of its own settings, in which a notebook lies."""
    cells = [nbformat.v4.new_code_cell(SHOW), nbformat.v4.new_code_cell(READ)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "explorer.ipynb")
    places = {name: str(tmp_path / f".{name.lower()}") for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    without = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}  # they would ask the network
    (Path(places["JUPYTER_CONFIG_DIR"]) / "labconfig").mkdir(parents=True)
    (Path(places["JUPYTER_CONFIG_DIR"]) / "labconfig/page_config.json").write_text(json.dumps(without))
    log = tmp_path / ".log"
    words = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={tmp_path}", *SETTINGS]
    with log.open("w") as output:
        process = subprocess.Popen(words, cwd=tmp_path, env=os.environ | places, stdout=output, stderr=output)

    def address() -> str | None:
        assert process.poll() is None, log.read_text()
        for file in Path(places["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json"):
            try:
                return json.loads(file.read_text())["url"]
            except ValueError:
                return None
        return None

    try:
        yield until(address, 60)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:  # it waits for a kernel that has not answered yet
            process.kill()
            process.wait()


def started(page: Any) -> bool:
    """Run the first cell. Whether it runs: what is asked for while the notebook still looks for its kernel is lost."""
    page.locator(".jp-Notebook .cm-content").first.click()
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(1000)
    return page.locator(".jp-Notebook .jp-InputPrompt").first.inner_text().strip() != "[ ]:"


def test_a_change_in_the_notebook_comes_back_as_an_edit(chromium: Any, lab: str, tmp_path: Path) -> None:
    context = chromium.new_context(viewport=WIDE)
    context.set_default_timeout(60_000)
    asked: list[str] = []
    context.route("**/*", lambda route: route.continue_() if route.request.url.startswith(lab) else route.abort())
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{lab}lab/tree/explorer.ipynb?token=test")
    until(lambda: started(page), 60)
    widget = page.locator(".byhand-explorer")
    widget.get_by_role("button", name="Play with it").click()
    widget.get_by_role("button", name="shut").first.click()
    frame = page.locator("[data-byhand-kept]")
    assert frame.count() == 1 and not frame.is_visible(), "what the notebook keeps is hidden while the widget is there"
    picture(page, "jupyterlab")
    file = tmp_path / "found.json"
    page.locator(".jp-Notebook .cm-content").nth(1).click()
    page.keyboard.press("Control+Enter")
    found = until(lambda: file.exists() and file.read_text() and json.loads(file.read_text()), 30)
    (change,) = found["changes"]
    assert (change["kind"], change["place"], change["site"], change["value"]) == ("site", "l0", "f", 0)
    unit = change["unit"]
    assert "l0.f" in found["edits"]
    torch.manual_seed(1)
    lstm, x = byhand.LSTM(1, 2), torch.tensor([0.0, 0.5, 0.25, 1.0]).view(4, 1, 1)
    with byhand.edit(lstm, {"l0.f": byhand.at(0.0, time=change["time"], unit=unit)}), byhand.record(lstm) as trace:
        lstm(x)
    assert torch.equal(torch.tensor(found["f"]), trace["l0.f"].squeeze(1)) and (trace["l0.f"] == 0).any()
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((lab, "data:", "blob:"))] == []


def test_a_notebook_that_is_not_trusted_shows_the_picture(chromium: Any, lab: str, tmp_path: Path) -> None:
    """As one that somebody sent: JupyterLab takes frames out of it."""
    torch.manual_seed(1)
    kept, widget = byhand.explore(byhand.LSTM(1, 2), torch.tensor([0.0, 0.5, 0.25, 1.0]).view(4, 1, 1))._shown()
    assert widget is not None
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in (kept, widget[0])]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("explorer", execution_count=1, outputs=outputs)])
    nbformat.write(notebook, tmp_path / "stored.ipynb")
    page = chromium.new_page(viewport=WIDE)
    page.set_default_timeout(60_000)
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith(lab) else route.abort())
    page.goto(f"{lab}lab/tree/stored.ipynb?token=test")
    image = page.locator(".jp-OutputArea-output img")
    image.wait_for()
    assert image.evaluate("(one) => one.decode().then(() => one.naturalWidth)") > 500
    assert (
        page.locator(".jp-OutputArea-output iframe").count() == 0 and "Error" not in page.locator(".jp-OutputArea").inner_text()
    )
    picture(page, "jupyterlab-untrusted")
    page.close()
