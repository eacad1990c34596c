"""The page of a story in a real browser: it asks for nothing, its explorers open where they are seen, and stand where their text is."""

import re

import pytest
from browser import NARROW, WIDE, Watched, picture, scrolls_sideways, violations

from byhand.__main__ import main

READY = ".byhand-explorer .view > *"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("story") / "story.html"
    assert main(["story", "zoo:an_bn", "--save", str(path)]) == 0
    return path


@pytest.fixture
def opened(pages, written):
    """Opens the story; at the end nothing may have gone wrong in it, or in its frames."""
    made = []

    def open_story(viewport, scheme="light"):
        page = pages.new_page()
        made.append((page, Watched(page, [])))
        page.set_default_timeout(20_000)
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        page.goto(written.as_uri())
        return page

    yield open_story
    for page, _ in made:
        page.close()
    assert [wrong for _, watched in made for wrong in watched.wrong] == []


def frame_of(page, section):
    """The explorer of a section, once it is scrolled to and drawn."""
    place = page.locator("section", has=page.locator("h2", has_text=section)).locator(".live")
    place.scroll_into_view_if_needed()
    frame = place.locator("iframe").element_handle().content_frame()
    frame.wait_for_selector(READY, state="attached")
    return frame


def test_explorers_open_when_they_are_seen_and_where_the_text_is(opened, written):
    page = opened(WIDE)
    places = page.locator(".live").count()
    assert places == 4  # the zoo keeps no course of a training
    assert page.locator("iframe").count() < places
    text = page.locator("main").inner_text()
    unit = int(re.search(r"Unit (\d+) of l0 matters most", text)[1])
    item, step = map(int, re.search(r"at step (\d+) of test sequence (\d+) changes most", text).group(2, 1))
    for section, view in (("What they keep", "unit"), ("Who wrote it", "ledger"), ("What breaks", "unit")):
        state = frame_of(page, section).evaluate("document.querySelector('#byhand-explorer').byhand.store.state")
        assert (state["view"], state["unit"], state["item"], state["time"]) == (view, unit, item, step)
        held = [(one["site"], one["unit"], one["value"]) for one in state["edits"]]
        assert held == ([("c", unit, 0)] if section == "What breaks" else [])


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")])
def test_it_is_sound_at_every_size(viewport, scheme, opened):
    page = opened(viewport, scheme)
    for section in ("The units that matter", "What they keep", "Who wrote it", "What breaks"):
        frame_of(page, section)
        picture(page, f"story-{viewport['width']}-{scheme}-{section.split()[-1]}")
    assert not scrolls_sideways(page)
    assert violations(page) == []
