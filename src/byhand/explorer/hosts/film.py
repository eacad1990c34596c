"""A film of the page, made by the page itself in a browser that nobody sees: its menu Save, film of this view."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from byhand.files.atomic import write_whole

KINDS = {".gif": "GIF", ".webm": "WebM"}
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-gpu")
LONGEST = 600_000  # milliseconds that a film may take


def film(html: str, file: str | Path, *, fragment: str, width: int, height: int) -> Path:
    """html: the page. For all else see Explorer.film."""
    path = Path(file)
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"file: expected a name that ends in .gif or .webm; got {path.name!r}")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 (few have it)
    except ModuleNotFoundError as problem:
        raise ModuleNotFoundError(
            "a film is made in a browser, by playwright, not installed here: pip install playwright; without it: open the page that"
            " explorer.save('page.html') writes, Save, film of this view"
        ) from problem
    program = chromium()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        source = Path(folder) / "page.html"
        source.write_text(html, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(f"{source.as_uri()}#{fragment}")
        write_whole(path, Path(filmed(page, kind)).read_bytes())
        browser.close()
    return path


def filmed(page: Any, kind: str) -> str:
    """Where the browser has put the film."""
    page.locator(".byhand-explorer .view > *").first.wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download(timeout=LONGEST) as download:
        page.get_by_role("button", name=f"film of this view as {kind}").click()
    return str(download.value.path())


def chromium() -> str:
    """A Chromium: $BYHAND_CHROMIUM, or one that is installed. FileNotFoundError."""
    found = os.environ.get("BYHAND_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise FileNotFoundError(f"no {' or '.join(PROGRAMS[::2])} found: install one, or name it in $BYHAND_CHROMIUM")
    return found
