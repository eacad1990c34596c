"""Where there is no compiled code: byhand.LSTM on torch's own kernels beside nn.LSTM, at shapes of few steps.

In turn in one process, many short bursts: the least and the median, microseconds a call. Run on an idle machine:

    python -m benchmarks.without_compiler [SHAPE ...] [--threads 1]
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import byhand
from benchmarks.bursts import bursts
from byhand.engine.cpp.toolchain import compiler
from byhand.files import prebuilt

SHAPES = ("1x1x64x64", "1x8x64x64", "1x32x256x256", "20x8x16x16")
BURSTS = 200


def inference(layer: nn.Module, x: Tensor) -> Callable[[], None]:
    def call() -> None:
        with torch.no_grad():
            layer(x)

    return call


def training(layer: nn.Module, x: Tensor) -> Callable[[], None]:
    parameters = list(layer.parameters())

    def call() -> None:
        for one in parameters:
            one.grad = None
        layer(x)[0].sum().backward()

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=SHAPES, metavar="SHAPE", help="steps x sequences x inputs x units")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.getLogger("byhand").setLevel(logging.ERROR)  # that there is no compiler
    prebuilt.FOLDER = Path("nowhere")
    os.environ["CXX"] = str(Path("nowhere") / "c++")
    for shape in options.shapes:
        steps, batch, inputs, units = map(int, shape.split("x"))
        ours, theirs, x = byhand.LSTM(inputs, units), nn.LSTM(inputs, units), torch.randn(steps, batch, inputs)
        theirs.load_state_dict(ours.state_dict())
        ready = [name for name, why in byhand.engines(ours, x) if why == "ready"]
        if ready[0] != "aten":
            raise SystemExit(f"expected the engine aten, got {ready[0]}: {compiler.refusal() or 'a compiler was found'}")
        for what, kind in (("inference", inference), ("training", training)):
            found = bursts({"nn.LSTM": kind(theirs, x), "byhand": kind(ours, x)}, BURSTS)
            least, middle = ({name: how(several) for name, several in found.items()} for how in (min, statistics.median))
            shown = "  ".join(f"{name} {least[name]:8.1f} ({middle[name]:8.1f})" for name in found)
            print(
                f"{shape:14} {what:10} {shown}  {least['nn.LSTM'] / least['byhand']:.2f}x ({middle['nn.LSTM'] / middle['byhand']:.2f}x)"
            )


if __name__ == "__main__":
    main()
