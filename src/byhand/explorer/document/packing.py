"""Numbers as the page reads them: little-endian and base64, whole or in 255 steps."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

LEVELS = 254  # a byte counts 0…254 from low to high; 255 stands for what is no number
Packed = dict[str, Any]  # shape, dtype, data; of u1 also low and high


def packed(value: Tensor) -> Packed:
    """All of it: f8 what is float64, f4 anything else; u1 where that loses nothing, as of one-hot inputs."""
    value = value.detach().cpu()
    value = value if value.dtype == torch.float64 else value.float()
    small = quantised(value)
    if torch.equal(restored(small), value.double()):
        return small
    return written(value, "f8" if value.dtype == torch.float64 else "f4")


def quantised(value: Tensor) -> Packed:
    """As u1: off by at most a 508th of the range. What is infinite or no number becomes no number."""
    value = value.detach().cpu().double()
    finite = torch.isfinite(value)
    low, high = (bound.item() for bound in value[finite].aminmax()) if bool(finite.any()) else (0.0, 0.0)
    steps = ((value - low) * (LEVELS / (high - low)) if high > low else torch.zeros_like(value)).round()
    levels = torch.where(finite, steps, 255.0).to(torch.uint8)
    return written(levels, "u1") | {"low": low, "high": high}


def restored(pack: Packed) -> Tensor:
    """The numbers again, as the page makes them, float64."""
    kind = {"f4": torch.float32, "f8": torch.float64, "u1": torch.uint8}[pack["dtype"]]
    data = bytearray(base64.b64decode(pack["data"]))
    value = (torch.frombuffer(data, dtype=kind) if data else torch.empty(0)).double().reshape(pack["shape"])
    if pack["dtype"] != "u1":
        return value
    return torch.where(value == 255, torch.nan, pack["low"] + (pack["high"] - pack["low"]) / LEVELS * value)


def written(value: Tensor, dtype: str) -> Packed:
    order = value.contiguous().numpy()
    data = order.astype(order.dtype.newbyteorder("<")).tobytes()
    return {"shape": list(value.shape), "dtype": dtype, "data": base64.b64encode(data).decode()}


def size(numbers: int, dtype: str = "f4") -> int:
    """The length of packed numbers, in characters."""
    return (numbers * {"f8": 8, "f4": 4, "u1": 1}[dtype] + 2) // 3 * 4
