"""Numbers as the page reads them: little-endian and base64, in full, in half precision, or in levels with what that costs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

TYPES = {"f8": torch.float64, "f4": torch.float32, "f2": torch.float16, "u1": torch.uint8, "u2": torch.uint16}
MISSING = {"u1": 255, "u2": 65535}  # what stands for a value that is no number; the levels are those below
Packed = dict[str, Any]  # shape, dtype, data; of u1 and u2 also low and high, of rounded levels error


def packed(value: Tensor) -> Packed:
    """All of it: f8 what is float64, f4 anything else; u1 where that loses nothing, as of one-hot inputs."""
    value = value.detach().cpu()
    value = value if value.dtype == torch.float64 else value.float()
    low, high = bounds(value.double().flatten().unsqueeze(1))
    small = written(levels(value.double(), low, high, "u1"), "u1") | {"low": low.item(), "high": high.item()}
    if torch.equal(restored(small), value.double()):
        return small
    return written(value, "f8" if value.dtype == torch.float64 else "f4")


def rounded(value: Tensor, dtype: str) -> Tensor:
    """The values as `dtype` keeps them, in their own type; one that is too large for float16 leaves them all as they are."""
    small = value.to(TYPES[dtype]).to(value.dtype)
    return small if torch.equal(torch.isfinite(small), torch.isfinite(value)) else value


def packed_as(value: Tensor, dtype: str) -> Packed:
    """In this type, or in full where that is smaller or the values do not fit."""
    value = rounded(value.detach().cpu(), dtype)
    small = value.to(TYPES[dtype])
    return written(small, dtype) if torch.equal(small.to(value.dtype), value) else packed(value)


def levelled(value: Tensor, dtype: str, shown: Tensor | None = None) -> Packed:
    """A matrix in equal steps from the least to the greatest value of each column, u1 or u2.

    `error` holds how far a restored value may be from what it stands for, column by column: from `shown`, of which `value` has the means
    over several rows each, or else from `value`. What is infinite or no number becomes no number.
    """
    value = value.detach().cpu().double()
    low, high = bounds(value)
    made = written(levels(value, low, high, dtype), dtype) | {"low": packed(low.float()), "high": packed(high.float())}
    found, wanted = restored(made), value if shown is None else shown.detach().cpu().double()
    every = -(-len(wanted) // max(1, len(found)))
    difference = (found.repeat_interleave(every, 0)[: len(wanted)] - wanted).abs().nan_to_num(0.0, 0.0)
    error = difference.amax(0) if len(wanted) else torch.zeros_like(low)
    return made | {"error": packed(torch.nextafter(error.float(), torch.tensor(torch.inf)))}


def bounds(value: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest finite value of each column, as float32 holds them; 0 where there is none."""
    finite = torch.isfinite(value)
    low = value.where(finite, torch.inf).amin(0) if len(value) else value.new_zeros(value.shape[1])
    high = value.where(finite, -torch.inf).amax(0) if len(value) else value.new_zeros(value.shape[1])
    some = finite.any(0)
    return low.where(some, 0.0).float().double(), high.where(some, 0.0).float().double()


def levels(value: Tensor, low: Tensor, high: Tensor, dtype: str) -> Tensor:
    most = MISSING[dtype] - 1
    span = high - low
    steps = ((value - low) * (most / span.where(span > 0, torch.inf))).round().clamp(0, most)
    return torch.where(torch.isfinite(value), steps, float(MISSING[dtype])).to(torch.int32).to(TYPES[dtype])


def restored(pack: Packed) -> Tensor:
    """The numbers again, as the page makes them, float64."""
    data = bytearray(base64.b64decode(pack["data"]))
    value = (torch.frombuffer(data, dtype=TYPES[pack["dtype"]]) if data else torch.empty(0)).double().reshape(pack["shape"])
    if pack["dtype"] not in MISSING:
        return value
    missing = MISSING[pack["dtype"]]
    low, high = (
        restored(end) if isinstance(end, dict) else torch.tensor(end, dtype=torch.float64)
        for end in (pack["low"], pack["high"])
    )
    return torch.where(value == missing, torch.nan, low + (high - low) / (missing - 1) * value)


def written(value: Tensor, dtype: str) -> Packed:
    order = value.contiguous().numpy()
    data = order.astype(order.dtype.newbyteorder("<")).tobytes()
    return {"shape": list(value.shape), "dtype": dtype, "data": base64.b64encode(data).decode()}


def size(numbers: int, dtype: str = "f4") -> int:
    """The length of packed numbers, in characters."""
    return (numbers * int(dtype[1]) + 2) // 3 * 4
