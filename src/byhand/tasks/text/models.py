"""What a text can be guessed with, without a network: a compressor, and counting."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int


def gzip_bits(test: str, train: str) -> tuple[float, str]:
    """Bits per character of the test part under gzip -9, and how: alone, or as what the file grows by behind the training part; the
    fewer. gzip remembers the last 32768 bytes.
    """
    alone = len(gzip.compress(test.encode(), 9, mtime=0))
    before = len(gzip.compress(train.encode(), 9, mtime=0))
    behind = max(0, len(gzip.compress((train + test).encode(), 9, mtime=0)) - before)
    how = "alone" if alone <= behind else "behind the training part"
    return min(alone, behind) * 8 / len(test), how


def counting_bits(
    train: Int[np.ndarray, " train"],
    test: Int[np.ndarray, " test"],
    before: Int[np.ndarray, " before"],
    order: int,
    symbols: int,
) -> float:
    """Bits per symbol of the test part under an interpolated n-gram model of this order, counted on the training part.

    before: at least order − 1 symbols in front of the test part. symbols: how many different ones there may be.

    With h the order − 1 symbols before s, h′ the same without the first, N(h) how often h came, N(h s) how often s behind it and
    T(h) how many different symbols came behind it:

        P(s | h) = (N(h s) + T(h) · P(s | h′)) / (N(h) + T(h))      P(s | h′) where h never came

    down to P(s) alone, which falls back on 1 / symbols. Witten & Bell, The Zero-Frequency Problem, IEEE Transactions on Information
    Theory 37(4), 1991; interpolated as in Chen & Goodman, An Empirical Study of Smoothing Techniques, 1996.
    """
    joined = np.concatenate((before[len(before) - order + 1 :], test)).astype(np.int64)
    train, test = train.astype(np.int64), joined[order - 1 :]
    chance = np.full(len(test), 1 / symbols)
    seen, asked = np.zeros(len(train), np.int64), np.zeros(len(test), np.int64)  # what stands before each symbol, numbered
    for length in range(min(order, len(train))):  # longer histories never came
        if length:  # one symbol more
            older, wanted = train[: len(train) - length], joined[order - 1 - length : len(joined) - length]
            seen, asked = renumbered(seen[-len(older) :] * symbols + older, asked * symbols + wanted)
        chance = one_order(seen, train[len(train) - len(seen) :], asked, test, chance)
    return float(-np.log2(chance).mean())


def one_order(
    seen: Any, followed: Any, asked: Any, test: Any, chance: Float[np.ndarray, " test"]
) -> Float[np.ndarray, " test"]:
    """The formula above. seen, followed: histories of the training part and what came; asked, test: those of the test part."""
    symbols = int(max(followed.max(), test.max())) + 1
    pairs, often = np.unique(seen * symbols + followed, return_counts=True)
    histories = int(max(seen.max(), asked.max())) + 1
    came, kinds = np.bincount(seen, minlength=histories)[asked], np.bincount(pairs // symbols, minlength=histories)[asked]
    wanted = asked * symbols + test
    at = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    count = np.where(pairs[at] == wanted, often[at], 0)
    return np.where(came > 0, (count + kinds * chance) / np.maximum(came + kinds, 1), chance)


def renumbered(one: Any, other: Any) -> tuple[Any, Any]:
    """Both with the same numbers from 0, without holes, so that products stay small."""
    _, numbers = np.unique(np.concatenate((one, other)), return_inverse=True)
    return numbers[: len(one)], numbers[len(one) :]
