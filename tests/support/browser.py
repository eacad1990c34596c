"""A real browser for the explorer's pages, in which nothing goes unnoticed: every error and every request fails the test."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from byhand.explorer.hosts.page import page as html_of
from byhand.explorer.hosts.server import PageServer

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--font-render-hinting=none"]
ONE_PROCESS = ["--renderer-process-limit=1", "--process-per-site"]  # for all pages: each opens in half the time
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
READY = ".byhand-explorer .view > *"
FORGET = "if (name !== 'opened') { name = 'opened'; localStorage.clear(); }"  # what other tests' pages have kept; not when loaded again


def program() -> str | None:
    """A Chromium: $BYHAND_CHROMIUM, or one that is installed; None if there is none."""
    named = os.environ.get("BYHAND_CHROMIUM")
    if named:
        return None if named == "none" else named
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@contextmanager
def running() -> Iterator[Any]:
    """A browser. Skips the test where there is none."""
    found = program()
    if found is None:
        pytest.skip("no browser here: tools/browser.sh")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright here: make setup")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS + ONE_PROCESS)
        yield browser
        browser.close()


class Watched:
    """What a page did that it should not: errors, warnings, other pages, requests beyond file:// and the servers of the test."""

    def __init__(self, page: Any, allowed: list[str]) -> None:
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.allowed = allowed
        page.route("**/*", self.route)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("popup", lambda popup: self.wrong.append(f"another page: {popup.url}"))
        page.on("console", self.hear)
        page.on("websocket", lambda socket: self.hear_socket(socket.url))

    def route(self, route: Any) -> None:
        url = route.request.url
        self.asked.append(url)
        if url.startswith(("file://", "data:", "blob:", *self.allowed)):
            route.continue_()
        else:
            self.wrong.append(f"request: {url}")
            route.abort()

    def hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def hear_socket(self, url: str) -> None:
        if not url.replace("ws://", "http://").startswith(tuple(self.allowed)):
            self.wrong.append(f"socket: {url}")


class Opener:
    """open_page(document): the page of a document, drawn, from file://, or served=True: from byhand's own server.

    fragment: what stands behind # in its address; "": nothing, as a stranger opens it, whom the start card meets. viewport=NARROW,
    color_scheme="dark" and reduced_motion="reduce" are the page's; other options those of a playwright context, which the page then has
    for itself: has_touch=True, ...
    """

    def __init__(self, shared: Any, folder: Path) -> None:
        self.shared, self.folder = shared, folder
        self.watched: list[Watched] = []
        self.closing: list[Callable[[], None]] = []

    def __call__(
        self,
        document: dict[str, Any] | Path,
        *,
        fragment: str = "view=unit",
        served: bool = False,
        viewport: dict[str, int] = WIDE,
        **options: Any,
    ) -> Any:
        address = self.address(document, served=served)
        media = {name: options.pop(name) for name in ("color_scheme", "reduced_motion") if name in options}
        context = self.shared
        if options:
            context = self.shared.browser.new_context(**options)
            self.closing.append(context.close)
        page = context.new_page()
        self.closing.append(page.close)
        self.watched.append(Watched(page, [address] if served else []))
        page.set_default_timeout(10_000)
        page.add_init_script(f"try {{ {FORGET} }} catch {{}}")  # a blank page keeps nothing
        page.set_viewport_size(viewport)
        if media:
            page.emulate_media(**media)
        page.goto(address + (f"#{fragment.removeprefix('#')}" if fragment else ""))
        page.wait_for_selector(READY, state="attached")
        return page

    def address(self, document: dict[str, Any] | Path, *, served: bool) -> str:
        if isinstance(document, Path):
            return document.resolve().as_uri()
        if served:
            server = PageServer(html_of(document))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            self.closing += [server.server_close, thread.join, server.shutdown]  # undone from the end
            return server.address
        path = self.folder / f"page-{len(self.closing)}.html"
        path.write_text(html_of(document), encoding="utf-8")
        return path.as_uri()

    def close(self) -> list[str]:
        """What went wrong in all pages."""
        while self.closing:
            self.closing.pop()()
        return [wrong for watched in self.watched for wrong in watched.wrong]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests of a file; while it is there, other files' tests could start no event loop."""
    with running() as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The context of a file's pages, with one that is never closed, so that the process that draws them all stays."""
    blank = tmp_path_factory.mktemp("blank") / "blank.html"
    blank.touch()
    context = chromium.new_context(viewport=WIDE)
    context.new_page().goto(blank.as_uri())
    return context


@pytest.fixture
def open_page(pages: Any, tmp_path: Path) -> Iterator[Opener]:
    """See Opener. After the test no page may have complained, or asked for anything."""
    opener = Opener(pages, tmp_path)
    yield opener
    wrong = opener.close()
    assert not wrong, "\n".join(wrong)


def picture(page: Any, name: str, **options: Any) -> None:
    """A screenshot to look at, if there is a $BYHAND_SCREENSHOTS, which is the folder."""
    folder = os.environ.get("BYHAND_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled", **options)


def violations(page: Any) -> list[str]:
    """What axe-core finds fault with: rule, how bad, and where. It asks for no style sheet a second time."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe here: make setup")
    page.wait_for_function("() => document.getAnimations().every((one) => one.playState !== 'running')")  # colours half-way
    found = axe.Axe().run(page, options={"preload": False}).response["violations"]
    return [f"{one['id']} ({one['impact']}): {node['html'][:160]}" for one in found for node in one["nodes"]]


def show(page: Any, view: str, more: str = "") -> None:
    """Go to a view of the page by its address."""
    page.evaluate(f"location.hash = 'view={view}{more}'")
    page.wait_for_selector(f".view[data-view={view}] > *", state="attached")
    settle(page)


def settle(page: Any) -> None:
    """Until what is asked for is drawn: the page hears of it in a task of its own, and draws with the frame after."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def figure(value: float) -> str:
    """A number as the page writes it: two decimals, one digit where it is below a hundredth."""
    size = abs(value)
    text = f"{size:.2f}" if size == 0 or size >= 0.01 else f"{float(f'{size:.1g}'):f}".rstrip("0")
    return ("−" if value < 0 and float(text) else "") + text


def scrolls_sideways(page: Any) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
