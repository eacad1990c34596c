"""What predict writes: a table of answers as CSV, or a text."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from byhand.saving.whole_file import write_whole
from byhand.tasks.task import Sequences, Task


class Predictions(Callback):
    """Collects the rows of all batches and writes them at the end, whole or not at all."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{path}: expected a file in a folder that exists, and {self.path.parent} does not")
        self.rows: list[dict[str, Any]] = []

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
            before = self.rows[-1]["sequence"] + 1 if self.rows else 0
            self.rows += [row | {"sequence": row["sequence"] + before} for row in task.rows(batch, outputs)]

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        task: Any = trainer.datamodule  # type: ignore[attr-defined]
        if task.writes == "text":
            write_whole(self.path, task.text(pl_module).encode())
            print(f"text written to {self.path}")
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_whole(self.path, text.getvalue().encode())
        print(f"{len(self.rows)} rows written to {self.path}")
