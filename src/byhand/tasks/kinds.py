"""The kinds of task: drawn anew for every batch, or stored."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from numpy.random import SeedSequence
from torch import Tensor

from byhand.tasks.task import PARTS, Part, Sequences, Task, at_least

if TYPE_CHECKING:
    from jaxtyping import Int


def generator(*key: int) -> torch.Generator:
    """A source of random numbers that depends on the key alone; different keys give unrelated ones."""
    return torch.Generator().manual_seed(int(SeedSequence(key).generate_state(1, "uint64")[0] >> 1))


class Generated(Task):
    """Every batch is drawn when it is asked for; a training never sees a sequence twice.

    batches: of an epoch. sequences: of the validation and of the test part.
    """

    def __init__(self, batch_size: int, batches: int, sequences: int, seed: int) -> None:
        super().__init__(batch_size, seed)
        at_least("batches", batches, 1)
        at_least("sequences", sequences, 1)
        self.batches, self.sequences = batches, sequences

    @abstractmethod
    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        """So many sequences; all randomness comes from the source."""

    def count(self, part: Part, size: int) -> int:
        return self.batches if part == "train" else -(-self.sequences // size)

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        left = size if part == "train" else min(size, self.sequences - index * size)
        return self.draw(left, generator(self.seed, PARTS.index(part), epoch, index), part)


class Numbered(Task):
    """The same sequences in every epoch, found by number; those for training in an order drawn anew for each."""

    shuffle = True

    @abstractmethod
    def total(self, part: Part) -> int:
        """How many sequences the part has."""

    @abstractmethod
    def pick(self, part: Part, rows: Int[Tensor, " batch"]) -> Sequences:
        """Those of these numbers, from 0."""

    def count(self, part: Part, size: int) -> int:
        return -(-self.total(part) // size)

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        order = torch.arange(self.total(part))
        if part == "train" and self.shuffle:
            order = torch.randperm(len(order), generator=generator(self.seed, epoch))
        return self.pick(part, order[index * size : (index + 1) * size])


class Stored(Numbered):
    """All sequences are kept as they are handed out.

    data: of each part, sequences of one length.
    """

    data: Mapping[Part, Sequences]

    def total(self, part: Part) -> int:
        return self.data[part].input.shape[1]

    def pick(self, part: Part, rows: Int[Tensor, " batch"]) -> Sequences:
        return take(self.data[part], rows, every=self.form.every)


def take(data: Sequences, rows: Tensor, *, every: bool) -> Sequences:
    """These sequences of all."""
    return Sequences(
        data.input.index_select(1, rows),
        data.target.index_select(1 if every else 0, rows),
        None if data.lengths is None else data.lengths[rows],
        None if data.legal is None else data.legal.index_select(1, rows),
        None if data.origin is None else data.origin[rows],
    )
