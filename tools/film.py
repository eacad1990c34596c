"""Films the explorer: a unit reads four prices, its forget gate is dragged shut, the answer follows; its ledger; a text model.

    python tools/film.py                         writes docs/pictures/film.gif
    python tools/film.py FILE --keep FOLDER      another file; every frame as a picture, too

Every frame is a real page in a real browser, with a drawn pointer. Needs playwright and a Chromium ($BYHAND_CHROMIUM names one).
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.explorer_frames import FLAGS, chromium  # noqa: E402
from byhand.__main__ import main as byhand  # noqa: E402
from byhand.explorer import explore  # noqa: E402
from byhand.files.atomic import write_whole  # noqa: E402
from byhand.tasks.companies import PRICES  # noqa: E402
from tools.companies_document import unit  # noqa: E402

FILM = ROOT / "docs" / "pictures" / "film.gif"
SIZE = {"width": 1120, "height": 700}
WIDTH = 896  # pixels of the film
COLOURS = 64
SHORT, LONG = 90, 900  # milliseconds that a frame stands
MOST = 3_000_000  # bytes
POINTER = """() => {
  const dot = document.createElement('div');
  dot.id = 'pointer';
  dot.style.cssText = 'position:fixed;z-index:99999;width:18px;height:18px;margin:-9px;border-radius:50%;'
    + 'background:rgb(20 80 122 / 55%);box-shadow:0 0 0 3px #fff8;pointer-events:none;display:none';
  document.body.append(dot);
  addEventListener('pointermove', (e) => {
    Object.assign(dot.style, { display: '', left: e.clientX + 'px', top: e.clientY + 'px' });
  }, true);
}"""
Frame = tuple[Image.Image, int]  # and how long it stands


class Camera:
    """Takes pictures of a page, and moves its pointer."""

    def __init__(self, page: Page) -> None:
        self.page, self.at = page, (40.0, 640.0)

    def open(self, path: Path, fragment: str) -> None:
        self.page.goto("about:blank")
        self.page.goto(f"{path.as_uri()}#{fragment}")
        self.page.locator(".byhand-explorer .view > *").first.wait_for()
        self.page.wait_for_timeout(400)
        self.page.evaluate(POINTER)

    def take(self, stands: int = SHORT) -> Frame:
        self.page.wait_for_timeout(60)
        picture = Image.open(io.BytesIO(self.page.screenshot(animations="disabled"))).convert("RGB")
        return picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS), stands

    def move(self, x: float, y: float, frames: int) -> Iterator[Frame]:
        """The pointer on its way, slower at both ends."""
        from_x, from_y = self.at
        for frame in range(1, frames + 1):
            share = frame / frames
            eased = share * share * (3 - 2 * share)
            self.page.mouse.move(from_x + eased * (x - from_x), from_y + eased * (y - from_y))
            yield self.take()
        self.at = (x, y)


def middle(part: Any) -> tuple[float, float]:
    box = part.bounding_box()
    assert box, "the part is in sight"
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def scenes(camera: Camera, companies: Path, text: Path) -> Iterator[Frame]:
    """All frames in order."""
    page = camera.page
    camera.open(companies, "view=unit&item=1&time=0")
    yield camera.take(LONG)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        yield camera.take(700)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    yield camera.take(500)
    gate = page.locator(".unit-picture .node.gate").first
    x, y = middle(gate)
    yield from camera.move(x, y, 8)
    page.mouse.down()
    height = gate.bounding_box()["height"]  # type: ignore[index]
    yield from camera.move(x, y + height, 14)
    page.mouse.up()
    yield camera.take(1800)
    ledger = page.get_by_role("tab", name="Ledger")
    yield from camera.move(*middle(ledger), 8)
    ledger.click()
    yield camera.take(1800)
    camera.open(text, "view=layer&item=3&time=20&sort=half-life")
    yield camera.take(LONG)
    for time in range(40, 600, 40):
        page.evaluate(f"document.querySelector('#byhand-explorer').byhand.store.set({{ time: {time} }})")
        yield camera.take(110)
    yield camera.take(1500)


def pages(folder: Path) -> tuple[Path, Path]:
    """The published unit on the two companies, and the zoo's model of Python's help."""
    prices = torch.tensor(PRICES, dtype=torch.float64)
    made = explore(
        *(unit(), prices.T.unsqueeze(-1)),
        features=["price"],
        items=["company A", "company B"],
        targets=prices[:, :1],
        title="One LSTM unit",
        names=None,
    )
    companies, text = folder / "companies.html", folder / "text.html"
    made.save(companies)
    if byhand(["explore", "zoo:python_help", "--save", str(text), "--title", "A text model"]):
        sys.exit(1)
    return companies, text


def written(frames: list[Frame]) -> bytes:
    """The GIF, all frames in the colours of the first of each size."""
    palette = frames[0][0].quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    shared = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame, _ in frames]
    file = io.BytesIO()
    shared[0].save(
        *(file, "GIF"),
        save_all=True,
        append_images=shared[1:],
        duration=[stands for _, stands in frames],
        loop=0,
        optimize=True,
    )
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description="Film the explorer.")
    parser.add_argument("file", type=Path, nargs="?", default=FILM)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write every frame into it as a picture, too")
    options = parser.parse_args()
    frames = []
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        companies, text = pages(Path(place))
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        for frame in scenes(Camera(page), companies, text):
            frames.append(frame)
            print(f"\r{len(frames)} frames", end="", flush=True)
        browser.close()
    content = written(frames)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for number, (frame, _) in enumerate(frames):
            frame.save(options.keep / f"{number:03}.png")
    if len(content) > MOST:
        sys.exit(f"\n{len(content):,} bytes, expected {MOST:,} at most: nothing was written")
    write_whole(options.file, content)
    print(f"\r{options.file}: {len(frames)} frames, {sum(stands for _, stands in frames) / 1000:.0f} s, {len(content):,} bytes")


if __name__ == "__main__":
    main()
