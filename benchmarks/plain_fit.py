"""The training of a configuration as one writes it with torch and Lightning alone: nn.LSTM, a head, the Trainer's defaults.

The contender of benchmarks/fit.py, which runs it in a process of its own. Same data, initial weights, loss, metrics, optimiser,
schedule and clipping as `byhand fit`; no engine, optimiser, callback or setting of byhand's.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import lightning as L
import yaml
from torch import Tensor, nn, optim
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.fit_clock import FitClock
from byhand import tasks
from byhand.tasks.task import Sequences
from byhand.train import SequenceModel
from byhand.train.model.objectives import GOALS
from byhand.train.model.optimisation import planned_steps, rate

SHAPE = {"hidden_size", "embedding_size", "learning_rate", "schedule", "forget_bias"}  # settings of a model that it knows


class PlainModel(L.LightningModule):
    """An nn.LSTM of one layer, with the initial weights that byhand's model has."""

    def __init__(self, form: dict[str, Any], settings: dict[str, Any]) -> None:
        super().__init__()
        if not settings.keys() <= SHAPE:
            raise ValueError(f"expected settings of a model among {sorted(SHAPE)}, got {sorted(settings)}")
        twin = SequenceModel(form, **settings)
        self.form, self.learning_rate, self.schedule = twin.form, twin.learning_rate, twin.schedule
        self.lstm = nn.LSTM(twin.lstm.input_size, twin.lstm.hidden_size)
        self.lstm.load_state_dict(twin.lstm.state_dict())
        self.embedding, self.head, self.goal = twin.embedding, twin.head, GOALS[twin.form.goal](twin.form)
        self.scores = nn.ModuleDict(self.goal.metrics())
        self.carried: dict[str, tuple[Tensor, Tensor]] = {}

    def forward(self, batch: Sequences, part: str) -> Tensor:
        x = batch.input
        if self.form.symbols:
            x = F.one_hot(x, self.form.input_size).float() if self.embedding is None else self.embedding(x)
        packed = x if batch.lengths is None else pack_padded_sequence(x, batch.lengths, enforce_sorted=False)
        y, after = self.lstm(packed, self.carried.get(part))
        if self.form.stateful:
            self.carried[part] = (after[0].detach(), after[1].detach())
        if not self.form.every:
            return self.head(after[0][-1])
        return self.head(y if batch.lengths is None else pad_packed_sequence(y, total_length=len(x))[0])

    def training_step(self, batch: Sequences, index: int) -> Tensor:  # noqa: ARG002
        loss = self.goal.loss(self(batch, "train"), batch)
        self.log("train_loss", loss, batch_size=batch.input.shape[1])
        return loss

    def validation_step(self, batch: Sequences, index: int) -> None:  # noqa: ARG002
        self.goal.update(self.scores, self(batch, "val"), batch)
        for name, score in self.scores.items():
            self.log(f"val_{name}", score, batch_size=batch.input.shape[1])  # type: ignore[arg-type]

    def on_train_epoch_start(self) -> None:
        self.carried.pop("train", None)

    def on_validation_epoch_start(self) -> None:
        self.carried.pop("val", None)

    def configure_optimizers(self) -> Any:
        optimiser = optim.AdamW(self.parameters(), self.learning_rate, weight_decay=0.0)
        if self.schedule == "constant":
            return optimiser
        left = rate(self.schedule, 0, lambda: planned_steps(self.trainer))
        schedule = optim.lr_scheduler.LambdaLR(optimiser, left)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a configuration with nn.LSTM and the Trainer's defaults.")
    parser.add_argument("config", help="a file of src/byhand/configs")
    parser.add_argument("--trainer", type=yaml.safe_load, default={}, help="options of the trainer in place of its own")
    options = parser.parse_args()
    config = yaml.safe_load(Path(options.config).read_text(encoding="utf-8"))
    L.seed_everything(0, verbose=False)
    task = getattr(tasks, config["data"]["class_path"])(**config["data"]["init_args"])
    model = PlainModel(task.form._asdict(), config["model"])
    limits = {name: value for name, value in config["trainer"].items() if name != "callbacks"} | options.trainer
    L.Trainer(gradient_clip_val=1.0, callbacks=[FitClock()], **limits).fit(model, datamodule=task)


if __name__ == "__main__":
    main()
