"""What watches over a training: exact resume, gates in TensorBoard, a warning of saturated gates, a sample of the text."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.random import SeedSequence
from torch import Tensor

from byhand.record import record
from byhand.tasks.task import Sequences
from byhand.trace import Trace
from byhand.train.model import SequenceModel
from byhand.train.pictures import characters_of, is_due, pictures

LOG = logging.getLogger(__name__)


class Reproducible(Callback):
    """Random numbers of a step (dropout, zoneout) depend on seed, step and process only: to stop and go on, at the end of an epoch,
    gives the weights of a training that never stopped, bit for bit.

    Args:
        seed: the one of the training.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int) -> None:
        key = (self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        torch.manual_seed(int(SeedSequence(key).generate_state(1, "uint64")[0] >> 1))


class Gates(Callback):
    """Looks into the layers at the first batch of a validation, every so many epochs.

    Logs to TensorBoard, for every site of every layer, a histogram, and for those between 0 and 1 the share of values within 0.05
    of either end.

    Args:
        every_n_epochs: how often.
        warn: of a gate that is saturated in this share of its values or more.
        pictures: log those of byhand.plots, too: gates and memories of each layer and the saturation of all, in epochs 0, 1, 2, 4, 8,
            ... of those.
    """

    def __init__(self, every_n_epochs: int = 1, warn: float = 0.98, pictures: bool = True) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"Gates expected every_n_epochs of at least 1, got {every_n_epochs}")
        self.every_n_epochs, self.warn, self.pictures = every_n_epochs, warn, pictures
        self.warned: set[str] = set()

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Sequences, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx or trainer.sanity_checking or trainer.current_epoch % self.every_n_epochs:
            return
        assert isinstance(pl_module, SequenceModel)
        with torch.no_grad(), record(pl_module.lstm) as trace:
            pl_module(batch.input, batch.lengths)
        for name in trace:
            values = trace[name]
            self.look(trainer, name, values[~values.isnan()], gate=name.rpartition(".")[2] in pl_module.lstm.cell.gates)
        if self.pictures and is_due(trainer.current_epoch // self.every_n_epochs):
            self.draw(trainer, trace, characters_of(pl_module.form, batch))

    def draw(self, trainer: L.Trainer, trace: Trace, characters: str | None) -> None:
        if isinstance(trainer.logger, TensorBoardLogger) and trainer.is_global_zero:
            for name, figure in pictures(trace, characters):
                trainer.logger.experiment.add_figure(f"pictures/{name}", figure, trainer.global_step)

    def look(self, trainer: L.Trainer, name: str, values: Tensor, *, gate: bool) -> None:
        step, logger = trainer.global_step, trainer.logger
        log = logger.experiment if isinstance(logger, TensorBoardLogger) else None
        if log is not None:
            log.add_histogram(f"sites/{name}", values, step)
        if not gate or values.numel() == 0 or values.min() < 0 or values.max() > 1:  # candidates and the like
            return
        shut, open_ = (values < 0.05).float().mean().item(), (values > 0.95).float().mean().item()
        if log is not None:
            log.add_scalar(f"shut/{name}", shut, step)
            log.add_scalar(f"open/{name}", open_, step)
        for share, word in ((shut, "shut"), (open_, "open")):
            if share >= self.warn and f"{name} {word}" not in self.warned:
                self.warned.add(f"{name} {word}")
                warnings.warn(
                    f"epoch {trainer.current_epoch}: gate {name} is {word} in {share:.0%} of its values: it may have stopped"
                    " learning. A lower learning rate, clipping or another forget_bias may help",
                    stacklevel=2,
                )


class SampleText(Callback):
    """Lets a model of a text write, after the validation of every so many epochs: to TensorBoard, and to the log of Python's logging.

    The text is what `byhand predict` writes: the task says the prompt, how many characters and at which temperature. Other tasks have
    nothing to write, and nothing is done.

    Args:
        every_n_epochs: how often.
    """

    def __init__(self, every_n_epochs: int = 1) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"SampleText expected every_n_epochs of at least 1, got {every_n_epochs}")
        self.every_n_epochs = every_n_epochs

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        task: Any = trainer.datamodule  # type: ignore[attr-defined]
        due = not trainer.sanity_checking and trainer.current_epoch % self.every_n_epochs == 0
        if not due or not trainer.is_global_zero or getattr(task, "writes", None) != "text":
            return
        try:
            text = task.text(pl_module)
        except ValueError as problem:  # it gives NaN, say; that is no reason to end the training
            warnings.warn(f"epoch {trainer.current_epoch}: no sample could be written: {problem}", stacklevel=2)
            return
        LOG.info("epoch %s: %s", trainer.current_epoch, text)
        if isinstance(trainer.logger, TensorBoardLogger):
            indented = "\n".join(f"    {line}" for line in text.splitlines())  # Markdown shows it as it is
            trainer.logger.experiment.add_text("sample", indented, trainer.global_step)


class Reached(Callback):
    """Ends a training as soon as a metric of the validation is good enough.

    Args:
        metric: its name, such as val_mse.
        at_least: where more is better.
        at_most: where less is better.
    """

    def __init__(self, metric: str, at_least: float | None = None, at_most: float | None = None) -> None:
        if (at_least is None) == (at_most is None):
            raise ValueError(f"expected at_least or at_most, one of them; got {at_least} and {at_most}")
        self.metric, self.at_least, self.at_most = metric, at_least, at_most

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        value = trainer.callback_metrics.get(self.metric)
        if value is None or trainer.sanity_checking:
            return
        good = self.at_least <= value if self.at_least is not None else value <= (self.at_most or 0.0)
        trainer.should_stop = trainer.should_stop or bool(good)
