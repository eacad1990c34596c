"""torch.compile of a small model, a layer and a linear head, beside the same model as it is and nn.LSTM's.

In turn in one process, many short bursts: the least and the median, microseconds a call. Run on an idle machine:

    python -m benchmarks.compiled [--shape 20x8x16x16] [--threads 1]

nn.LSTM         torch's layer, not compiled: torch.compile refuses it.
byhand          not compiled.
compiled        byhand's under torch.compile.
head compiled   the head alone under torch.compile: what a call of any compiled model costs at least.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import byhand
from benchmarks.bursts import bursts

BURSTS, WARM = 300, 20


class Model(nn.Module):
    """A layer, or none, and a head that reads the last step."""

    def __init__(self, layer: nn.Module | None, width: int) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        values = x if self.layer is None else self.layer(x)[0]
        made: Tensor = self.head(values[-1])
        return made


def inference(model: Callable[[Tensor], Tensor], _: nn.Module, x: Tensor) -> Callable[[], None]:
    def call() -> None:
        with torch.no_grad():
            model(x)

    return call


def training(model: Callable[[Tensor], Tensor], module: nn.Module, x: Tensor) -> Callable[[], None]:
    """Forward and backward."""
    parameters = list(module.parameters())

    def call() -> None:
        for one in parameters:
            one.grad = None
        model(x).square().mean().backward()

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="20x8x16x16", help="steps x sequences x inputs x units")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    time_, batch, inputs, units = map(int, options.shape.split("x"))
    torch.manual_seed(0)
    x = torch.randn(time_, batch, inputs)
    theirs, ours = Model(nn.LSTM(inputs, units), units), Model(byhand.LSTM(inputs, units), units)
    head = Model(None, units)
    compiled: dict[str, Any] = {"compiled": torch.compile(ours), "head compiled": torch.compile(head)}
    for what, kind in (("inference", inference), ("training", training)):
        calls = {"nn.LSTM": kind(theirs, theirs, x), "byhand": kind(ours, ours, x)}
        calls["compiled"] = kind(compiled["compiled"], ours, x)
        calls["head compiled"] = kind(compiled["head compiled"], head, x[..., :1].expand(-1, -1, units).contiguous())
        for name, taken in bursts(calls, BURSTS, warm=WARM).items():
            print(f"{what:10} {name:14} least {min(taken):8.1f}  median {statistics.median(taken):8.1f}")


if __name__ == "__main__":
    main()
