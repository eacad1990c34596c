"""Maps of values as small PNG pictures in the colours of the page, in the light theme."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

RGB = tuple[int, int, int]
WHITE, SLATE, BROWN, TEAL, MISSING = (255, 255, 255), (91, 107, 124), (140, 81, 10), (1, 102, 94), (190, 190, 190)
GATES: dict[str, RGB] = {"f": (0, 114, 178), "i": (0, 158, 115), "g": (230, 159, 0), "o": (204, 121, 167)}
WORDS = (("forget", "f"), ("update", "f"), ("candidate", "g"), ("input", "i"), ("output", "o"))


class Scheme(NamedTuple):
    """What a site is drawn in: colours from its lowest to its highest value, evenly."""

    stops: Sequence[RGB]
    low: float
    high: float


def scheme_of(site: str, label: str, kind: str, value: Tensor, *, memory: bool) -> Scheme:
    """kind: share (0 to 1), signed (-1 to 1) or free."""
    finite = value[value.isfinite()].abs()
    most = finite.max().item() if len(finite) and finite.max() > 0 else 1.0
    gate = site if site in GATES else next((letter for word, letter in WORDS if word in label.lower()), None)
    if memory or gate is None:
        return Scheme((BROWN, WHITE, TEAL), -most, most)
    if kind == "share":
        return Scheme((WHITE, GATES[gate]), 0.0, 1.0)
    reach = 1.0 if kind == "signed" else most
    return Scheme((SLATE, WHITE, GATES[gate]), -reach, reach)


def levels(value: Tensor, scheme: Scheme) -> Tensor:
    """0 to 254 from low to high; 255 for NaN."""
    share = ((value - scheme.low) / (scheme.high - scheme.low)).clamp(0, 1)
    return torch.where(value.isnan(), 255.0, (share.nan_to_num() * 254).round()).to(torch.uint8)


def colour(level: int, stops: Sequence[RGB]) -> RGB:
    if level == 255:  # NaN
        return MISSING
    at = level / 254 * (len(stops) - 1)
    below = min(int(at), len(stops) - 2)
    red, green, blue = (round(a + (b - a) * (at - below)) for a, b in zip(stops[below], stops[below + 1], strict=True))
    return red, green, blue


def png(value: Tensor, scheme: Scheme) -> bytes:
    """Rows and columns as pixels, with a palette. The form: PNG specification, third edition, W3C 2025, sections 5 and 11."""
    pixels = levels(value, scheme)
    height, width = pixels.shape
    rows = b"".join(b"\0" + bytes(row.tolist()) for row in pixels)  # each row unfiltered
    palette = bytes(part for level in range(256) for part in colour(level, scheme.stops))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in chunks)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
