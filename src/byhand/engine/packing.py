"""Packed sequences as they lie: at each step the rows of those that go on, the longest first, and nothing in between."""

from __future__ import annotations

from array import array
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor


class Packing(NamedTuple):
    """Where the rows of each step are.

    sizes: how many sequences go on, step by step, as in torch.nn.utils.rnn.PackedSequence. offsets: where each step's rows begin, and,
    at the end, how many rows there are. lengths: the steps of each sequence.
    """

    sizes: list[int]
    offsets: array[int]
    lengths: array[int]

    @property
    def rows(self) -> Int[Tensor, " rows"]:
        """Where each packed row is among those of the padded input, (time * batch)."""
        return self.valid.flatten().nonzero().flatten()

    @property
    def valid(self) -> Bool[Tensor, "time batch"]:
        """False where a sequence has ended."""
        return torch.arange(self.sizes[0]) < torch.tensor(self.sizes).unsqueeze(1)

    def pad(self, data: Float[Tensor, "rows width"]) -> Float[Tensor, "time batch width"]:
        """The rows with zeros where sequences have ended."""
        time, batch = len(self.sizes), self.sizes[0]
        return data.new_zeros(time * batch, data.shape[-1]).index_copy(0, self.rows, data).view(time, batch, -1)

    def unpad(self, values: Float[Tensor, "time batch width"]) -> Float[Tensor, "rows width"]:
        """The rows of sequences that go on."""
        return values.flatten(0, 1).index_select(0, self.rows)


def packing_of(batch_sizes: Tensor, count: int) -> Packing | None:
    """The packing of `count` rows; None if the sizes increase, are 0, or do not add up to the count."""
    sizes: list[int] = batch_sizes.tolist()
    if not sizes or sizes[-1] < 1 or any(one < later for one, later in pairwise(sizes)):
        return None
    offsets, lengths = array("q", accumulate(sizes, initial=0)), array("q")
    for time in range(len(sizes), 0, -1):
        lengths.extend([time] * (sizes[time - 1] - len(lengths)))
    return Packing(sizes, offsets, lengths) if offsets[-1] == count else None
