"""Tensors and the arrays that onnxruntime takes and gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def tensor(value: Any) -> Tensor:
    """An array as a tensor on the same memory, or a copy where it may not be written to. TypeError for text."""
    return torch.from_numpy(value if value.flags.writeable else value.copy())


def array(value: Tensor) -> Any:
    """A tensor as an array."""
    return value.detach().cpu().numpy()


def given_out(value: Any) -> Any:
    """A value as a user gets it: numbers as a tensor of their own, text as it is, sequences as lists."""
    if isinstance(value, list):
        return [given_out(one) for one in value]
    return value if not hasattr(value, "dtype") or value.dtype.kind in "OUS" else torch.from_numpy(value.copy())
