"""What test_two_processes.py runs, alone and under torchrun: trainings of tasks that share out unevenly.

    python two_processes.py FOLDER [--processes 2]

Writes, for each task, FOLDER/NAME.pt: weights, metrics of validation and test; and FOLDER/NAME.csv: the answers. The joint batch has
the same size however many processes share it. In float64: Adam makes rounding in small gradients as large as the rest.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from byhand.tasks import Adding, ContinualReber, CopyMemory, Digits, EmbeddedReber, Table, Task
from byhand.train import SequenceModel
from byhand.train.callbacks.callbacks import GateMonitor, Reproducible
from byhand.train.callbacks.interruption import Interrupted, Interruptible, Last
from byhand.train.callbacks.predictions import Predictions
from byhand.train.cli.quiet import without_advice

JOINT = 6  # sequences of the joint batch


class Case(NamedTuple):
    """make: the task with batches of so many sequences a process."""

    make: Callable[[int], Task]
    settings: dict[str, Any]


CASES = {
    "adding": Case(lambda size: Adding(8, size, batches=4, sequences=23), {}),
    "digits": Case(lambda size: Digits(batch_size=size), {"schedule": "linear"}),
    "table": Case(lambda size: Table(batch_size=size), {}),
    "copy": Case(lambda size: CopyMemory(2, size, batches=4, sequences=15), {}),
    "reber": Case(lambda size: EmbeddedReber(size, batches=4, sequences=15), {}),
    "streams": Case(lambda size: ContinualReber(10, size, pieces=4, test_pieces=3), {"tbptt_steps": 5}),
}


class CtrlC(Callback):
    """Pressed in one of the processes only."""

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 3 and trainer.global_rank == trainer.world_size - 1:
            signal.raise_signal(signal.SIGINT)


def trainer(processes: int, folder: Path, *callbacks: Callback, **options: Any) -> L.Trainer:
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    strategy: dict[str, Any] = {"strategy": "ddp", "devices": processes} if processes > 1 else {}
    return L.Trainer(
        accelerator="cpu",
        precision="64-true",
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=folder,
        callbacks=list(callbacks),
        **quiet,
        **strategy,
        **options,
    )


def fresh(case: Case, processes: int) -> tuple[Task, SequenceModel]:
    torch.manual_seed(1)
    task = case.make(JOINT // processes)
    return task, SequenceModel(task.form._asdict(), **({"hidden_size": 5} | case.settings))


def perform(name: str, case: Case, processes: int, folder: Path) -> None:
    """Train ten steps, test, predict."""
    task, model = fresh(case, processes)
    runner = trainer(processes, folder, GateMonitor(), max_steps=10, max_epochs=3, enable_checkpointing=False)
    runner.fit(model, datamodule=task)
    metrics = {key: value.double() for key, value in runner.callback_metrics.items()}
    runner.test(model, datamodule=task, verbose=False)
    metrics |= {key: value.double() for key, value in runner.callback_metrics.items()}
    trainer(processes, folder, Predictions(folder / f"{name}.csv")).predict(model, datamodule=task)
    if runner.is_global_zero:
        torch.save({"weights": model.state_dict(), "metrics": metrics}, folder / f"{name}.pt")


def interrupted(processes: int, folder: Path) -> None:
    """Stopped at the fourth step by one process, gone on with; beside a training that was not."""
    found = []
    for name, pressed in (("straight", []), ("cut", [CtrlC()])):
        task, model = fresh(CASES["adding"], processes)
        common: list[Callback] = [Interruptible(), Reproducible()]
        keeper = ModelCheckpoint(folder / name, enable_version_counter=False)
        try:
            trainer(processes, folder, *common, *pressed, keeper, Last(), max_epochs=2).fit(model, datamodule=task)
        except Interrupted:
            task, model = fresh(CASES["adding"], processes)
            going = trainer(processes, folder, Reproducible(), max_epochs=2, enable_checkpointing=False)
            going.fit(model, datamodule=task, ckpt_path=str(folder / name / "last.ckpt"), weights_only=True)
            assert pressed and going.global_step == 8
            (folder / f"interrupted-{going.global_rank}").touch()
        found.append(model.state_dict())
    assert all(torch.equal(value, found[1][key]) for key, value in found[0].items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    with without_advice():
        for name, case in CASES.items():
            perform(name, case, options.processes, options.folder)
        interrupted(options.processes, options.folder)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
