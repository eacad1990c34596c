"""Films that the page makes of its views: GIF and WebM, in a real browser."""

import io
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import documents
import numpy
import pytest
import torch
from browser import Opener, violations
from PIL import Image, ImageSequence

import byhand


def film(page: Any, kind: str) -> bytes:
    page.get_by_role("button", name="Save", exact=True).click()
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name=f"film of this view as {kind}").click()
    return Path(download.value.path()).read_bytes()


def test_a_gif_has_a_frame_for_every_step(open_page: Opener) -> None:
    page = open_page(documents.companies(), fragment="view=unit&item=1&time=2")
    with Image.open(io.BytesIO(film(page, "GIF"))) as made:
        frames = [numpy.array(one.convert("RGB")).astype(int) for one in ImageSequence.Iterator(made)]
        assert made.n_frames == 4
        assert made.info["loop"] == 0
    box = page.locator(".view").bounding_box()
    height, width, _ = frames[0].shape
    assert height / width == pytest.approx(box["height"] / box["width"], rel=0.02)
    for one, other in pairwise(frames):
        assert 0.0005 < (abs(one - other).max(-1) > 30).mean() < 0.5  # the step's values move, the page does not
    assert page.evaluate("document.querySelector('#byhand-explorer').byhand.store.state.time") == 2
    assert "filming" not in page.locator(".byhand-explorer").get_attribute("class")


def test_a_webm_is_one(open_page: Opener) -> None:
    content = film(open_page(documents.companies(), fragment="view=ledger"), "WebM")
    assert content[:4] == b"\x1aE\xdf\xa3"  # the Extensible Binary Meta Language, in which WebM is written
    assert b"webm" in content[:64]
    assert len(content) > 5_000


PYTHON = """
import byhand, sys, torch
byhand.explore(byhand.LSTM(2, 3), torch.randn(5, 1, 2)).film(sys.argv[1], fragment="view=layer", width=900)
"""


def test_python_makes_the_same_film(tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    subprocess.run(
        [sys.executable, "-c", PYTHON, str(path)], check=True
    )  # a process of its own, for this one has a browser already
    with Image.open(path) as made:
        assert made.n_frames == 5
        assert 700 < made.size[0] <= 900
    with pytest.raises(ValueError, match=r"\.gif or \.webm"):
        byhand.explore(byhand.LSTM(2, 3), torch.randn(5, 1, 2)).film(tmp_path / "film.mp4")


def test_escape_stops_a_film_and_leaves_the_page_as_it_was(open_page: Opener) -> None:
    page = open_page(documents.text(), fragment="view=layer&time=1")
    page.get_by_role("button", name="Save", exact=True).click()
    assert violations(page) == []
    page.get_by_role("button", name="film of this view as GIF").click()
    page.wait_for_function(
        "() => document.querySelector('.save-list [role=status]').textContent.startsWith('Step ')", polling=10
    )
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('.byhand-explorer').classList.contains('filming')", polling=50)
    assert page.evaluate("document.querySelector('#byhand-explorer').byhand.store.state.time") == 1
