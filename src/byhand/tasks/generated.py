"""The kinds of task: drawn again for every batch, or stored."""

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
    return torch.Generator().manual_seed(derived(*key))


def derived(*key: int) -> int:
    """A seed for a key; different keys give unrelated ones."""
    return int(SeedSequence(key).generate_state(1, "uint64")[0] >> 1)


class Generated(Task):
    """Every batch of the training is drawn when it is asked for, so that no sequence comes twice; the other parts are drawn once, and
    are the same whatever the size of the batches.

    batches: of an epoch. sequences: of the validation and of the test part.
    """

    def __init__(self, batch_size: int, batches: int, sequences: int, seed: int) -> None:
        super().__init__(batch_size, seed)
        at_least("batches", batches, 1)
        at_least("sequences", sequences, 1)
        self.batches, self.sequences = batches, sequences
        self._drawn: dict[Part, Sequences] = {}

    @abstractmethod
    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        """Draw `count` sequences; all randomness comes from the source."""

    def count(self, part: Part, size: int) -> int:
        return self.batches if part == "train" else -(-self.sequences // size)

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        if part == "train":
            return self.draw(size, generator(self.seed, PARTS.index(part), epoch, index), part)
        if part not in self._drawn:
            self._drawn[part] = self.draw(self.sequences, generator(self.seed, PARTS.index(part)), part)
        rows = torch.arange(index * size, min((index + 1) * size, self.sequences))
        return trimmed(take(self._drawn[part], rows, every=self.form.every), every=self.form.every)


class Indexed(Task):
    """The same sequences in every epoch, found by number; those for training in an order drawn again for each epoch."""

    shuffle = True
    _order: tuple[int, Int[Tensor, " sequences"]] | None = None

    @abstractmethod
    def total(self, part: Part) -> int:
        """How many sequences the part has."""

    @abstractmethod
    def pick(self, part: Part, rows: Int[Tensor, " batch"]) -> Sequences:
        """Those of these numbers, from 0."""

    def count(self, part: Part, size: int) -> int:
        return -(-self.total(part) // size)

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        first, last = index * size, min((index + 1) * size, self.total(part))
        rows = self.order(epoch)[first:last] if part == "train" and self.shuffle else torch.arange(first, last)
        return self.pick(part, rows)

    def order(self, epoch: int) -> Int[Tensor, " sequences"]:
        """Of the training part; that of the last epoch asked for is kept."""
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, torch.randperm(self.total("train"), generator=generator(self.seed, epoch))
        return self._order[1]


class Stored(Indexed):
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


def trimmed(batch: Sequences, *, every: bool) -> Sequences:
    """Without the steps that lie past the end of all of its sequences; without lengths where none ends before the others."""
    if batch.lengths is None:
        return batch
    steps = int(batch.lengths.max())
    return batch._replace(
        input=batch.input[:steps],
        target=batch.target[:steps] if every else batch.target,
        lengths=None if bool((batch.lengths == steps).all()) else batch.lengths,
        legal=None if batch.legal is None else batch.legal[:steps],
    )
