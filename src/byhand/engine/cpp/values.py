"""What a kernel works on and what it gives: tensors, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from byhand.engine.cpp.toolchain.processor import processor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from byhand.engine.call import Weights

LARGE = 3 << 19  # bytes of weights


class KernelInputs(NamedTuple):
    """What a kernel works on: contiguous tensors of one dtype on the CPU. lengths: None if all sequences are of full length."""

    input: Float[Tensor, "time batch input"]
    state: tuple[Float[Tensor, "batch width"], ...]
    weights: Weights
    parameters: tuple[Tensor, ...]  # vectors (hidden), then masks (time or 1, batch or 1, hidden)
    lengths: Int[Tensor, " batch"] | None
    reverse: bool
    cut: Bool[Tensor, "time batch"] | None = None
    restart: tuple[Float[Tensor, "batch width"], ...] = ()


class KernelOutputs(NamedTuple):
    """output and last states; and, if it was to be saved, what the derivative and the sites are made from. In bfloat16 histories, of the
    states that the step itself reads again, and what was saved are in float32; rounded is the output, and all else that the recurrent
    product reads.
    """

    output: Float[Tensor, "time batch output"]
    last: tuple[Float[Tensor, "batch width"], ...]
    histories: tuple[Tensor | None, ...]  # of each state that is read again, (time, batch, width)
    saved: Float[Tensor, "time batch preactivations*hidden"] | None
    unprojected: Float[Tensor, "time batch hidden"] | None
    rounded: tuple[Tensor | None, ...] = ()


class KernelGradients(NamedTuple):
    """By all that a run depends on, in the shapes of those; None where not asked for. Where the weights are large, preactivations and
    projected are there instead of the first four, which are products of them.
    """

    preactivations: Float[Tensor, "time batch preactivations*hidden"] | None
    projected: Float[Tensor, "time batch output"] | None
    input: Tensor | None
    weight_input: Tensor | None
    weight_recurrent: Tensor | None
    projection: Tensor | None
    bias: Float[Tensor, " preactivations*hidden"]
    vectors: tuple[Float[Tensor, " hidden"] | None, ...]
    state: tuple[Float[Tensor, "batch width"], ...]
    histories: tuple[Float[Tensor, "time batch hidden"], ...]  # by each new state in full, if that was asked for
    restart: tuple[Float[Tensor, "batch width"], ...]


def torch_multiplies(weights: Weights) -> bool:
    """Whether the gradients of such weights are better left to torch's products: of large ones, but not on AMD's processors, where MKL
    reaches half of what the kernel does (training 16x32x256x256 takes 1.5x as long with it on an EPYC, 30x64x1024x1024 1.1x). Never
    in bfloat16, where the kernel keeps what would be multiplied in pairs.
    """
    if weights.input.dtype == torch.bfloat16:
        return False
    size = weights.input.numel() + (0 if weights.recurrent is None else weights.recurrent.numel())
    return size * weights.input.element_size() > LARGE and "AMD" not in processor()
