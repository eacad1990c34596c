"""Which times, units or sequences are meant: an index, a slice, a list of indices, or a mask."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Where = int | slice | Sequence[int] | Tensor | None


def check_where(who: str, along: str, where: Where) -> None:
    """TypeError for anything that is no such choice."""
    whole = where is None or (isinstance(where, int) and not isinstance(where, bool)) or isinstance(where, slice | Tensor)
    if not whole and not (isinstance(where, list | tuple | range) and all(isinstance(one, int) for one in where)):
        raise TypeError(f"{who} expected {along} to be an index, a slice, a list of indices or a mask, got {where!r}")


def chosen(who: str, along: str, where: Where, size: int) -> Tensor:
    """A mask (size,) of the chosen indices; None chooses all, negative ones count from the end. IndexError for one that is not there."""
    mask = torch.zeros(size, dtype=torch.bool, device="cpu")
    try:
        mask[slice(None) if where is None else list(where) if isinstance(where, tuple | range) else where] = True
    except IndexError as problem:
        raise IndexError(f"{who} expected {along} within 0…{size - 1}, got {where!r}") from problem
    return mask
