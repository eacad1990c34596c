"""The built site in a browser, from the disk: `make docs-check` builds it and names its folder in $BYHAND_SITE."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Watched, picture, scrolls_sideways, settle, violations

SITE = Path(os.environ.get("BYHAND_SITE", "none")).resolve()
pytestmark = pytest.mark.skipif("BYHAND_SITE" not in os.environ, reason="the site's own checks: make docs-check")
KINDS = (  # a page of each kind, looked at in every way
    "index",
    "overview",
    "learn/lesson",
    "learn/main",
    "guides/index",
    "guides/explain",
    "reference/index",
    "reference/byhand",
    "reference/cells",
    "reference/commands/explore",
    "reference/configs",
    "gallery/live",
    "gallery/figures",
    "experiments/gers2001",
    "benchmarks/grid",
    "decisions/index",
    "tasks/adding",
    "source/src/byhand/tasks/adding.py",
    "search",
    "genindex",
)
KINDS = tuple(name for name in KINDS if not name.startswith("source/") or (SITE / f"{name}.html").is_file())  # none with a URL
SIZES = {"wide": {"width": 1280, "height": 720}, "narrow": {"width": 360, "height": 740}}
IFRAMES = "iframe.live-frame"


def every_page() -> list[str]:
    """All but the explorer's pages and the pages of source code, one of which stands for all."""
    pages = [path.relative_to(SITE).with_suffix("").as_posix() for path in sorted(SITE.rglob("*.html"))]
    return [page for page in pages if not page.startswith(("live/", "source/", "_static/"))]


class Opener:
    """open_page(name): a page of the site. Whatever it asks of a network, or complains of, fails the test."""

    def __init__(self, browser: Any) -> None:
        self.browser, self.watched, self.contexts = browser, list[Watched](), list[Any]()

    def __call__(self, name: str, *, size: str = "wide", live: bool = True, **options: Any) -> Any:
        """live=False: live models stay pictures; as pages they have tests of their own."""
        context = self.browser.new_context(viewport=SIZES[size], reduced_motion="reduce", **options)
        self.contexts.append(context)
        page = context.new_page()
        if not live:
            page.add_init_script("delete window.IntersectionObserver")
        page.set_default_timeout(30_000)
        self.watched.append(Watched(page, []))
        page.goto((SITE / f"{name}.html").as_uri())
        settle(page) if options.get("java_script_enabled", True) else None
        return page

    def close(self) -> list[str]:
        for context in self.contexts:
            context.close()
        return [wrong for watched in self.watched for wrong in watched.wrong]


@pytest.fixture
def open_site(chromium: Any) -> Iterator[Opener]:
    opener = Opener(chromium)
    yield opener
    wrong = opener.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_page_is_accessible_and_fits(open_site: Opener, name: str, size: str, scheme: str) -> None:
    page = open_site(name, size=size, color_scheme=scheme, live=False)
    picture(page, f"site-{name.replace('/', '-')}-{size}-{scheme}")
    assert not scrolls_sideways(page)
    assert violations(page) == []


def test_every_page_is_accessible_and_fits_a_phone(open_site: Opener) -> None:
    page = open_site("index", size="narrow", live=False)
    found = {}
    for name in every_page():
        page.goto((SITE / f"{name}.html").as_uri())
        settle(page)
        wrong = violations(page) + ["wider than a phone"] * scrolls_sideways(page)
        found |= {name: wrong} if wrong else {}
    assert found == {}


def test_the_search_works_from_the_disk(open_site: Opener) -> None:
    page = open_site("index")
    page.fill("input.sidebar-search", "peephole")
    page.press("input.sidebar-search", "Enter")
    page.wait_for_selector("#search-results li a")
    found = page.eval_on_selector_all("#search-results li a", "(links) => links.map((link) => link.getAttribute('href'))")
    assert any("reference/cells.html" in one for one in found)
    page.click("#search-results li a >> nth=0")
    page.wait_for_selector("article h1")


def test_a_live_model_starts_when_it_is_seen_and_not_before(open_site: Opener) -> None:
    page = open_site("reference/cells")
    assert page.locator(IFRAMES).count() == 0
    figures = page.locator("figure.live")
    many = figures.count()
    last = figures.nth(many - 1)
    last.scroll_into_view_if_needed()
    page.wait_for_selector(IFRAMES)
    frame = last.locator("iframe")
    assert frame.get_attribute("title") and 0 < page.locator(IFRAMES).count() < many
    inside = frame.element_handle().content_frame()
    inside.wait_for_selector(".byhand-explorer .view > *", state="attached")
    picture(page, "site-live")


def test_a_live_model_has_the_theme_of_its_page(open_site: Opener) -> None:
    page = open_site("gallery/live", color_scheme="light")
    page.evaluate("document.body.dataset.theme = 'dark'")
    page.locator("figure.live").first.scroll_into_view_if_needed()
    page.wait_for_selector(IFRAMES)
    assert "theme=dark" in page.locator(IFRAMES).first.get_attribute("src")


def test_without_javascript_a_live_model_is_a_picture_with_a_link(open_site: Opener) -> None:
    page = open_site("gallery/live", java_script_enabled=False)
    still = page.locator("figure.live a.live-still").first
    assert (SITE / "gallery" / (still.get_attribute("href") or "").partition("#")[0]).resolve().is_file()
    assert page.locator(IFRAMES).count() == 0


def test_the_first_picture_moves_unless_that_is_unwanted(open_site: Opener) -> None:
    page = open_site("index")  # with reduced motion
    moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
    assert page.evaluate(moving) == 0
    page.click("button.film-pause")
    assert page.evaluate(moving) > 0
    page.click("button.film-pause")
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")
    page.reload()
    settle(page)
    assert page.evaluate(moving) > 0
