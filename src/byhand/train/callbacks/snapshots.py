"""Snapshots of a training, for the explorer's time-lapse of it."""

from __future__ import annotations

from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import nn

from byhand.nn import LSTM, snapshots
from byhand.trace.layers import layers
from byhand.train.callbacks.interruption import Interrupted

FILE = "snapshots.safetensors"


class SnapshotCallback(Callback):
    """Keeps the weights of a model's LSTM, and of its head, as they were before the training and after every n epochs, in
    RUN/snapshots.safetensors; byhand explore shows them as a time-lapse.

    On the command line: byhand fit --config FILE --trainer.callbacks+=byhand.train.callbacks.SnapshotCallback

    Args:
        every_n_epochs: when one is taken.
        most: how many are kept at most; with more, every second one is dropped.

    Raises:
        ValueError: `every_n_epochs` is below 1, or `most` below 2.
    """

    def __init__(self, every_n_epochs: int = 1, most: int = 64) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"SnapshotCallback expected every_n_epochs of at least 1, got {every_n_epochs}")
        self.every_n_epochs = every_n_epochs
        self.taken = snapshots.Snapshots(most)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.taken = snapshots.Snapshots(self.taken.most)
        self.take(trainer.current_epoch, trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self.take(trainer.current_epoch + 1, trainer, pl_module)

    def take(self, epoch: int, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        loss = trainer.callback_metrics.get("train_loss")
        lstm, head = stack_and_head(pl_module)
        self.taken.take(epoch, lstm, None if loss is None else loss.item(), head=head)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, Interrupted):
            self.on_train_end(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        lstm, head = stack_and_head(pl_module)
        self.taken.take_last(trainer.current_epoch, lstm, head=head)
        folder = trainer.log_dir  # which processes agree on: all of them have to ask
        if trainer.is_global_zero and folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.taken.save(Path(folder) / FILE)


def stack_and_head(model: nn.Module) -> tuple[LSTM, nn.Linear | None]:
    """The one byhand.LSTM inside, and its head if it has that name. ValueError if there are several."""
    stacks = [module for module in layers(model, "SnapshotCallback") if isinstance(module, LSTM)]
    if len(stacks) != 1:
        raise ValueError(f"SnapshotCallback expected one byhand.LSTM inside {type(model).__name__}, got {len(stacks)}")
    head = getattr(model, "head", None)
    return stacks[0], head if isinstance(head, nn.Linear) else None
