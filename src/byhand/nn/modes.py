"""Training mode and eval mode of a module, changed for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Every part in eval mode inside the block, and afterwards as it was: nothing is drawn at random, and reading a parametrised weight
    moves nothing, such as spectral_norm's vectors.
    """
    modes = [(part, part.training) for part in module.modules()]
    for part, _ in modes:
        part.training = False
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
