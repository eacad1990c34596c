"""explain.ablation: every unit of a gate held open, shut and at its mean, of a small model. Least and median of several, milliseconds.

With another commit's byhand: PYTHONPATH=/path/to/its/src:. in front. Run on an idle machine:

    python -m benchmarks.ablation [SHAPE ...] [--threads 1]
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor, nn

import byhand
from byhand import explain

SHAPES = ("43x40x16", "43x100x1", "43x100x64", "128x50x32")
TIMES, INPUTS = 5, 8


class Model(nn.Module):
    """A layer, and a class of its last output."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.lstm, self.head = byhand.LSTM(INPUTS, units), nn.Linear(units, 2)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.head(self.lstm(x)[0][-1])
        return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=SHAPES, metavar="SHAPE", help="units x steps x sequences")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for shape in options.shapes:
        units, steps, batch = map(int, shape.split("x"))
        torch.manual_seed(0)
        model, x, right = Model(units).eval(), torch.randn(steps, batch, INPUTS), torch.randint(2, (batch,))
        taken, rows = [], 0
        for _ in range(TIMES + 1):
            start = time.perf_counter()
            found = explain.ablation(
                model,
                x,
                score=lambda out, right=right: nn.functional.cross_entropy(out, right),
                sites=["lstm.l0.f"],
                units="all",
            )
            taken.append(1e3 * (time.perf_counter() - start))
            rows = len(found.rows)
        print(f"{shape:12} {rows:4} runs  least {min(taken[1:]):8.1f}  median {statistics.median(taken[1:]):8.1f}")


if __name__ == "__main__":
    main()
