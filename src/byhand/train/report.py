"""What a training or a test has come to, in a few lines at its end."""

from __future__ import annotations

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.table import Table

from byhand.tasks.task import Task
from byhand.train.last import Interrupted


class Report(Callback):
    """After a test the metrics beside those of who only guesses; after a training where it is kept and how to go on."""

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.tell(trainer, "test")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn != "fit":
            self.tell(trainer, "val")

    def tell(self, trainer: L.Trainer, part: str) -> None:
        task: Any = getattr(trainer, "datamodule", None)
        if trainer.is_global_zero:
            Console().print(table(part, {name: float(value) for name, value in trainer.callback_metrics.items()}, task))

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.tell_how_to_go_on(trainer)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, Interrupted):
            self.tell_how_to_go_on(trainer)

    def tell_how_to_go_on(self, trainer: L.Trainer) -> None:
        keeper: Any = trainer.checkpoint_callback
        folder = trainer.log_dir  # which processes agree on: all of them have to ask
        if not trainer.is_global_zero or keeper is None:
            return
        print(f"{trainer.global_step} steps in {trainer.current_epoch} epochs; log in {folder}")
        best = keeper.best_model_path or keeper.last_model_path
        if best:
            print(f"test it:  byhand test --config {folder}/config.yaml --ckpt_path {best}")
            print(f"go on:    byhand fit --config {folder}/config.yaml --ckpt_path {keeper.last_model_path or best}")


def table(part: str, metrics: dict[str, float], task: Task) -> Table:
    """A row for the model and, of the test part, for each guess; a column a metric."""
    found = {name.removeprefix(f"{part}_"): value for name, value in metrics.items() if name.startswith(f"{part}_")}
    shown = Table("", *found)
    shown.add_row("the model", *(f"{value:.4g}" for value in found.values()))
    for who, guess in task.baselines.items() if part == "test" else ():
        shown.add_row(who, *(f"{guess[name]:.4g}" if name in guess else "" for name in found))
    return shown
