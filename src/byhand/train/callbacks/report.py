"""The results of a training or a test, in a few lines at its end."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.table import Table

from byhand.tasks.task import Task
from byhand.train.callbacks.advice import advised
from byhand.train.callbacks.doors import doors, relative
from byhand.train.callbacks.interruption import Interrupted
from byhand.train.callbacks.progress import until_nobody_reads
from byhand.train.cli.resume import Kept


class Report(Callback):
    """After a test the metrics beside those of the baselines, and advice if one of these is better; after a training where it is kept
    and how to go on; after both what else can be done with the model. To be behind the progress bar among the callbacks: it speaks when
    that is gone.

    Args:
        kept: what the checkpoint that is tested says of its training.
    """

    def __init__(self, kept: Kept | None = None) -> None:
        self.kept = kept

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if trainer.state.fn == "fit":
            self.tell_how_to_go_on(trainer, pl_module)
        elif trainer.state.fn in ("validate", "test") and trainer.is_global_zero:
            task: Any = getattr(trainer, "datamodule", None)
            part = "test" if trainer.state.fn == "test" else "val"
            found = {name: float(value) for name, value in trainer.callback_metrics.items()}
            Console().print(table(part, found, task))
            if part == "test" and self.kept is not None:
                advice = advised(task, of_part(part, found), self.kept, pl_module, trainer.max_steps)
                if advice:
                    print(advice)
                self.print_doors(task, self.kept.settings, self.kept.path)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, Interrupted):
            self.tell_how_to_go_on(trainer, pl_module)

    def tell_how_to_go_on(self, trainer: L.Trainer, model: L.LightningModule) -> None:
        folder = trainer.log_dir  # which processes agree on: all of them have to ask
        if not trainer.is_global_zero:
            return
        with until_nobody_reads():
            if trainer.fast_dev_run:  # type: ignore[attr-defined]
                print(f"a trial of {trainer.global_step} steps, and a validation; nothing is kept")
            elif folder is not None:
                print(f"{trainer.global_step} steps in {trainer.current_epoch} epochs; log in {folder}")
                self.print_what_is_kept(folder, trainer, model)

    def print_what_is_kept(self, folder: str, trainer: Any, model: L.LightningModule) -> None:
        keeper = trainer.checkpoint_callback
        if keeper is None:
            return
        best, last = keeper.best_model_path or keeper.last_model_path, keeper.last_model_path
        config = Path(folder) / "config.yaml"
        if best and config.is_file():
            print("test it: ", typed("test", config, best))
        if last and config.is_file():
            print("go on:   ", typed("fit", config, last))
        if best:
            self.print_doors(trainer.datamodule, model.hparams, best)

    def print_doors(self, task: Task, settings: Mapping[str, Any], checkpoint: str) -> None:
        for one in doors(task, settings, checkpoint):
            print(one)


def typed(command: str, config: Path, checkpoint: str) -> str:
    """What to type."""
    return shlex.join(["byhand", command, "--config", relative(config), "--ckpt_path", relative(Path(checkpoint))])


def of_part(part: str, metrics: dict[str, float]) -> dict[str, float]:
    """Those of this part, by their names without it."""
    return {name.removeprefix(f"{part}_"): value for name, value in metrics.items() if name.startswith(f"{part}_")}


def table(part: str, metrics: dict[str, float], task: Task) -> Table:
    """A row for the model and, of the test part, for each guess; a column a metric."""
    found = of_part(part, metrics)
    shown = Table("", *found)
    shown.add_row("the model", *(f"{value:.4g}" for value in found.values()))
    for who, guess in task.baselines.items() if part == "test" else ():
        shown.add_row(who, *(f"{guess[name]:.4g}" if name in guess else "" for name in found))
    return shown
