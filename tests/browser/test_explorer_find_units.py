"""The explorer's Text view in a real browser: units that carry a track, and the other places where the units of a span are on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from browser import NARROW, Opener, picture, scrolls_sideways, settle, violations
from torch.nn.functional import one_hot

import byhand
from byhand import LSTM, explain
from byhand.explain import Span, tracks
from byhand.explorer.load.model import visible

STORE = "document.querySelector('#byhand-explorer').byhand.store"
LINE = "def f(x, [y1]):\n    say('the cat 42'), (sat)\n\n"
UNITS = 9
FOUND = ".find .find-list button"
PLACES = ".match .find-list button"


def read(texts: list[str], units: int = UNITS) -> tuple[LSTM, torch.Tensor, byhand.Trace, dict[str, Any]]:
    """A layer of strong weights, texts of one length, what it computes in float64, and what explore is told."""
    torch.manual_seed(5)
    symbols = sorted(set("".join(texts)))
    lstm = LSTM(len(symbols), units)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.mul_(3)
    x = torch.stack([one_hot(torch.tensor([symbols.index(one) for one in text]), len(symbols)).float() for text in texts], 1)
    with torch.no_grad(), byhand.record(lstm.double()) as trace:
        lstm(x.double())
    told = {"characters": [[visible(one) for one in text] for text in texts], "features": [visible(one) for one in symbols]}
    return lstm.float(), x, trace, told


def varied(start: int) -> str:
    """400 characters that do not come again: where they did, values would differ by rounding alone, and their ranks by chance."""
    return "".join(f"say{k * k}('{'ab' * (k % 4)}' [{k}])\n{' ' * (k % 3)}" for k in range(start, start + 40))[:400]


def opened(
    open_page: Opener, texts: list[str] | None = None, more: str = "", units: int = UNITS, **options: Any
) -> tuple[Any, byhand.Trace, list[str]]:
    texts = texts or [LINE * 8]
    lstm, x, trace, told = read(texts, units)
    page = open_page(byhand.explore(lstm, x, **told).document, fragment=f"view=text&unit=3{more}", **options)
    page.wait_for_selector(".lens canvas[data-drawn]", state="attached")
    return page, trace, texts


def find(page: Any) -> None:
    page.click(".find-go")
    page.wait_for_selector(FOUND, timeout=30_000)


def entries(page: Any) -> list[tuple[str, int, str, float, float]]:
    data = page.locator(FOUND).evaluate_all("all => all.map(one => ({ ...one.dataset }))")
    return [(one["site"], int(one["unit"]), one["track"], float(one["score"]), float(one["p"])) for one in data]


def places(page: Any) -> list[tuple[int, tuple[int, int], tuple[int, ...], int]]:
    data = page.locator(PLACES).evaluate_all("all => all.map(one => ({ ...one.dataset }))")
    return [
        (int(one["item"]), (int(one["start"]), int(one["stop"])), tuple(map(int, one["shared"].split(","))), int(one["others"]))
        for one in data
    ]


@pytest.mark.parametrize("several", [False, True], ids=["one sequence", "three sequences"])
def test_the_units_and_their_scores_are_those_of_find_units(open_page: Opener, several: bool) -> None:
    page, trace, texts = opened(open_page, [varied(7), varied(90), varied(31)] if several else [varied(7)])
    found = explain.find_units(trace, tracks.text(*texts), sites=["*.h", "*.c"], shifts=10**6)
    find(page)
    for track in [None, "inside quotes", "column"]:
        if track:
            page.select_option(".find label select >> nth=1", track)
        right = (
            found.best(10, track)
            if track
            else sorted((found.best(1, one)[0] for one in found.tracks), key=lambda one: -abs(one.chosen))
        )
        shown = entries(page)
        assert [one[:3] for one in shown] == [(one.site[3:], one.unit, one.track) for one in right]
        torch.testing.assert_close(
            torch.tensor([one[3:] for one in shown]), torch.tensor([(one.score, one.p) for one in right]), rtol=0, atol=1e-6
        )
    assert "Chosen on" in page.inner_text(".find [role=status]")


def test_an_entry_opens_the_lens_on_its_unit_and_site_by_the_keyboard(open_page: Opener) -> None:
    page, _, _ = opened(open_page)
    find(page)
    site, unit, *_ = entries(page)[1]
    page.focus(f"{FOUND} >> nth=1")
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate(f"[{STORE}.state.node, {STORE}.state.unit]") == [site, unit]
    assert page.get_attribute(f".text-sites [data-site={site}]", "aria-pressed") == "true"
    assert page.inner_text(".text-view h2") == f"What in this text does unit {unit} respond to?"
    page.evaluate(f"{STORE}.edit({{ on: true, kind: 'site', place: 'l0', site: 'f', value: 0, time: null, unit: 1 }})")
    settle(page)
    assert page.locator(FOUND).count() == 0  # of the weights before the change: no more
    assert "find again" in page.inner_text(".find [role=status]")


def test_marked_spans_are_a_track_of_the_readers_own(open_page: Opener) -> None:
    page, trace, texts = opened(open_page, [varied(7)])
    marks = torch.zeros(len(texts[0]))
    for first, last in ((30, 49), (250, 279)):
        for field, value in ((0, first), (1, last)):
            page.fill(f".text-span input >> nth={field}", str(value))
            page.press(f".text-span input >> nth={field}", "Enter")
            settle(page)
        page.click("text=Mark this span")
        marks[first : last + 1] = 1
        page.click(".text-span >> text=Clear")
        settle(page)
    assert "2 spans marked" in page.inner_text(".find")
    find(page)
    page.select_option(".find label select >> nth=1", "marked")
    right = explain.find_units(trace, tracks.text(*texts) | {"marked": marks}, sites=["*.h", "*.c"], shifts=10**6).best(
        10, "marked"
    )
    assert [one[:2] for one in entries(page)] == [(one.site[3:], one.unit) for one in right]


def test_a_link_brings_marks_and_the_question_and_the_page_finds_the_same_units(open_page: Opener) -> None:
    page, _, texts = opened(open_page, [varied(7)], more="&span=30~49&time=30")
    page.click("text=Mark this span")
    page.select_option(".find label select >> nth=0", "all")
    find(page)
    page.select_option(".find label select >> nth=1", "inside quotes")
    shown = entries(page)
    page.wait_for_function(
        "() => location.hash.includes('find=all~~inside%20quotes') && location.hash.includes('marks=0~30~49')"
    )
    fragment = page.evaluate("location.hash.slice(1)")
    assert len(fragment) < 160
    again, _, _ = opened(open_page, texts, more=f"&{fragment.partition('&')[2]}")
    again.wait_for_selector(FOUND, timeout=30_000)
    settle(again)
    assert entries(again) == shown
    assert "1 span marked here" in again.inner_text(".find")
    assert again.locator(".toast.shown").count() == 0
    again.click("text=Clear marks")
    settle(again)
    assert again.locator(FOUND).count() == 0
    again.wait_for_function("() => !/marks=|find=/.test(location.hash)")
    again.evaluate(f"{STORE}.undo()")
    settle(again)
    assert "1 span marked here" in again.inner_text(".find")


def test_a_link_that_is_damaged_says_so_once_and_opens(open_page: Opener) -> None:
    page, _, _ = opened(open_page, more="&marks=0~3~5,0~x~y&find=all&news=1")
    page.wait_for_selector(".toast.shown")
    assert page.inner_text(".toast") == "Not all of the link could be read; left out: news, marks, find."
    assert "1 span marked here" in page.inner_text(".find")
    assert page.evaluate(f"{STORE}.state.unit") == 3


def test_the_places_are_those_of_match_and_a_click_goes_there(open_page: Opener) -> None:
    line = LINE * 5
    page, trace, _ = opened(open_page, [line, line[7:] + line[:7]], more="&span=21~23&time=21")
    page.wait_for_selector(PLACES)
    for site, threshold in (("h", 0.3), ("c", 0.5)):
        page.select_option(".match select", site)
        page.fill(".match label:has-text('above') input", str(threshold))
        page.press(".match label:has-text('above') input", "Enter")
        page.wait_for_function(f"() => document.querySelectorAll('{PLACES}').length")
        right = explain.match(trace, Span((21, 24), site=site, threshold=threshold), trace)
        assert places(page) == [(one.batch, one.steps, one.units, one.others) for one in right.places]
    other = next(k for k, one in enumerate(places(page)) if one[0] == 1)
    item, (start, stop), *_ = places(page)[other]
    before = places(page)
    page.click(f"{PLACES} >> nth={other}")
    settle(page)
    assert page.evaluate(f"[{STORE}.state.item, {STORE}.state.time, ...{STORE}.state.span]") == [item, start, start, stop - 1]
    assert places(page) == before  # the list stays
    page.fill(".match label:has-text('above') input", "99")
    page.press(".match label:has-text('above') input", "Enter")
    page.wait_for_function("() => document.querySelector('.match [role=status]').textContent.startsWith('No unit is above 99')")


def test_dragging_over_the_text_chooses_the_span(open_page: Opener) -> None:
    page, _, _ = opened(open_page)
    box = page.locator(".lens-page").bounding_box()
    cell = page.evaluate("(one => one.clientWidth / one.width)(document.querySelector('.lens canvas'))")
    page.mouse.move(box["x"] + 2.5 * cell, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 6.5 * cell, box["y"] + 12, steps=4)
    page.mouse.up()
    settle(page)
    assert page.evaluate(f"{STORE}.state.span") == [2, 6]
    assert page.locator(".lens-span i").evaluate("one => parseFloat(one.style.width)") == pytest.approx(5 * cell, abs=0.1)


def test_a_series_has_level_slope_and_phase(open_page: Opener) -> None:
    torch.manual_seed(2)
    lstm, x = LSTM(1, 5), torch.randn(400, 1, 1).cumsum(0) / 5
    with torch.no_grad(), byhand.record(lstm.double()) as trace:
        lstm(x.double())
    page = open_page(byhand.explore(lstm.float(), x).document, fragment="view=text")
    page.wait_for_selector(".lens canvas[data-drawn]", state="attached")
    page.fill(".find label:has-text('period') input", "12")
    find(page)
    right = explain.find_units(trace, tracks.series(x.double()[:, 0, 0], period=12), sites=["*.h", "*.c"], shifts=10**6)
    best = sorted((right.best(1, one)[0] for one in right.tracks), key=lambda one: -abs(one.chosen))
    assert [one[:3] for one in entries(page)] == [(one.site[3:], one.unit, one.track) for one in best]


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("viewport", [None, NARROW])
def test_axe_finds_nothing_where_units_and_places_are_listed(
    open_page: Opener, look: str, viewport: dict[str, int] | None
) -> None:
    page, _, _ = opened(
        open_page, more="&span=21~23&time=21", color_scheme=look, **({"viewport": viewport} if viewport else {})
    )
    page.wait_for_selector(PLACES)
    find(page)
    settle(page)
    assert not scrolls_sideways(page)
    assert violations(page) == []
    picture(page, f"find-{look}-{'narrow' if viewport else 'wide'}", full_page=True)


def test_two_thousand_steps_are_compared_while_the_page_answers(open_page: Opener) -> None:
    page, _, _ = opened(open_page, [(LINE * 50)[:2000]], units=96)
    page.evaluate(
        """() => {
        window.longest = 0;
        let before = performance.now();
        const tick = () => {
          const now = performance.now();
          longest = Math.max(longest, now - before);
          before = now;
          requestAnimationFrame(tick);
        };
        requestAnimationFrame(tick);
      }"""
    )
    page.click(".find-go")
    assert page.inner_text(".find-go") == "Stop"
    page.click(".find-go")
    settle(page)
    assert page.inner_text(".find [role=status]") == "Stopped."
    find(page)
    assert page.evaluate("window.longest") < 1000  # ten times what it is on an idle machine
