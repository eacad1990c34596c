"""The page in a real browser: it opens from a file and from the server, asks for nothing, and nothing in it does harm."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import documents
import pytest
from browser import NARROW, WIDE, Opener, picture, scrolls_sideways, show, violations
from conftest import ROOT

from byhand import cells
from byhand.explorer.hosts.page import STATIC, json_text, static
from byhand.explorer.hosts.page import page as html_of

VIEWS = ("tour", "unit", "layer", "ledger", "text", "training")
KINDS: dict[str, Callable[[], dict[str, Any]]] = {
    "companies": documents.companies,
    "text": documents.text,
    "both ways": documents.both_ways,
    "not computed": documents.not_computed,
    "trace": documents.of_a_trace,
    "smallest": documents.smallest,
    "hostile": documents.hostile,
}


def views(document: dict[str, Any]) -> tuple[str, ...]:
    return VIEWS if document["training"] is not None else VIEWS[:-1]


def test_the_built_page_is_that_of_the_sources() -> None:
    """The first line of the built files tells the sources' sha256; see frontend/build.mjs."""
    folder = ROOT / "frontend"
    paths = [path.relative_to(folder).as_posix() for path in (folder / "src").rglob("*") if path.is_file()]
    sources = hashlib.sha256()
    for path in ["package.json", *sorted(paths)]:
        sources.update(f"{path}\n".encode() + (folder / path).read_bytes() + b"\n")
    for name in ("explorer.js", "explorer.css"):
        told = re.match(r"/\* byhand explorer, sources sha256 (\w{64}) \*/\n", static(name))
        assert told is not None
        assert told[1] == sources.hexdigest(), f"{STATIC / name} is not that of frontend/src: cd frontend && npm run build"


@pytest.mark.parametrize("served", [False, True], ids=["file", "server"])
def test_opens_and_asks_for_nothing_but_itself(open_page: Opener, served: bool) -> None:
    page = open_page(documents.companies(), served=served)
    assert page.title() == "Two companies – byhand"
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("h1, .title").first.inner_text().startswith("Two companies")
    (watched,) = open_page.watched
    assert watched.asked == [page.url.split("#")[0]]


LATER = """text => new Promise(done => setTimeout(() => {
  try { done(text === null ? typeof new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)) : eval(text)); }
  catch (error) { done(error.name); }
}))"""  # later: what Playwright runs at once may do what the page may not


def test_its_script_may_make_webassembly_and_no_text_may_become_script(open_page: Opener) -> None:
    page = open_page(documents.companies())
    assert page.evaluate(LATER, None) == "object"
    assert page.evaluate(LATER, "1 + 1") == "EvalError"


@pytest.mark.parametrize("kind", KINDS)
def test_every_view_of_every_kind_of_model(open_page: Opener, kind: str) -> None:
    document = KINDS[kind]()
    page = open_page(document)
    for view in views(document):
        show(page, view)
        picture(page, f"{kind}-{view}".replace(" ", "-"))
        assert page.locator(".view").inner_text().strip()


def test_a_large_model_is_there_at_once(open_page: Opener) -> None:
    """4 layers of 512 units that the page cannot compute, 1,000 steps, as thinned maps; nothing of it may be missing in any view."""
    page = open_page(documents.large())
    painted = "performance.getEntriesByName('first-contentful-paint')"
    page.wait_for_function(f"() => {painted}.length")
    assert page.evaluate(f"{painted}[0].startTime") < 5000  # a second is the aim, on a machine that does nothing else
    for view in VIEWS[:-1]:
        show(page, view)
        picture(page, f"large-{view}")
    assert "each 2nd unit is there" in page.locator(".byhand-explorer").inner_text()


def test_hostile_words_stay_words(open_page: Opener) -> None:
    document = documents.hostile()
    html = html_of(document)
    start, end = html.index('id="byhand-document">') + len('id="byhand-document">'), html.index("</script>")
    assert "<" not in html[start:end] and "\u2028" not in html
    page = open_page(document)
    for view in views(document):
        show(page, view, "&time=2")
    assert page.title() == " ".join(documents.HOSTILE.split()) + " – byhand"
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("document.getElementById('byhand-document').textContent") == json_text(document)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(open_page: Opener, view: str, viewport: dict[str, int], scheme: str) -> None:
    page = open_page(documents.companies(), fragment=f"view={view}", viewport=viewport, color_scheme=scheme)
    picture(page, f"axe-{view}-{viewport['width']}-{scheme}")
    assert violations(page) == []


CELLS: dict[str, tuple[Callable[[], dict[str, Any]], dict[str, int], str]] = {
    "both ways, projected": (documents.both_ways, WIDE, "dark"),
    "blocks": (lambda: documents.of(cells.lstm_1997_blocks(2)), NARROW, "light"),
    "gru": (lambda: documents.of(cells.gru), NARROW, "dark"),
    "peephole": (lambda: documents.of(cells.peephole), WIDE, "light"),
    "min_lstm": (lambda: documents.of(cells.min_lstm), NARROW, "light"),
    "smallest": (documents.smallest, WIDE, "dark"),
}


@pytest.mark.parametrize("kind", CELLS)
def test_axe_finds_nothing_in_other_models(open_page: Opener, kind: str) -> None:
    make, viewport, scheme = CELLS[kind]
    page = open_page(make(), viewport=viewport, color_scheme=scheme)
    for view in ("unit", "layer", "ledger"):
        show(page, view)
        assert violations(page) == []
        assert not scrolls_sideways(page)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [360, 640])  # a telephone; half of 1280, as at 200 % zoom
def test_nothing_scrolls_sideways(open_page: Opener, kind: str, width: int) -> None:
    document = KINDS[kind]()
    page = open_page(document, viewport={"width": width, "height": 740})
    wide = []
    for view in views(document):
        show(page, view)
        picture(page, f"narrow-{width}-{kind}-{view}".replace(" ", "-"))
        wide += [view] * scrolls_sideways(page)
    assert wide == []


def test_follows_the_system_into_the_dark(open_page: Opener) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        page = open_page(documents.companies(), color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.querySelector('.byhand-explorer')).backgroundColor")
        brightness[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
    assert brightness["dark"] < 200
    assert brightness["light"] > 550


def test_with_reduced_motion_values_change_in_place(open_page: Opener) -> None:
    page = open_page(documents.companies(), reduced_motion="reduce")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(60)
    moving = page.evaluate("document.getAnimations().filter((one) => one.playState === 'running').length")
    assert moving == 0


def test_without_javascript_it_says_what_is_missing(open_page: Opener) -> None:
    path = open_page.folder / "page.html"
    path.write_text(html_of(documents.companies()), encoding="utf-8")
    context = open_page.shared.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert "JavaScript" in page.locator("noscript").inner_text()
    context.close()
