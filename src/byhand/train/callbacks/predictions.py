"""What predict writes: a table of answers as CSV, or a text."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from byhand.files.atomic import write_whole
from byhand.tasks import Table
from byhand.tasks.task import Sequences, Task

SHOWN = 12  # rows of a forecast that are printed, too


class Share(NamedTuple):
    """What one process had of a batch: how many sequences, and the rows that are made of them."""

    sequences: int
    rows: list[dict[str, Any]]


class Predictions(Callback):
    """Collects the rows of all batches and writes them at the end, whole or not at all."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{path}: expected a file in a folder that exists, and {self.path.parent} does not")
        self.shares: list[Share] = []  # of each batch

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Sequences,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        task: Any = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(task, Task)
        if task.writes == "csv":
            self.shares.append(Share(batch.input.shape[1], list(task.rows(batch, outputs))))

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        task: Any = trainer.datamodule  # type: ignore[attr-defined]
        shares = self.gathered(trainer)
        if not trainer.is_global_zero:
            return
        if task.writes == "text":
            write_whole(self.path, task.text(pl_module).encode())
            print(f"text written to {self.path}")
            return
        rows = numbered(shares)
        write_whole(self.path, as_csv(rows).encode())
        if isinstance(task, Table) and task.predicted == "future":
            print(as_csv(without_gaps(rows[:SHOWN])) + "...\n" * (len(rows) > SHOWN), end="")
        print(f"{len(rows)} rows written to {self.path}")

    def gathered(self, trainer: L.Trainer) -> list[Share]:
        """The rows of every process's share of each batch, in order. All processes have to ask."""
        if trainer.world_size == 1:
            return self.shares
        everyone: list[Any] = [None] * trainer.world_size
        torch.distributed.all_gather_object(everyone, self.shares)
        return [share for batch in zip(*everyone, strict=True) for share in batch]


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A row each, below their names."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def without_gaps(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Without the columns in which nothing stands, such as the targets of a future; floats to seven digits, which is what they are."""
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    return [{name: f"{row[name]:.7g}" if isinstance(row[name], float) else row[name] for name in names} for row in rows]


def numbered(shares: Iterable[Share]) -> list[dict[str, Any]]:
    """All rows, with sequences numbered through, not from 0 in every share."""
    rows: list[dict[str, Any]] = []
    before = 0
    for share in shares:
        rows += [row | {"sequence": row["sequence"] + before} for row in share.rows]
        before += share.sequences
    return rows
