"""A callback that notes what a training does, for trainings of a command: --trainer.callbacks+=watched.Watched"""

from __future__ import annotations

from typing import Any, ClassVar

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from byhand.tasks import Sequences


class Watched(Callback):
    """The inputs of the batches of each part; at which step a validation began; gradients as the optimiser had them; how it computed."""

    last: ClassVar[Watched]

    def __init__(self) -> None:
        Watched.last = self
        self.inputs: dict[str, list[Tensor]] = {"train": [], "sanity": [], "val": [], "test": [], "predict": []}
        self.validations: list[int] = []
        self.losses: list[float] = []  # of each batch
        self.read: list[float] = []  # the one that is known at each validation
        self.gradients: list[list[Tensor]] = []
        self.dtypes: set[torch.dtype] = set()
        self.deterministic: set[bool] = set()
        self.anomaly: set[bool] = set()

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Sequences, batch_idx: int) -> None:
        self.inputs["train"].append(batch.input)
        self.deterministic.add(torch.are_deterministic_algorithms_enabled())
        self.anomaly.add(torch.is_anomaly_enabled())

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self.validations.append(trainer.global_step)
            self.read.append(float(trainer.callback_metrics["train_loss"]))

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any) -> None:
        self.losses.append(float(outputs["loss"]))

    def on_validation_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Sequences, *_: int) -> None:
        self.inputs["sanity" if trainer.sanity_checking else "val"].append(batch.input)

    def on_test_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Sequences, *_: int) -> None:
        self.inputs["test"].append(batch.input)

    def on_predict_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Sequences, *_: int) -> None:
        self.inputs["predict"].append(batch.input)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        head: Any = pl_module.head
        head.register_forward_hook(lambda module, given, output: self.dtypes.add(output.dtype))

    def on_before_zero_grad(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer) -> None:
        """Of the step before, where there was one."""
        found = [one.grad.clone() for one in pl_module.parameters() if one.grad is not None]
        self.gradients += [found] if found else []
