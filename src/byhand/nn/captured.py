"""A step on a GPU as one CUDA graph: for a single step, launching its operations one by one takes longer than running them.

The graph reads weights and states where they are, so what is written into them in place is seen; once one of them lies elsewhere, it is
captured again. It has not run on a GPU yet: docs/gpu.md.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
from torch import cuda

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

logger = logging.getLogger("byhand")
DEVICES = {"cuda"}  # a test's false torch.cuda works on the cpu
WARM_UP = 3  # steps before the capture, in which kernels are compiled and loaded, and torch's libraries take their memory


class CapturedStep:
    """A function of one tensor, for inputs of one shape and number type on one device.

    Args:
        step: the function; moves `state` on in place, and waits for nothing.
        state: what it moves on.
        weights: what else it reads.
    """

    def __init__(self, step: Callable[[Tensor], Tensor], state: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
        self.step, self.state, self.weights = step, tuple(state), tuple(weights)
        self.device = self.state[0].device
        self.is_possible = self.device.type in DEVICES
        self.captured_for: tuple[object, ...] | None = None

    def __call__(self, x: Tensor) -> Tensor | None:
        """The output, in memory of its own; None where x is not such an input, or there can be no graph now, and the step has to go the
        usual way: after a capture that failed, inside somebody else's, and under autocast, which a graph would not hear of.
        """
        if not self.is_possible or type(x) is not torch.Tensor or x.device != self.device:
            return None
        if torch.is_autocast_enabled(self.device.type):
            return None
        with cuda.device(self.device):
            if cuda.is_current_stream_capturing():
                return None
            current = self.key(x)
            if current != self.captured_for and not self.capture(x, current):
                return None
            self.given.copy_(x)
            self.graph.replay()
            return self.made.clone()

    def key(self, x: Tensor) -> tuple[object, ...]:
        """What a graph holds for good: shapes, where tensors are, and how torch multiplies."""
        multiplies = (torch.backends.cudnn.rnn.fp32_precision, torch.backends.cuda.matmul.fp32_precision)  # type: ignore[attr-defined]
        return (x.shape, x.dtype, *multiplies, *(one.data_ptr() for one in (*self.state, *self.weights)))

    def capture(self, x: Tensor, key: tuple[object, ...]) -> bool:
        """Make the graph; False if there can be none, which is said once. The state is afterwards what it was."""
        with torch.inference_mode(False), torch.no_grad():  # the graph's memory outlives the caller's mode
            before = [one.clone() for one in self.state]
            try:
                self.captured_for = None
                self.given, self.graph, self.made = captured(self.step, x.clone())
                self.captured_for = key
            except RuntimeError as problem:
                self.is_possible = False
                said = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
                logger.warning("a stepper's steps are launched one operation at a time, for want of a CUDA graph: %s", said)
            for one, value in zip(self.state, before, strict=True):
                one.copy_(value)
        return self.is_possible


def captured(step: Callable[[Tensor], Tensor], given: Tensor) -> tuple[Tensor, cuda.CUDAGraph, Tensor]:
    """The tensor that the graph reads, the graph, and the tensor that it writes. RuntimeError."""
    here, beside = cuda.current_stream(), cuda.Stream()
    beside.wait_stream(here)
    with cuda.stream(beside):
        for _ in range(WARM_UP):
            step(given)
    here.wait_stream(beside)
    graph = cuda.CUDAGraph()
    with cuda.graph(graph, stream=beside, capture_error_mode="thread_local"):  # other threads may do what they like
        made = step(given)
    return given, graph, made
