"""The explorer's Play view in a real browser: training in a worker, from a file, without a network."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import NARROW, Opener, picture, scrolls_sideways, settle, violations
from page_training import LESSON_SEED, lesson
from torch.nn.functional import mse_loss

import byhand
from byhand.explorer.document.play import CELLS
from byhand.explorer.playing import play
from LSTM import LSTMbyHand

STORE = "document.querySelector('#byhand-explorer').byhand.store"
GO, EPOCH, NOTE = ".play-view button.play", ".play-view .epoch", ".play-note"
READY = f"{EPOCH}:not(:empty)"
FRAMES = """milliseconds => new Promise((done) => {
  const times = [];
  const next = (time) => { times.push(time); time - times[0] < milliseconds ? requestAnimationFrame(next) : done(times); };
  requestAnimationFrame(next);
})"""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return play().document


def opened(open_page: Opener, document: dict[str, Any], settings: str = "", **options: Any) -> Any:
    page = open_page(document, fragment=f"view=play{f'&play={settings}' if settings else ''}", **options)
    page.wait_for_selector(READY)
    return page


def epoch(page: Any) -> int:
    return int(page.locator(EPOCH).inner_text().removeprefix("epoch ").replace(",", ""))


def until(page: Any, least: int) -> None:
    page.wait_for_function(
        f"least => +document.querySelector('{EPOCH}').textContent.replace(/[^0-9]/g, '') >= least", arg=least, timeout=60_000
    )


def weights(page: Any) -> dict[str, list[float]]:
    """Of the document that is open, as the page keeps them."""
    packs = page.evaluate(f"{STORE}.model.doc.layers[0].weights")
    found = {}
    for name, pack in packs.items():
        if name != "vectors" and pack is not None:
            found[name] = page.evaluate(
                "pack => [...new Float64Array(Uint8Array.from(atob(pack.data), (one) => one.charCodeAt(0)).buffer)]", pack
            )
    return found


def test_the_twelve_numbers_are_those_of_lstm_py(open_page: Opener, document: dict[str, Any]) -> None:
    """Trained in the page, 300 epochs from LSTM.py's own start; then opened in the other views, where the training can be walked."""
    page = opened(open_page, document)
    assert page.locator(NOTE).inner_text() == ""  # it has a worker
    page.select_option("select[aria-label=pace]", "0")
    settle(page)
    for _ in range(3):
        page.click("[aria-label='one epoch']")
    until(page, 3)
    for _ in range(297):
        page.evaluate("document.querySelector(\"[aria-label='one epoch']\").click()")
    until(page, 300)
    page.click("text=Open it in the other views")
    page.wait_for_selector(".view[data-view=unit] > *", state="attached")
    assert "300 epochs" in page.locator("h1").inner_text()
    torch.manual_seed(LESSON_SEED)
    end = lesson(LSTMbyHand().double())["end"]
    found = weights(page)
    for row, colour in enumerate(("green", "blue", "orange", "purple")):
        assert found["recurrent"][row] == pytest.approx(end[f"w_{colour}1"], abs=1e-6)
        assert found["input"][row] == pytest.approx(end[f"w_{colour}2"], abs=1e-6)
        assert found["bias_input"][row] == pytest.approx(end[f"b_{colour}1"], abs=1e-6)
    for view in ("tour", "layer", "ledger", "training", "play"):
        page.evaluate(f"{STORE}.set({{ view: '{view}' }})")
        settle(page)
        assert page.locator(".view .message").count() == 0, view
    assert epoch(page) == 300  # the training is still there


def test_adding_is_learnt_beside_a_page_that_stays_quick(open_page: Opener, document: dict[str, Any]) -> None:
    page = opened(open_page, document, "adding~lstm~16~0.01~0~20~")
    assert page.input_value(".play-controls select >> nth=0") == "adding"
    start = time.monotonic()
    page.click(GO)
    frames = page.evaluate(FRAMES, 2000)
    page.wait_for_function(
        "() => parseFloat(document.querySelector('.readout').children[1].textContent.slice(5)) < 0.01", timeout=90_000
    )
    print(f"mse < .01 after {time.monotonic() - start:.1f} s; {len(frames) / 2:.0f} frames a second while it trained")
    page.click(GO)
    assert time.monotonic() - start < 90
    assert len(frames) > 60  # of 120 in two seconds: other programs run here too


def test_a_gate_is_taken_away_during_the_training_and_stays_so_elsewhere(open_page: Opener, document: dict[str, Any]) -> None:
    page = opened(open_page, document, "parity~lstm~4~0.02~0~8~")
    page.click(GO)
    until(page, 3)
    page.click("[aria-label='forget gate held shut']")
    settle(page)
    assert page.locator(NOTE).inner_text() == "f is held shut."
    assert "f.0" in page.evaluate(f"{STORE}.state.play")
    until(page, epoch(page) + 2)
    page.click("text=Open it in the other views")
    page.wait_for_selector(".view[data-view=unit] > *", state="attached")
    (edit,) = page.evaluate(f"{STORE}.state.edits")
    assert (edit["place"], edit["site"], edit["value"], edit["time"], edit["unit"]) == ("l0", "f", 0, None, None)
    page.evaluate(f"{STORE}.set({{ view: 'play' }})")
    page.wait_for_selector(READY)
    page.click("[aria-label='forget gate learns']")
    settle(page)
    assert page.locator(NOTE).inner_text() == ""


def test_pause_step_rewind_and_start_again(open_page: Opener, document: dict[str, Any]) -> None:
    page = opened(open_page, document)
    page.click(GO)
    until(page, 10)
    page.click(GO)
    page.wait_for_selector(f"{GO}[aria-label=train]")
    settle(page)
    page.wait_for_timeout(200)
    at = epoch(page)
    page.click("[aria-label='one epoch']")
    until(page, at + 1)
    assert epoch(page) == at + 1
    slider = page.locator("[aria-label='rewind to epoch']")
    slider.fill("2")
    page.wait_for_function(f"() => document.querySelector('{EPOCH}').textContent === 'epoch 2'")
    slider.press("ArrowRight")
    page.wait_for_function(f"() => document.querySelector('{EPOCH}').textContent === 'epoch 3'")
    page.click("[aria-label='start again']")
    page.wait_for_function(f"() => document.querySelector('{EPOCH}').textContent === 'epoch 0'")


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_saved_files_are_loaded_by_python(
    open_page: Opener, document: dict[str, Any], tmp_path: Path, cell: str, monkeypatch: Any
) -> None:
    page = opened(open_page, document, f"adding~{cell}~3~0.01~5~6~")
    page.click("[aria-label='one epoch']")
    until(page, 1)
    with page.expect_download() as waited:
        page.click("text=Save as .safetensors")
    monkeypatch.chdir(tmp_path)
    waited.value.save_as(waited.value.suggested_filename)
    scope: dict[str, Any] = {"byhand": byhand}
    exec(page.locator(".play-actions code").inner_text(), scope)
    assert (scope["lstm"].hidden_size, scope["lstm"].input_size) == (3, 2)
    assert scope["lstm"].cell == CELLS[cell][1]


def test_own_text_and_odd_settings(open_page: Opener, document: dict[str, Any]) -> None:
    page = opened(open_page, document, "text~gru~8~0.01~0~12~")
    page.locator("textarea").fill("too short")
    page.locator("textarea").blur()
    settle(page)
    assert "got 9" in page.locator(".own-text [role=status]").inner_text()
    own = "<img src=x onerror=alert(1)> a b c d e f g h i j k l m"
    page.locator("textarea").fill(own)
    page.locator("textarea").blur()
    page.click(GO)
    until(page, 2)
    assert "It reads" in page.locator(".play-answer").inner_text()
    field = page.get_by_role("spinbutton", name="units")
    field.fill("1000")
    field.press("Enter")
    settle(page)
    assert page.evaluate(f"{STORE}.state.play").split("~")[2] == "64"


REFUSED = {
    "at once": "function () { throw new Error('refused') }",
    "later": "class { constructor() { setTimeout(() => this.onerror({ preventDefault() {} }), 100) } postMessage() {} terminate() {} }",
}


@pytest.mark.parametrize("when", sorted(REFUSED))
def test_without_workers_it_trains_between_frames_and_says_so(open_page: Opener, document: dict[str, Any], when: str) -> None:
    page = open_page({**document, "title": "No workers"}, fragment="view=unit")
    page.evaluate(f"() => {{ window.Worker = {REFUSED[when]} }}")
    page.evaluate(f"{STORE}.set({{ view: 'play' }})")
    page.wait_for_selector(READY)
    page.click(GO)
    until(page, 3)
    assert page.locator(NOTE).inner_text() == (
        "This browser refuses workers here, so the training runs between the frames of the page, and slower."
    )


def test_from_byhands_own_server(open_page: Opener, document: dict[str, Any]) -> None:
    page = opened(open_page, document, served=True)
    page.click("[aria-label='one epoch']")
    until(page, 1)
    assert page.locator(NOTE).inner_text() == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("narrow", [False, True])
def test_it_is_accessible_and_fits(open_page: Opener, document: dict[str, Any], scheme: str, narrow: bool) -> None:
    options = {"viewport": NARROW} if narrow else {}
    page = opened(open_page, document, "adding~lstm~8~0.02~0~20~f.1", color_scheme=scheme, reduced_motion="reduce", **options)
    page.click(GO)
    until(page, 8)
    page.click(GO)
    page.wait_for_selector(f"{GO}[aria-label=train]")
    settle(page)
    assert not scrolls_sideways(page)
    assert violations(page) == []
    picture(page, f"play-{scheme}-{'narrow' if narrow else 'wide'}", full_page=True)


def test_every_control_is_reached_by_keyboard(open_page: Opener, document: dict[str, Any]) -> None:
    page = opened(open_page, document)
    page.locator(".play-view select").first.focus()
    seen = []
    named = "document.activeElement.getAttribute('aria-label') || document.activeElement.parentElement.textContent"
    for _ in range(24):
        seen.append(page.evaluate(named))
        page.keyboard.press("Tab")
    for name in ("train", "one epoch", "start again", "pace", "rewind to epoch", "forget gate held shut", "output gate learns"):
        assert name in seen, json.dumps(seen)


def test_a_page_without_play_has_no_such_tab(open_page: Opener) -> None:
    lstm = byhand.LSTM(1, 1)
    page = open_page(byhand.explore(lstm, torch.zeros(3, 1)).document, fragment="view=play")
    assert page.locator("[role=tab]").all_inner_texts()[-1] != "Play"
    assert page.evaluate(f"{STORE}.state.view") == "unit"
    assert mse_loss(lstm(torch.zeros(3, 1))[0], torch.zeros(3, 1)) < 1
