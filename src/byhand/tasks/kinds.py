"""The kinds of task: drawn anew for every batch, or stored."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from numpy.random import SeedSequence
from torch import Tensor

from byhand.tasks.task import PARTS, Part, Sequences, Task, at_least


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


class Stored(Task):
    """The same sequences in every epoch; those for training in an order drawn anew for each.

    data: of each part, sequences of one length.
    """

    data: Mapping[Part, Sequences]
    shuffle = True

    def count(self, part: Part, size: int) -> int:
        return -(-self.data[part].input.shape[1] // size)

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        data = self.data[part]
        all_of_them = data.input.shape[1]
        order = torch.arange(all_of_them)
        if part == "train" and self.shuffle:
            order = torch.randperm(all_of_them, generator=generator(self.seed, epoch))
        return take(data, order[index * size : (index + 1) * size], every=self.form.every)


def take(data: Sequences, rows: Tensor, *, every: bool) -> Sequences:
    """These sequences of all."""
    return Sequences(
        data.input.index_select(1, rows),
        data.target.index_select(1 if every else 0, rows),
        None if data.lengths is None else data.lengths[rows],
        None if data.legal is None else data.legal.index_select(1, rows),
    )
