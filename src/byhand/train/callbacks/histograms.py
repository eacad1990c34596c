"""Histograms in TensorBoard's own bins, counted without numpy's dot product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def add_histogram(board: Any, name: str, values: Tensor, step: int) -> None:
    """Log what `SummaryWriter.add_histogram` logs, of the values that are finite; nothing if none is.

    That one sums the squares by numpy's dot product, whose threads spin for some milliseconds after each call and slow down torch's: a
    small model loses more time by it than by its training.
    """
    numbers = values.detach().cpu().double().flatten().numpy()
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return
    edges = np.asarray(board.default_bins)
    counts, _ = np.histogram(numbers.clip(edges[0], edges[-1]), edges)  # what is beyond ±1e20 counts in the outermost bin
    (filled,) = counts.nonzero()
    first, last = int(filled[0]), int(filled[-1]) + 1
    # A bin is named by its upper end alone; so that the lowest has a lower end an empty one stands before it.
    board.add_histogram_raw(
        name,
        min=numbers.min(),
        max=numbers.max(),
        num=len(numbers),
        sum=numbers.sum(),
        sum_squares=np.square(numbers).sum(),
        bucket_limits=edges[first : last + 1].tolist(),
        bucket_counts=[0, *counts[first:last].tolist()],
        global_step=step,
    )
