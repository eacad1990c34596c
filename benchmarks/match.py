"""byhand.explain.match over a data set that is larger than memory would hold: time, and the most memory at once.

    python -m benchmarks.match
    python -m benchmarks.match --steps 1000000 10000000 --units 64

Each number of steps runs in a process of its own. A layer with random weights reads noise, 100 sequences of 1,000 steps at a time, and is
recorded; each trace is searched and let go. Beside the peak stands what the values alone would take in memory.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import torch

import byhand
from byhand import Trace, explain

TIME, BATCH, INPUT = 1000, 100, 8
FIRST, LAST = 500, 504  # steps of the span, of the first sequence


def traces(lstm: byhand.LSTM, steps: int) -> Iterator[Trace]:
    """So many steps of the layer on noise, a batch at a time."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps // (TIME * BATCH)):
        x = torch.randn(TIME, BATCH, INPUT, generator=generator)
        with torch.no_grad(), byhand.record(lstm, ["*.h"]) as trace:
            lstm(x)
        yield trace


def measure(steps: int, units: int) -> str:
    """A row of the table. Memory before is after one batch: the libraries, the layer's kernel, and a batch recorded."""
    torch.manual_seed(0)
    lstm = byhand.LSTM(INPUT, units)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.mul_(4)
    one = next(traces(lstm, TIME * BATCH))
    tenth = float(one["l0.h"][FIRST:LAST, 0].amin(0).quantile(0.9))  # a tenth of the units are above it in the whole span
    span = explain.Span((FIRST, LAST), threshold=tenth)
    before, started = peak(), time.perf_counter()
    found = explain.match(one, span, traces(lstm, steps), progress=lambda *_: None)
    seconds = time.perf_counter() - started
    assert found.steps == steps
    best = f"{len(found.places[0].units)} of {len(found.units)}" if found.places else "none"
    return f"{steps:>12,}  {steps * units * 4 / 2**20:>12,.0f}  {before:>8,.0f}  {peak():>8,.0f}  {seconds:>8.1f}  {best:>12}"


def peak() -> float:
    """MB of this process, the most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Measure byhand.explain.match over many steps: seconds and the peak of memory."
    )
    parser.add_argument("--steps", type=int, nargs="+", default=[1_000_000, 10_000_000], help="how many; several one by one")
    parser.add_argument("--units", type=int, default=64, help="of the layer")
    parser.add_argument("--row", action="store_true", help="one number of steps, in this process, without a head")
    options = parser.parse_args()
    if options.row:
        print(measure(options.steps[0], options.units))
        return
    print(f"{'steps':>12}  {'values (MB)':>12}  {'before':>8}  {'peak':>8}  {'seconds':>8}  {'best shares':>12}", flush=True)
    for steps in options.steps:
        command = [sys.executable, "-m", "benchmarks.match", "--row", "--steps", str(steps), "--units", str(options.units)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
