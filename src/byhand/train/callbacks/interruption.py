"""last.ckpt: how a training stands, at the end of each epoch and when it stops, also by Ctrl-C; it goes on from there to the bit."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint


class Interrupted(Exception):  # noqa: N818 (it is no error)
    """By Ctrl-C, or SIGTERM, as batch systems send it; what was learned is kept. signal: which."""

    def __init__(self, signal: int) -> None:
        super().__init__()
        self.signal = signal


@contextmanager
def interruptions() -> Iterator[None]:
    """Ctrl-C is a KeyboardInterrupt here as elsewhere, which Lightning makes an exit of."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, before)
            raise KeyboardInterrupt from None
        raise


class Last(Checkpoint):
    """Keeps last.ckpt beside the best one, at the end of every epoch and after the last step. (ModelCheckpoint's save_last keeps it
    only when the best one has changed.) To be the last of the callbacks, so that all others are kept as they are then.
    """

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if ends_within_epoch(trainer):
            keep_last(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not ends_within_epoch(trainer):
            keep_last(trainer)


def ends_within_epoch(trainer: L.Trainer) -> bool:
    """Whether all steps are done, and the epoch is not: who goes on with more of them does so in the middle of it."""
    return trainer.global_step == trainer.max_steps and not trainer.is_last_batch


def keep_last(trainer: L.Trainer) -> None:
    keeper = trainer.checkpoint_callback
    if isinstance(keeper, ModelCheckpoint) and keeper.dirpath:
        path = Path(keeper.dirpath) / "last.ckpt"
        trainer.save_checkpoint(path)
        keeper.last_model_path = str(path)


class Interruptible(Callback):
    """At Ctrl-C or SIGTERM the step under way is finished, or the batch of a validation; last.ckpt is kept, and Interrupted raised. A
    second Ctrl-C ends the training at once.

    signal: that was sent; 0 if none was.
    """

    def __init__(self) -> None:
        self.signal = 0
        self.before: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Not before: Lightning notes who listens to signals just before this, and restores that at the end."""
        with suppress(ValueError):  # not in the main thread
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self.note)

    def note(self, number: int, frame: Any) -> None:
        self.signal = number
        signal.signal(signal.SIGINT, self.before[signal.SIGINT])
        print("\nstopping after this step; Ctrl-C again to stop at once", file=sys.stderr, flush=True)

    def agreed(self, trainer: L.Trainer) -> bool:
        """Whether one of the processes was interrupted: all of them have to ask, and stop at the same step."""
        if trainer.world_size > 1 and trainer.strategy.reduce_boolean_decision(bool(self.signal), all=False):
            self.signal = self.signal or signal.SIGINT
        return bool(self.signal)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.agreed(trainer) and not trainer.is_last_batch:  # else the epoch is over: on_train_epoch_end
            keep_last(trainer)
            raise Interrupted(self.signal)

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking and self.agreed(trainer):
            validate_again(trainer)
            keep_last(trainer)
            raise Interrupted(self.signal)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.agreed(trainer):
            trainer.should_stop = True

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.restore()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.restore()

    def restore(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}


class Terminable(Callback):
    """SIGTERM ends a validation, a test or a prediction, which Lightning would go on with: there is nothing to be kept."""

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn != "fit":
            self.listen()

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.listen()

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.listen()

    def listen(self) -> None:
        with suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def validate_again(trainer: L.Trainer) -> None:
    """Who goes on from a checkpoint of now starts with this validation, from its first batch: to Lightning it stands at its first."""
    progress: Any = trainer.fit_loop.epoch_loop.val_loop.batch_progress
    progress.reset()
    progress.total.ready = progress.total.started = 1
