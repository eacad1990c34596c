"""The first call of a fresh process: what a layer costs before it is warm, by where its kernel comes from.

Each is run in a process of its own, in turn, round after round; medians count. Run on an idle machine:

    python -m benchmarks.first_call [--rounds 5] [--slow]

nn.LSTM       torch's layer.
cache         byhand, the kernel compiled by an earlier process.
no compiler   byhand where there is no compiler and an empty cache: a prebuilt kernel if the package brought one, else torch's own.
compiling     byhand with an empty cache; with --slow only, for it takes seconds.

import        seconds to import torch, then byhand.
first         seconds of the first call, 20 x 8 x 16 x 16.
tenth         microseconds of the tenth call.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = """
import json, sys, time
started = time.perf_counter()
import torch
with_torch = time.perf_counter()
if sys.argv[1] == "nn.LSTM":
    layer = torch.nn.LSTM(16, 16)
    ready = with_torch
else:
    import byhand
    ready = time.perf_counter()
    layer = byhand.LSTM(16, 16)
x, taken = torch.randn(20, 8, 16), []
with torch.no_grad():
    for _ in range(10):
        start = time.perf_counter()
        layer(x)
        taken.append(time.perf_counter() - start)
print(json.dumps([ready - started, taken[0], 1e6 * taken[-1]]))
"""


def measured(contender: str, cache: Path) -> list[float]:
    """Seconds of the imports and of the first call, microseconds of the tenth."""
    surroundings = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with tempfile.TemporaryDirectory() as folder:
        if contender == "no compiler":
            surroundings |= {"CXX": str(Path(folder) / "none"), "BYHAND_CACHE": str(Path(folder) / "cache")}
        elif contender == "compiling":
            surroundings |= {"BYHAND_CACHE": str(Path(folder) / "cache")}
        else:
            surroundings |= {"BYHAND_CACHE": str(cache)}
        words = [sys.executable, "-c", PROGRAM, contender]
        done = subprocess.run(words, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{contender}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description="The first call of a fresh process.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; medians count")
    parser.add_argument("--slow", action="store_true", help="compile, too")
    options = parser.parse_args()
    contenders = ["nn.LSTM", "cache", "no compiler", *(["compiling"] if options.slow else [])]
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        measured("cache", cache)  # which compiles
        rounds = [[measured(one, cache) for one in contenders] for _ in range(options.rounds)]
    print(f"{'':14}{'import, s':>12}{'first, s':>12}{'tenth, us':>12}")
    for place, name in enumerate(contenders):
        imported, first, tenth = (statistics.median(values) for values in zip(*(one[place] for one in rounds), strict=True))
        print(f"{name:14}{imported:12.2f}{first:12.4f}{tenth:12.1f}")


if __name__ == "__main__":
    main()
