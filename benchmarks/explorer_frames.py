"""How fast the explorer's page is: first paint, frames while scrubbing, holds, size of the file, for 4 layers x 512 units x 1,000 steps.

    python -m benchmarks.explorer_frames [--layers 4] [--hidden 512] [--steps 1000] [--view layer]

In headless Chromium, without a GPU and without its limit of 60 frames a second, so that the time from one frame to the next is
what the frame cost: script, style, layout and paint. Needs playwright and a Chromium ($BYHAND_CHROMIUM names another one).
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import sync_playwright

import byhand

FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-gpu",
    "--disable-frame-rate-limit",
    "--disable-gpu-vsync",
]
MAPS_DRAWN = "() => document.querySelectorAll('.map-box canvas[data-drawn]').length > 0"
SCRUB = """frames => new Promise(done => {
  const { store } = document.querySelector('#byhand-explorer').byhand;
  const steps = store.run().steps, times = [];
  const frame = now => {
    times.push(now);
    if (times.length > frames) return done(times.slice(1).map((time, index) => time - times[index]));
    store.set({ time: Math.floor(steps * (times.length % frames) / frames) });
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""
HOLD = """([time, unit]) => new Promise(done => {
  const { store } = document.querySelector('#byhand-explorer').byhand, start = performance.now();
  store.edit({ kind: 'site', on: true, place: 'l0', site: 'f', unit, time, value: 0 });
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
})"""
HOLDS = 5  # of different units, so that none is taken over from another
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"


def main() -> None:
    options = arguments()
    torch.manual_seed(0)
    lstm = byhand.LSTM(8, options.hidden, num_layers=options.layers)
    x = torch.randn(options.steps, 1, 8)
    with tempfile.TemporaryDirectory() as folder:
        file = byhand.explore(lstm, x, title="frames").save(Path(folder) / "page.html")
        size = file.stat().st_size / 2**20
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
            measured(browser, file, options)  # the first page also starts the browser
            paint, drawn, frames, holds = measured(browser, file, options)
            browser.close()
    print(f"{options.layers} x {options.hidden} units x {options.steps} steps, {options.view} view")
    print(f"file {size:.2f} MiB, first paint {paint:.0f} ms, maps drawn {drawn:.0f} ms")
    for when, times in holds.items():
        print(f"a gate held {when}, until it is drawn: median {at(times, 0.5):.0f} ms, at most {max(times):.0f} ms")
    print(f"{len(frames)} frames while scrubbing: median {at(frames, 0.5):.1f} ms, 95 % within {at(frames, 0.95):.1f} ms")


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--view", choices=["layer", "ledger", "unit"], default="layer")
    parser.add_argument("--frames", type=int, default=300)
    return parser.parse_args()


def chromium() -> str:
    found = os.environ.get("BYHAND_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        sys.exit("no Chromium found: install it, or name it in BYHAND_CHROMIUM")
    return found


def measured(browser: Any, file: Path, options: Any) -> tuple[float, float, list[float], dict[str, list[float]]]:
    """First paint and first map, in ms from when the page was asked for; the ms from frame to frame while scrubbing, and of holds."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{file.as_uri()}#view={options.view}")
    if options.view == "layer":
        page.wait_for_function(MAPS_DRAWN, polling=5)
    drawn = page.evaluate("performance.now()")
    page.wait_for_timeout(500)
    frames = page.evaluate(SCRUB, options.frames)
    holds: dict[str, list[float]] = {}
    for name, time in (("at all steps", None), ("at a step in the middle", options.steps // 2)):
        for index in range(HOLDS):
            holds.setdefault(name, []).append(page.evaluate(HOLD, [time, index * (options.hidden - 1) // HOLDS]))
            page.wait_for_timeout(200)
    paint = page.evaluate(PAINT)
    page.close()
    return paint, drawn, frames, holds


def at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    main()
