"""Ctrl-C: what is kept, and that going on from there is a training that was never interrupted."""

from __future__ import annotations

import signal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from byhand.tasks import Adding, ContinualReber, Task
from byhand.train import SequenceModel
from byhand.train.callbacks.callbacks import Reproducible
from byhand.train.callbacks.interruption import Interrupted, Interruptible, Last
from byhand.train.cli.quiet import without_advice

BATCHES, EPOCHS = 6, 3
TASKS: dict[str, Any] = {
    "sequences": lambda: Adding(length=8, batch_size=4, batches=BATCHES, sequences=24),
    "streams": lambda: ContinualReber(steps=10, batch_size=4, pieces=BATCHES, test_pieces=6),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "whole": {"dropout": 0.3, "num_layers": 2},
    "zoneout": {"cell": "zoneout(lstm, h=0.1, c=0.1)"},
    "pieces": {"tbptt_steps": 4},
    "accumulated": {"trainer": {"accumulate_grad_batches": 4}},  # 4 batches make a step, and the 2 that are left
}


class CtrlC(Callback):
    """Pressed during the so manieth batch of a part, counted over all epochs."""

    def __init__(self, part: str, batch: int) -> None:
        self.part, self.left = part, batch

    def press(self, part: str) -> None:
        self.left -= part == self.part
        if part == self.part and self.left == 0:
            signal.raise_signal(signal.SIGINT)

    def on_train_batch_start(self, *_: Any) -> None:
        self.press("train")

    def on_validation_batch_start(self, *_: Any) -> None:
        self.press("val")


class Validations(Callback):
    """The losses that are found."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.found.append(float(trainer.callback_metrics["val_loss"]))


def run(folder: Path, make: Any, settings: dict[str, Any], *extra: Callback, resume: str | None = None) -> SequenceModel:
    task: Task = make()
    settings = dict(settings)
    given = settings.pop("trainer", {})
    torch.manual_seed(3 if resume is None else 4)  # where one goes on the start makes no difference
    model = SequenceModel(task.form._asdict(), **({"hidden_size": 5, "schedule": "cosine", "warmup": 3} | settings))
    keeper = ModelCheckpoint(folder, enable_version_counter=False)
    options: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    with without_advice():
        trainer = L.Trainer(
            max_epochs=EPOCHS,
            accelerator="cpu",
            logger=False,
            callbacks=[Interruptible(), Reproducible(7), *extra, keeper, Last()],
            default_root_dir=folder,
            **(options | given),
        )
        trainer.fit(model, datamodule=task, ckpt_path=resume, weights_only=True if resume else None)
    return model


@cache
def straight_through(task: str, settings: str) -> tuple[dict[str, torch.Tensor], list[float]]:
    """The weights of a training that is never interrupted, and the losses of its validations."""
    seen = Validations()
    with TemporaryDirectory() as folder:
        model = run(Path(folder), TASKS[task], SETTINGS[settings], seen)
    return model.state_dict(), seen.found


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        *(("sequences", "whole"), ("sequences", "zoneout"), ("sequences", "accumulated")),
        *(("streams", "whole"), ("streams", "zoneout"), ("streams", "pieces")),
    ],
)
@pytest.mark.parametrize(("part", "batch"), [("train", 1), ("train", 9), ("train", 12), ("val", 2), ("val", 12)])
def test_going_on_after_ctrl_c_is_straight_through_to_the_bit(
    part: str, batch: int, task: str, settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, chosen, cut = TASKS[task], SETTINGS[settings], Validations()
    weights, losses = straight_through(task, settings)
    before = signal.getsignal(signal.SIGINT)
    try:
        run(tmp_path / "cut", make, chosen, CtrlC(part, batch), cut)
        stopped = False
    except Interrupted:
        stopped = True
    assert signal.getsignal(signal.SIGINT) is before
    assert stopped
    assert "stopping after this step" in capsys.readouterr().err
    rest = run(tmp_path / "cut", make, chosen, cut, resume=str(tmp_path / "cut/last.ckpt"))
    for name, value in weights.items():
        assert torch.equal(value, rest.state_dict()[name]), name
    assert cut.found == losses
