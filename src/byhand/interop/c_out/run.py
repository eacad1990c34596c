"""A C file run beside its layer: compiled by the compiler that compiles kernels, stepped through sequences, and timed."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byhand.engine.cpp.toolchain import compiler
from byhand.interop.parity import ParityReport, relative, versions_of

if TYPE_CHECKING:
    from byhand.interop.c_out.source import Network
    from byhand.nn.stepper import Stepper

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
STEPS = (50, 7)  # of the sequences, one after the other, with a reset between them
ROUNDS, CALLS = 21, 200  # of the clock: the median of rounds, of so many steps each
DOOR = """
#define VISIBLE extern "C" __attribute__((visibility("default")))
static NAME_memory door_memory;
VISIBLE void door_reset() { NAME_reset(&door_memory); }
VISIBLE void door_steps(const NUMBER *x, NUMBER *y, long steps)
{
    for (long t = 0; t < steps; ++t) NAME_step(&door_memory, x + t * NAME_inputs, y + t * NAME_outputs);
}
"""


def certified(text: str, network: Network, stepper: Stepper, dtype: torch.dtype) -> ParityReport:
    """The differences from the layer, sequence by sequence; and how long a step takes. CompilerError where nothing can be compiled."""
    door = DOOR.replace("NAME", network.name).replace("NUMBER", network.kind)
    library = compiler.library(text + door)
    generator = torch.Generator().manual_seed(0)
    values: dict[str, float] = {}

    def ours(x: Tensor) -> Tensor:
        y = stepper(x.unsqueeze(1)).squeeze(1)
        return y if network.head is None else torch.nn.functional.linear(y, *network.head)

    with torch.no_grad():
        for x in (torch.randn(steps, stepper.config.input_size, generator=generator, dtype=dtype) for steps in STEPS):
            stepper.reset()
            library.door_reset()
            expected = ours(x)
            values[f"{len(x)} steps"] = relative(run(library, x, expected), expected)
        x = torch.randn(CALLS, stepper.config.input_size, generator=generator, dtype=dtype)
        expected = ours(x)
        taken = timed(lambda: run(library, x, expected), CALLS)
        other = timed(lambda: [stepper(one) for one in x.unsqueeze(1)], CALLS)
    note = f"one step: {taken:.2g} µs; byhand's stepper: {other:.2g} µs"
    return ParityReport("the C file, compiled here, beside the layer", values, TOLERANCE[dtype], versions_of(), (note,))


def run(library: ctypes.CDLL, x: Tensor, like: Tensor) -> Tensor:
    """All steps, from the memory as it is: (steps, input) -> (steps, outputs), as `like` is."""
    y = torch.empty_like(like)
    library.door_steps(ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(y.data_ptr()), ctypes.c_long(len(x)))
    return y


def timed(steps: Callable[[], object], count: int) -> float:
    """Microseconds a step, the median of rounds."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        steps()
        found.append((time.perf_counter() - start) / count)
    return 1e6 * statistics.median(found)
