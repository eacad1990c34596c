"""How fast the explorer's Text view is: opening, flipping units and scrolling, for a text of 20,000 characters and 256 units.

    python -m benchmarks.explorer_text [--units 256] [--characters 20000] [--site c]

In headless Chromium, without a GPU and without its limit of 60 frames a second. A flip is timed from the key to the end of the frame
after it, in which the units beside the text are ranked too: script, style, layout and paint. Needs playwright and a Chromium
($BYHAND_CHROMIUM names another one). The text is this repository's own pages, the weights are random.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import sync_playwright
from torch import nn
from torch.nn.functional import one_hot

import byhand
from benchmarks.explorer_frames import FLAGS, at, chromium
from byhand.explorer.load.model import visible

ROOT = Path(__file__).parent.parent
FRAME_END = "const after = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));"
FLIP = f"""async ([key, count]) => {{
  {FRAME_END}
  const times = [];
  for (let k = 0; k < count; k++) {{
    const start = performance.now();
    document.dispatchEvent(new KeyboardEvent('keydown', {{ key, bubbles: true }}));
    await after();
    await after();
    times.push(performance.now() - start);
  }}
  return times;
}}"""
SCROLL = f"""async count => {{
  {FRAME_END}
  const lens = document.querySelector('.lens'), times = [];
  const far = lens.scrollHeight - lens.clientHeight;
  for (let k = 0; k < count; k++) {{
    const start = performance.now();
    lens.scrollTop = far * ((k * 37) % count) / count;
    await after();
    times.push(performance.now() - start);
  }}
  return times;
}}"""
BUSY = """window.longest = 0;
new PerformanceObserver(list => { for (const one of list.getEntries()) longest = Math.max(longest, one.duration); })
  .observe({ type: 'longtask', buffered: true });"""
DRAWN = "() => document.querySelector('.lens canvas[data-drawn]') !== null"


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        file = explorer(options).save(Path(folder) / "page.html")
        made = time.perf_counter() - began
        size = file.stat().st_size / 2**20
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script(BUSY)
            page.goto(f"{file.as_uri()}#view=text&node={options.site}&unit=1")
            page.wait_for_function(DRAWN, timeout=300_000, polling=50)
            drawn = page.evaluate("performance.now()")
            heap = page.evaluate("performance.memory.usedJSHeapSize / 2 ** 20")
            busy = page.evaluate("longest")
            print(
                f"{options.characters:,} characters, {options.units} units: explore and save {made:.1f} s, file {size:.2f} MiB"
            )
            print(f"text drawn after {drawn / 1000:.1f} s, never still for more than {busy:.0f} ms; heap {heap:.0f} MiB")
            page.wait_for_timeout(1500)
            tell("flip to the next unit", page.evaluate(FLIP, ["ArrowDown", options.frames]))
            tell("move the cursor", page.evaluate(FLIP, ["ArrowRight", options.frames]))
            for interest in ("like", "here"):
                page.select_option(".worth select", interest)
                tell(f"flip, units ranked by “{interest}”", page.evaluate(FLIP, ["ArrowUp", options.frames]))
            tell("scroll anywhere", page.evaluate(SCROLL, options.frames))
            browser.close()


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--characters", type=int, default=20_000)
    parser.add_argument("--site", default="c")
    parser.add_argument("--frames", type=int, default=100)
    return parser.parse_args()


def explorer(options: Any) -> byhand.explorer.Explorer:
    """A text model with random weights on the first characters of this repository's pages."""
    pages = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
    text = pages[: options.characters]
    symbols = sorted(set(text))
    names = [visible(symbol) for symbol in symbols]
    torch.manual_seed(0)
    lstm, head = byhand.LSTM(len(symbols), options.units), nn.Linear(options.units, len(symbols))
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.mul_(3)
    numbers = torch.tensor([symbols.index(character) for character in text])
    x = one_hot(numbers, len(symbols)).float().unsqueeze(1)
    characters = [visible(character) for character in text]
    return byhand.explore(lstm, x, characters=[characters], features=names, head=head, names=names, squash="softmax")


def tell(what: str, times: list[float]) -> None:
    print(f"{what}: median {at(times, 0.5):.1f} ms, 95 % within {at(times, 0.95):.1f} ms, slowest {max(times):.1f} ms")


if __name__ == "__main__":
    main()
