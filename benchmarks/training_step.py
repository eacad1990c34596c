"""What byhand fit costs a step: SequenceModel under Lightning, with log and bar, against a bare loop over the same model and batches.

In turn in one process, round after round; medians. Run on an idle machine:

    python -m benchmarks.training_step [--steps 300] [--rounds 7]
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from contextlib import redirect_stdout

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from byhand.tasks import Adding
from byhand.train import SequenceModel
from byhand.train.callbacks.callbacks import Reproducible
from byhand.train.callbacks.progress import FRAMES, Bar
from byhand.train.cli.quiet import Unprofiled, without_advice


def made(steps: int) -> tuple[Adding, SequenceModel]:
    torch.manual_seed(0)
    task = Adding(length=20, batch_size=8, batches=steps, sequences=8)
    return task, SequenceModel(task.form._asdict(), hidden_size=8)


def bare(steps: int) -> float:
    """A hand-written loop, with the same clipping and optimiser: seconds a step."""
    task, model = made(steps)
    optimiser = torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.0)
    start = time.perf_counter()
    for batch in task.loader("train"):
        loss = model.goal.loss(model.run("train", batch), batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return (time.perf_counter() - start) / steps


def lightning(steps: int, *, shown: bool) -> float:
    """Lightning; shown: with TensorBoard's log, a bar, no profiler and random numbers of each step's own, as byhand fit has them."""
    task, model = made(steps)
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        callbacks: list[Callback] = [Bar(refresh_rate=FRAMES), Reproducible()] if shown else []
        trainer = L.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=TensorBoardLogger(folder) if shown else False,
            callbacks=callbacks,
            enable_progress_bar=shown,
            profiler=Unprofiled() if shown else None,
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            limit_val_batches=0,
            log_every_n_steps=10,
            use_distributed_sampler=False,
        )
        clock = Clock()
        trainer.callbacks.append(clock)  # type: ignore[attr-defined]
        trainer.fit(model, datamodule=task)
    return (clock.end - clock.start) / steps


class Clock(Callback):
    """Of the training itself, not of what is set up before."""

    start = end = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:  # noqa: ARG002
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:  # noqa: ARG002
        self.end = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    ways = {
        "bare loop": bare,
        "Lightning alone": lambda steps: lightning(steps, shown=False),
        "with log and bar": lambda steps: lightning(steps, shown=True),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    with without_advice():
        for _ in range(options.rounds):
            for name, way in ways.items():
                times[name].append(way(options.steps))
    least = statistics.median(times["bare loop"])
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"{name:18} {middle * 1e3:7.3f} ms a step, {(middle - least) * 1e3:+.3f} ms")


if __name__ == "__main__":
    main()
