"""Notes how long a fit took, without the start of its process, and where it ended."""

from __future__ import annotations

import json
import time
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback

FILE = "fit.json"  # in the folder that the process runs in


class FitClock(Callback):
    """From the trainer's set-up to its end: seconds, steps, and the last metrics."""

    start = 0.0

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:  # noqa: ARG002
        self.start = time.perf_counter()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:  # noqa: ARG002
        found = {"seconds": time.perf_counter() - self.start, "steps": trainer.global_step}
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        Path(FILE).write_text(json.dumps(found | {"metrics": metrics}), encoding="utf-8")
