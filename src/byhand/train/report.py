"""What a training or a test has come to, in a few lines at its end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.table import Table

from byhand.tasks.task import Task
from byhand.train.last import Interrupted
from byhand.train.progress import until_nobody_reads


class Report(Callback):
    """After a test the metrics beside those of who only guesses; after a training where it is kept and how to go on. To be behind the
    progress bar among the callbacks: it speaks when that is gone.
    """

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if trainer.state.fn == "fit":
            self.tell_how_to_go_on(trainer)
        elif trainer.state.fn in ("validate", "test") and trainer.is_global_zero:
            task: Any = getattr(trainer, "datamodule", None)
            part = "test" if trainer.state.fn == "test" else "val"
            Console().print(table(part, {name: float(value) for name, value in trainer.callback_metrics.items()}, task))

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, Interrupted):
            self.tell_how_to_go_on(trainer)

    def tell_how_to_go_on(self, trainer: L.Trainer) -> None:
        keeper: Any = trainer.checkpoint_callback
        folder = trainer.log_dir  # which processes agree on: all of them have to ask
        if not trainer.is_global_zero or keeper is None or folder is None:
            return
        with until_nobody_reads():
            self.tell_of(folder, keeper, trainer)

    def tell_of(self, folder: str, keeper: Any, trainer: L.Trainer) -> None:
        print(f"{trainer.global_step} steps in {trainer.current_epoch} epochs; log in {folder}")
        best, last = keeper.best_model_path or keeper.last_model_path, keeper.last_model_path
        config = Path(folder) / "config.yaml"
        if best and config.is_file():
            print("test it: ", shlex.join(["byhand", "test", "--config", str(config), "--ckpt_path", relative(best)]))
        if last and config.is_file():
            print("go on:   ", shlex.join(["byhand", "fit", "--config", str(config), "--ckpt_path", relative(last)]))


def relative(path: str) -> str:
    """To the folder that one is in, if it is below that."""
    place, here = Path(path), Path.cwd()
    return str(place.relative_to(here)) if place.is_absolute() and place.is_relative_to(here) else path


def table(part: str, metrics: dict[str, float], task: Task) -> Table:
    """A row for the model and, of the test part, for each guess; a column a metric."""
    found = {name.removeprefix(f"{part}_"): value for name, value in metrics.items() if name.startswith(f"{part}_")}
    shown = Table("", *found)
    shown.add_row("the model", *(f"{value:.4g}" for value in found.values()))
    for who, guess in task.baselines.items() if part == "test" else ():
        shown.add_row(who, *(f"{guess[name]:.4g}" if name in guess else "" for name in found))
    return shown
