"""What watches over a training: exact resume, gates in TensorBoard, a warning of saturated gates, a sample of the text."""

from __future__ import annotations

import logging
import math
import warnings
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from byhand.explain import saturation
from byhand.tasks.generated import derived
from byhand.tasks.task import Sequences
from byhand.trace.record import record
from byhand.train.callbacks.figures import Budget, characters_of, is_due, pictures
from byhand.train.callbacks.histograms import add_histogram
from byhand.train.model.sequence_model import SequenceModel

LOG = logging.getLogger(__name__)


class Reproducible(Callback):
    """Random numbers of a step (dropout, zoneout) depend on seed, step and process only: to stop and go on gives the weights of a
    training that never stopped, bit for bit.

    Args:
        seed: the one of the training.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int) -> None:
        seed = derived(self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        # Where there is no accelerator torch.manual_seed would note for it, at every step, who has asked: 0.3 ms.
        (torch.manual_seed if torch.accelerator.is_available() else torch.default_generator.manual_seed)(seed)


class StopOnNaN(Callback):
    """Ends a training whose loss is no number any more, with what was kept before: nothing more can be learned. ValueError."""

    every = 50  # steps

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % self.every == 0 or trainer.is_last_batch:
            loss = float(trainer.callback_metrics.get("train_loss", 0.0))
            if not math.isfinite(loss):
                raise ValueError(
                    f"the loss is {loss} in epoch {trainer.current_epoch}, step {trainer.global_step}: nothing more can be learned. Try a"
                    " lower --model.learning_rate, or a --model.clip that is not 0"
                )


class AtValidations(Callback):
    """Base of the callbacks that act at the first validation in every n epochs. ValueError for n below one."""

    def __init__(self, every_n_epochs: int) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"{type(self).__name__} expected every_n_epochs of at least 1, got {every_n_epochs}")
        self.every_n_epochs = every_n_epochs
        self.times, self.last = 0, -1  # how often it was done; in which span of epochs last

    def is_due(self, trainer: L.Trainer) -> bool:
        """Once for every span, and not in Lightning's own trial of the validation."""
        span = trainer.current_epoch // self.every_n_epochs
        if trainer.sanity_checking or span == self.last:
            return False
        self.times, self.last = self.times + 1, span
        return True

    def state_dict(self) -> dict[str, int]:
        return {"times": self.times, "last": self.last}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.times, self.last = state_dict["times"], state_dict["last"]


class GateMonitor(AtValidations):
    """Looks into the layers at the first batch of a validation, every n epochs.

    Logs to TensorBoard, for every site of every layer, a histogram, and for every gate how much of its values is below 0.1 (shut) and
    above 0.9 (open).

    Args:
        every_n_epochs: how often; where validations are rarer, at each of them.
        warn: of a gate that is saturated in this share of its values or more.
        pictures: log those of byhand.plots, too: gates and memories of each layer and the saturation of all, the first, second, third,
            fifth, ninth, ... time.

    share: of the training's time that pictures may take; those that would take more wait for a later validation.
    """

    share = math.inf

    def __init__(self, every_n_epochs: int = 1, warn: float = 0.98, pictures: bool = True) -> None:
        super().__init__(every_n_epochs)
        self.warn, self.pictures = warn, pictures
        self.warned: set[str] = set()
        self.budget, self.waiting = Budget(), False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.budget, self.waiting = Budget(self.share), False

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Sequences, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx or not self.is_due(trainer):
            return
        assert isinstance(pl_module, SequenceModel)
        with torch.no_grad(), record(pl_module.lstm) as trace:
            pl_module(batch.input, batch.lengths)
        log = board(trainer)
        if log is not None:
            for name in trace:
                add_histogram(log, f"sites/{name}", trace[name], trainer.global_step)
        for name, shares in saturation(trace, cell=pl_module.lstm.cell).items():
            start = pl_module.gate_start(name.rpartition(".")[2])
            self.judge(trainer, name, float(shares.left.mean()), float(shares.right.mean()), start)
        self.waiting = self.waiting or is_due(self.times - 1)
        if log is not None and self.pictures and self.waiting and self.budget.allows():
            self.waiting = False
            with self.budget.spending():
                for name, figure in pictures(trace, characters_of(pl_module.form, batch)):
                    log.add_figure(f"pictures/{name}", figure, trainer.global_step)

    def judge(self, trainer: L.Trainer, name: str, shut: float, open: float, start: float) -> None:
        """Log and warn. start: where the gate's bias started; one that was started open or shut is not warned of."""
        log = board(trainer)
        for share, word, meant in ((shut, "shut", start < -2), (open, "open", start > 2)):
            if log is not None:
                log.add_scalar(f"{word}/{name}", share, trainer.global_step)
            if not meant and share >= self.warn and f"{name} {word}" not in self.warned:
                self.warned.add(f"{name} {word}")
                warnings.warn(
                    f"epoch {trainer.current_epoch}: gate {name} is {word} in {share:.0%} of its values: it may have stopped"
                    " learning. A lower learning rate, clipping or another forget_bias may help",
                    stacklevel=2,
                )


def board(trainer: L.Trainer) -> Any:
    """TensorBoard, in the one process that writes to it; else None."""
    return trainer.logger.experiment if isinstance(trainer.logger, TensorBoardLogger) and trainer.is_global_zero else None


class SampleText(AtValidations):
    """Lets a model of a text write, after a validation every n epochs: to TensorBoard, and to the log of Python's logging.

    The text is what `byhand predict` writes: the task says the prompt, how many characters and at which temperature. Other tasks have
    nothing to write, and nothing is done.

    Args:
        every_n_epochs: how often; where validations are rarer, at each of them.
    """

    def __init__(self, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        task: Any = trainer.datamodule  # type: ignore[attr-defined]
        if getattr(task, "writes", None) != "text" or not self.is_due(trainer) or not trainer.is_global_zero:
            return
        try:
            text = task.text(pl_module)
        except ValueError as problem:  # it gives NaN, say; that is no reason to end the training
            warnings.warn(f"epoch {trainer.current_epoch}: no sample could be written: {problem}", stacklevel=2)
            return
        LOG.info("epoch %s: %s", trainer.current_epoch, text)
        log = board(trainer)
        if log is not None:
            indented = "\n".join(f"    {line}" for line in text.splitlines())  # Markdown shows it as it is
            log.add_text("sample", indented, trainer.global_step)


class StopWhen(Callback):
    """Ends a training as soon as a metric of the validation is good enough.

    Args:
        metric: its name, such as val_mse.
        at_least: where more is better.
        at_most: where less is better.
        times: in how many validations in succession; more than one where a single one may be luck.
    """

    def __init__(self, metric: str, at_least: float | None = None, at_most: float | None = None, times: int = 1) -> None:
        if (at_least is None) == (at_most is None):
            raise ValueError(f"expected at_least or at_most, one of them; got {at_least} and {at_most}")
        if times < 1:
            raise ValueError(f"expected times of at least 1, got {times}")
        self.metric, self.at_least, self.at_most, self.times = metric, at_least, at_most, times
        self.running = 0  # validations that were good enough, up to now

    @property
    def state_key(self) -> str:
        """Several of these may watch one training."""
        return self._generate_state_key(metric=self.metric, at_least=self.at_least, at_most=self.at_most, times=self.times)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        value = trainer.callback_metrics.get(self.metric)
        if value is None or trainer.sanity_checking:
            return
        good = self.at_least <= value if self.at_least is not None else value <= (self.at_most or 0.0)
        self.running = self.running + 1 if good else 0
        trainer.should_stop = trainer.should_stop or self.running >= self.times

    def state_dict(self) -> dict[str, int]:
        return {"running": self.running}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.running = state_dict["running"]
