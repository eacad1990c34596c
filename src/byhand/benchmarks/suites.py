"""The suites by name: their cases, and how the contenders of a case are made."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from byhand.benchmarks import cases
from byhand.benchmarks.cases import Case
from byhand.benchmarks.comparisons import cell, engines, step
from byhand.benchmarks.compilers import compilers
from byhand.benchmarks.contenders import Work, layer, layer_in_detail
from byhand.benchmarks.cuda import cudnn
from byhand.benchmarks.frozen import frozen


class Suite(NamedTuple):
    """quick: the cases that show in seconds whether it runs. note: said above its tables."""

    title: str
    cases: Sequence[Case]
    build: Callable[[Case, str | None], Work]
    quick: Sequence[str]
    note: str = ""
    device: str = "cpu"


FEW = ("1x1x1x1", "16x8x64x16")
SUITES = {
    "layers": Suite("some layers in detail", cases.LAYERS, layer_in_detail, ("4x1x1x1", "20x8x16x16", "100x32x64x64 packed")),
    "grid": Suite(
        "float32 layers, large and small", cases.grid(cases.CPU_LIMITS), layer, FEW, cases.left_out(cases.CPU_LIMITS)
    ),
    "kinds": Suite(
        "layers of every kind",
        cases.EVERY_KIND,
        layer,
        [f"20x8x16x16 {name}" for name in ("2 layers", "projection", "bfloat16")],
    ),
    "step": Suite("a single step", cases.STEPS, step, ("1x1x16x16", "1x8x16x16")),
    "cells": Suite(
        "every elementwise cell", cases.EVERY_CELL, cell, [f"100x32x64x64 {name}" for name in ("min_lstm", "gru of torch")]
    ),
    "engines": Suite("every engine", cases.ENGINES, engines, ("100x8x8x8",)),
    "compilers": Suite("other compilers", cases.COMPILED, compilers, ("100x32x64x64",)),
    "frozen": Suite("frozen layers", cases.FROZEN, frozen, ("20x8x16x16",)),
    "cuda": Suite(
        "nn.LSTM on cuDNN",
        cases.grid(cases.GPU_LIMITS),
        cudnn,
        FEW,
        cases.left_out(cases.GPU_LIMITS),
        device="cuda",
    ),
}
GRIDS = ("grid", "cuda")
ON_CPU = tuple(name for name, suite in SUITES.items() if suite.device == "cpu")
