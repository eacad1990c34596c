"""Tensors and the arrays that onnxruntime takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor


def tensor(value: Any) -> Tensor:
    """An array as a tensor on the same memory, or a copy where it may not be written to. TypeError for text."""
    return torch.from_numpy(value if value.flags.writeable else value.copy())


def array(value: Tensor) -> Any:
    """A tensor as an array."""
    return value.detach().cpu().numpy()


def given_out(values: Iterable[Any], inputs: Iterable[Any]) -> list[Any]:
    """As a user gets them: numbers as tensors, text as it is, sequences as lists; none shares memory with another or an input."""
    taken = {memory(tensor(one)) for one in flat(inputs)}

    def own(value: Any) -> Any:
        if isinstance(value, list):
            return [own(one) for one in value]
        if not is_numeric(value):
            return value
        made = tensor(value)
        made = made.clone() if memory(made) in taken else made
        taken.add(memory(made))
        return made

    return [own(value) for value in values]


def flat(values: Iterable[Any]) -> Iterator[Any]:
    """All arrays of numbers, those in sequences among them."""
    for one in values:
        if isinstance(one, list):
            yield from flat(one)
        elif is_numeric(one):
            yield one


def is_numeric(value: Any) -> bool:
    return hasattr(value, "dtype") and value.dtype.kind not in "OUS"


def memory(value: Tensor) -> int:
    """Where its numbers are; each empty tensor is by itself."""
    return value.untyped_storage().data_ptr() if value.numel() else -id(value)
