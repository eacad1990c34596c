"""Takes a picture of every view of the explorer's page, at three sizes, light and dark, to be looked at.

    python tools/screenshots.py FOLDER                       all of them
    python tools/screenshots.py FOLDER --documents gru wide  of these documents alone

FOLDER/DOCUMENT-VIEW-SIZE-LOOK.png, and for each document, size and look a sheet with all views side by side. Needs playwright and
a Chromium ($BYHAND_CHROMIUM names one).
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.explorer_frames import FLAGS, chromium  # noqa: E402
from byhand import LSTM, cells  # noqa: E402
from byhand.explorer import Explorer, Snapshots, explore  # noqa: E402
from byhand.tasks.companies import PRICES  # noqa: E402
from tools.companies_document import unit  # noqa: E402

SIZES = {"1440x900": (1440, 900), "1280x720": (1280, 720), "360x740": (360, 740)}
LOOKS = ("light", "dark")
VIEWS = ("tour", "unit", "layer", "ledger", "text", "training")
SENTENCE = "the rain in spain falls mainly on the plain, and the wind in the willows whispers still"
SHEET = 420  # pixels a view is high in a sheet


def companies() -> Explorer:
    """The published unit, with a time-lapse of a training that ends in it."""
    lstm = unit()
    end = {name: value.clone() for name, value in lstm.state_dict().items()}
    snapshots = Snapshots()
    for epoch in range(0, 101, 5):
        lstm.load_state_dict({name: (epoch / 100) ** 0.5 * value for name, value in end.items()})
        snapshots.take(epoch, lstm, 0.4 * (1 - epoch / 100) ** 2 + 0.003)
    x = torch.tensor(PRICES, dtype=torch.float64).T.unsqueeze(-1)
    return explore(lstm, x, features=["price"], items=["company A", "company B"], training=snapshots, title="Two companies")


def numbers() -> Explorer:
    """Two layers of 128 units that read four measured values."""
    lstm = LSTM(4, 128, 2)
    time = torch.arange(200.0)
    rates = torch.tensor([0.07, 0.13, 0.29, 0.041])
    x = torch.sin(time[:, None] * rates) + 0.1 * torch.randn(200, 4)
    names = ["temperature", "humidity", "wind", "pressure"]
    return explore(stretched(lstm), x.unsqueeze(1), features=names, head=nn.Linear(128, 1), names=["demand"], title="2 x 128")


def text() -> Explorer:
    """Letters, one-hot, with the next one as the answer."""
    letters = sorted(set(SENTENCE))
    lstm, head = LSTM(len(letters), 64), nn.Linear(64, len(letters))
    x = nn.functional.one_hot(torch.tensor([letters.index(one) for one in SENTENCE]), len(letters)).float().unsqueeze(1)
    given = {"characters": SENTENCE, "features": letters, "head": head, "names": letters, "squash": "softmax"}
    return explore(stretched(lstm), x, title="Letters", **given)


def gru() -> Explorer:
    """Another cell, both directions."""
    lstm = LSTM(3, 8, cell=cells.gru, bidirectional=True)
    return explore(stretched(lstm), torch.randn(40, 2, 3), title="A GRU, both directions")


def wide() -> Explorer:
    """784 values a step, no names."""
    x = torch.rand(30, 1, 784) * (torch.rand(30, 1, 784) > 0.8)
    return explore(LSTM(784, 16), x, title="784 values a step")


def frozen() -> Explorer:
    """A cell whose units depend on one another: nothing can be changed."""
    return explore(LSTM(2, 6, cell=cells.layernorm_lstm), torch.randn(24, 1, 2), title="Layer normalisation")


DOCUMENTS: dict[str, Callable[[], Explorer]] = {made.__name__: made for made in (companies, numbers, text, gru, wide, frozen)}


def stretched(lstm: LSTM) -> LSTM:
    """With larger weights than at the start of a training, so that there is something to see."""
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.mul_(3)
    return lstm


def taken(browser: Browser, file: Path, name: str, folder: Path, middle: int) -> int:
    """The pictures of one document; how many they are."""
    count = 0
    for size, (width, height) in SIZES.items():
        for look in LOOKS:
            page: Any = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=look, reduced_motion="reduce"
            )
            row = []
            for view in VIEWS:
                page.goto(f"{file.as_uri()}#view={view}&time={middle}")
                page.reload()  # a new address alone does not open the page again
                page.wait_for_timeout(350)
                if page.locator(f".view[data-view={view}]").count() == 0:
                    continue  # without snapshots there is no training to show
                row.append(folder / f"{name}-{view}-{size}-{look}.png")
                page.screenshot(path=row[-1], animations="disabled")
            page.close()
            sheet(row, folder / f"sheet-{name}-{size}-{look}.png")
            count += len(row)
    return count


def sheet(pictures: list[Path], path: Path) -> None:
    """All of them side by side, small."""
    small = []
    for one in pictures:
        with Image.open(one) as picture:
            small.append(picture.resize((round(picture.width * SHEET / picture.height), SHEET), Image.Resampling.LANCZOS))
    whole = Image.new("RGB", (sum(one.width + 8 for one in small), SHEET), "grey")
    left = 0
    for one in small:
        whole.paste(one, (left, 0))
        left += one.width + 8
    whole.save(path)


def main() -> int:
    parser = argparse.ArgumentParser(description="Take a picture of every view of the explorer's page.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", nargs="+", choices=DOCUMENTS, default=list(DOCUMENTS))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for name in options.documents:
            torch.manual_seed(7)
            explorer = DOCUMENTS[name]()
            file = explorer.save(Path(folder) / f"{name}.html")
            count = taken(browser, file, name, options.folder, explorer.document["items"][0]["steps"] // 2)
            print(f"{name}: {count} pictures", flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
