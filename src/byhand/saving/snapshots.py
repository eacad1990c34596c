"""Snapshots: the weights of a layer stack as they were at some epochs of its training, and how the loss went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from byhand.saving.model_folder import LoadError, digest, sync, write_through

FORMAT = "byhand snapshots 1"


class Snapshots:
    """The state_dicts of a byhand.LSTM over the epochs of a training, for byhand.explore(..., training=snapshots).

    most: so many are kept at most; when there are more, every second one is dropped, and from then on half as many are taken.
    epochs: of the snapshots, ascending. states, heads: name -> value, of the stack and of the linear layer on it (or None).
    losses: (epoch, loss), of every call that told one.
    """

    def __init__(self, most: int = 64) -> None:
        if most < 2:
            raise ValueError(f"Snapshots expected most of at least 2, got {most}")
        self.most, self.every = most, 1
        self.epochs: list[int] = []
        self.states: list[dict[str, Tensor]] = []
        self.heads: list[dict[str, Tensor] | None] = []
        self.losses: list[tuple[int, float]] = []
        self._taken = 0

    def __len__(self) -> int:
        return len(self.epochs)

    def __repr__(self) -> str:
        span = f", epochs {self.epochs[0]} to {self.epochs[-1]}" if self.epochs else ""
        return f"Snapshots({len(self)}{span})"

    def take(self, epoch: int, lstm: nn.Module, loss: float | None = None, *, head: nn.Module | None = None) -> None:
        """Keep the weights as they are now. ValueError for an epoch that does not come after the last one."""
        before = max([*self.epochs[-1:], *(told for told, _ in self.losses[-1:])], default=None)
        if before is not None and epoch <= before:
            raise ValueError(f"Snapshots expected epochs in ascending order, got {epoch} after {before}")
        if loss is not None:
            self.losses.append((epoch, float(loss)))
        wanted, self._taken = self._taken % self.every == 0, self._taken + 1
        if not wanted:
            return
        self.epochs.append(epoch)
        self.states.append(copied(lstm))
        self.heads.append(None if head is None else copied(head))
        if len(self) > self.most:
            self.every *= 2
            for kept in (self.epochs, self.states, self.heads):
                kept[:] = kept[::2]

    def last(self, epoch: int, lstm: nn.Module, *, head: nn.Module | None = None) -> None:
        """Keep the weights that training ended with, whichever epochs were kept. Nothing if they are there."""
        if self.epochs and self.epochs[-1] == epoch:
            return
        self.epochs.append(epoch)
        self.states.append(copied(lstm))
        self.heads.append(None if head is None else copied(head))

    def save(self, file: str | Path) -> None:
        """Write them as safetensors, whole or not at all. OSError."""
        path = Path(file)
        tensors = {f"{index}/lstm/{name}": value for index, state in enumerate(self.states) for name, value in state.items()}
        for index, head in enumerate(self.heads):
            tensors |= {f"{index}/head/{name}": value for name, value in (head or {}).items()}
        content: dict[str, Any] = {"format": FORMAT, "most": self.most, "every": self.every, "taken": self._taken}
        content |= {"epochs": self.epochs, "losses": self.losses, "heads": [head is not None for head in self.heads]}
        content["sha256"] = digest(safetensors.torch.save(tensors))
        new = path.with_name(f".{path.name}.saving")
        try:
            write_through(new, safetensors.torch.save(tensors, {"byhand": json.dumps(content)}))
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
        sync(path.parent)

    @staticmethod
    def load(file: str | Path) -> Snapshots:
        """Read what save wrote. LoadError if the file is anything else."""
        try:
            tensors = safetensors.torch.load(Path(file).read_bytes())
            with safetensors.safe_open(file, "pt") as opened:
                content = json.loads((opened.metadata() or {})["byhand"])
            if content["format"] != FORMAT or content["sha256"] != digest(safetensors.torch.save(tensors)):
                raise ValueError("bytes that differ from what was written")
            return read(tensors, content)
        except (OSError, KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as problem:
            raise LoadError(f"{file}: expected snapshots as Snapshots.save wrote them, got: {problem}") from problem


def read(tensors: Mapping[str, Tensor], content: Mapping[str, Any]) -> Snapshots:
    found = Snapshots(content["most"])
    found.every, found._taken = content["every"], content["taken"]
    found.epochs = [int(epoch) for epoch in content["epochs"]]
    found.losses = [(int(epoch), float(loss)) for epoch, loss in content["losses"]]
    found.states = [part(tensors, f"{index}/lstm/") for index in range(len(found.epochs))]
    found.heads = [part(tensors, f"{index}/head/") if there else None for index, there in enumerate(content["heads"])]
    return found


def part(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def copied(module: nn.Module) -> dict[str, Tensor]:
    """Its values, on the CPU, apart from it."""
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in module.state_dict().items()
    }
