"""Where and when a kernel is launched: on the current stream of the tensors' own device; for the first time never inside the capture of a
CUDA graph.

At its first launch a kernel is compiled and loaded, and before the first of all the engine proves itself (proof.py): neither can be part
of a graph. Everything after that is: no call waits for the GPU, or copies between it and the CPU.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

FREE = ("T", "B")  # numbers for which no kernel is compiled again


def on(device: torch.device) -> AbstractContextManager[Any]:
    """The device is the current one inside: Triton launches there, on its current stream."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def kind(name: str, device: torch.device, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a kernel is compiled for: of tensors the number type and whether they begin at a multiple of 16 bytes, of numbers the number."""
    found = [
        (one.dtype, one.data_ptr() % 16 == 0) if isinstance(one, Tensor) else one
        for key, one in arguments.items()
        if key not in FREE
    ]
    return (name, device, *found)


def check_first(device: torch.device) -> None:
    """RuntimeError where the device's current stream is being captured: what is about to be done for the first time cannot be part of a
    graph.
    """
    if device.type != "cuda" or not torch.cuda.is_current_stream_capturing():
        return
    raise RuntimeError(
        "a byhand layer was called inside the capture of a CUDA graph before its kernels were loaded: expected one call like it,"
        " forward and backward, before the capture; torch.cuda.make_graphed_callables(layer, (x,)) makes it. Or"
        " `with byhand.use_engine('reference'):` around the call captures the loop over its steps"
    )
