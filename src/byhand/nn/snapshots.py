"""Snapshots: the weights of a layer stack as they were at some epochs of its training, and how the loss went."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from byhand.errors import LoadError
from byhand.files.tensors import UNREADABLE, read_tensors, write_tensors

FORMAT, BEFORE = "byhand snapshots 2", "byhand snapshots 1"
State = dict[str, Tensor]


class Snapshot(NamedTuple):
    """state, head: name -> value of the stack, and of the linear layer on it if there is one."""

    epoch: int
    state: State
    head: State | None


class Snapshots:
    """The weights of a byhand.LSTM over the epochs of its training, for byhand.explore(..., training=snapshots).

    Args:
        most: how many are kept at most, 2 or more; when there are more, every second one is dropped, and from then on half as
            many are taken.

    Attributes:
        kept: the snapshots, by ascending epoch.
        losses: (epoch, loss), of every call that was given a loss.

    Raises:
        ValueError: `most` is below 2.
    """

    def __init__(self, most: int = 64) -> None:
        if most < 2:
            raise ValueError(f"Snapshots expected most of at least 2, got {most}")
        self.most, self.every, self.offered = most, 1, 0
        self.kept: list[Snapshot] = []
        self.losses: list[tuple[int, float]] = []

    def __len__(self) -> int:
        return len(self.kept)

    def __repr__(self) -> str:
        return f"Snapshots({len(self)}{f', epochs {self.epochs[0]} to {self.epochs[-1]}' if self.kept else ''})"

    @property
    def epochs(self) -> list[int]:
        """The epochs of the snapshots that are kept, ascending."""
        return [snapshot.epoch for snapshot in self.kept]

    def take(self, epoch: int, lstm: nn.Module, loss: float | None = None, *, head: nn.Module | None = None) -> None:
        """Keep the weights as they are now; once `most` has been exceeded, those of every second, fourth, ... call only.

        Args:
            epoch: the epoch's number, greater than those before.
            lstm: the LSTM.
            loss: the epoch's loss; kept at every call that gives one.
            head: the linear layer on the LSTM, if there is one.

        Raises:
            ValueError: the epoch does not come after those before.
        """
        before = max([*self.epochs[-1:], *(at for at, _ in self.losses[-1:])], default=None)
        if before is not None and epoch <= before:
            raise ValueError(f"Snapshots expected epochs in ascending order, got {epoch} after {before}")
        if loss is not None:
            self.losses.append((epoch, float(loss)))
        wanted, self.offered = self.offered % self.every == 0, self.offered + 1
        if wanted:
            self._keep(epoch, lstm, head)
        if len(self.kept) > self.most:
            self.every *= 2
            self.kept[:] = self.kept[::2]

    def take_last(self, epoch: int, lstm: nn.Module, *, head: nn.Module | None = None) -> None:
        """Keep the weights that training ended with, unless they are there already.

        Args:
            epoch: the epoch's number.
            lstm: the LSTM.
            head: the linear layer on the LSTM, if there is one.
        """
        if self.epochs[-1:] != [epoch]:
            self._keep(epoch, lstm, head)

    def _keep(self, epoch: int, lstm: nn.Module, head: nn.Module | None) -> None:
        self.kept.append(Snapshot(epoch, copied(lstm), None if head is None else copied(head)))

    def save(self, file: str | Path) -> None:
        """Write them as safetensors, whole or not at all. OSError."""
        content = {
            "most": self.most,
            "every": self.every,
            "offered": self.offered,
            "epochs": self.epochs,
            "losses": self.losses,
        }
        write_tensors(file, FORMAT, self._tensors(), content)

    def _tensors(self) -> State:
        found = {}
        for index, snapshot in enumerate(self.kept):
            found |= {f"{index}/lstm/{name}": value for name, value in snapshot.state.items()}
            found |= {f"{index}/head/{name}": value for name, value in (snapshot.head or {}).items()}
        return found

    @staticmethod
    def load(file: str | Path) -> Snapshots:
        """Read what save wrote. LoadError if the file is anything else."""
        try:
            return read(*read_tensors(file, FORMAT, BEFORE))
        except UNREADABLE as problem:
            raise LoadError(f"{file}: expected snapshots as Snapshots.save wrote them, got: {problem}") from problem


def read(tensors: Mapping[str, Tensor], content: Mapping[str, Any]) -> Snapshots:
    found = Snapshots(content["most"])
    found.every, found.offered = content["every"], content["offered"]
    found.losses = [(int(epoch), float(loss)) for epoch, loss in content["losses"]]
    for index, epoch in enumerate(content["epochs"]):
        head = part(tensors, f"{index}/head/")
        found.kept.append(Snapshot(int(epoch), part(tensors, f"{index}/lstm/"), head or None))
    return found


def part(tensors: Mapping[str, Tensor], start: str) -> State:
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def copied(module: nn.Module) -> State:
    """Its values, on the CPU, apart from it."""
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in module.state_dict().items()
    }
