"""A bar where there is a terminal, plain lines where there is none."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar, RichProgressBar

FRAMES = 10  # a second


def progress() -> ProgressBar:
    """Of rich on a terminal; else lines."""
    return Bar(refresh_rate=FRAMES) if sys.stdout.isatty() else Lines()


class Bar(RichProgressBar):
    """Lightning's bar, updated only as often as it draws: at every step this costs a small model a tenth of a millisecond."""

    updated = 0.0

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if now - self.updated >= 1 / FRAMES or trainer.is_last_batch:
            self.updated = now
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)


class Lines(ProgressBar):
    """Print a line at each validation, and every `seconds` seconds in between."""

    def __init__(self, seconds: float = 30.0) -> None:
        super().__init__()
        self.seconds, self.printed = seconds, 0.0
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False

    def enable(self) -> None:
        self.enabled = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.printed = time.monotonic()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if time.monotonic() - self.printed > self.seconds:
            self.tell(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.tell(trainer)

    def tell(self, trainer: L.Trainer) -> None:
        self.printed = time.monotonic()
        if self.enabled:
            values = "  ".join(f"{name} {float(value):.4g}" for name, value in sorted(trainer.callback_metrics.items()))
            with until_nobody_reads():
                print(f"epoch {trainer.current_epoch}  step {trainer.global_step}  {values}")


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """Who reads the lines may go away, as head does; the training goes on."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
