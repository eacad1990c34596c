"""What each goal of a task means for training: the loss, the metrics, and the answer in the task's terms."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError

from byhand.tasks.task import UNASKED, Form, Sequences

if TYPE_CHECKING:
    from jaxtyping import Float


class Goal:
    """The loss and the metrics of a form. output: what the head gives, (batch, outputs), with a leading time if every."""

    def __init__(self, form: Form) -> None:
        self.form = form

    @abstractmethod
    def loss(self, output: Float[Tensor, "... outputs"], batch: Sequences) -> Tensor:
        """The mean over all answers that are asked for."""

    @abstractmethod
    def metrics(self) -> dict[str, Metric]:
        """New ones, by name."""

    @abstractmethod
    def update(self, metrics: Any, output: Float[Tensor, "... outputs"], batch: Sequences) -> None:
        """Counts a batch in."""

    def asked(self, batch: Sequences) -> Tensor:
        """How many answers are asked for."""
        return torch.tensor(float(batch.target.numel()))

    def answer(self, output: Float[Tensor, "... outputs"]) -> Tensor:
        """As the target is written."""
        return output


class Values(Goal):
    """Real numbers. mse, mae; wrong: the share of answers off by the form's tolerance or more, if it has one."""

    def loss(self, output: Float[Tensor, "... outputs"], batch: Sequences) -> Tensor:
        return F.mse_loss(output, batch.target)

    def metrics(self) -> dict[str, Metric]:
        wrong: dict[str, Metric] = {"wrong": MeanMetric()} if self.form.tolerance else {}
        return {"mse": MeanSquaredError(), "mae": MeanAbsoluteError()} | wrong

    def update(self, metrics: Any, output: Float[Tensor, "... outputs"], batch: Sequences) -> None:
        for name in ("mse", "mae"):
            metrics[name].update(output.contiguous(), batch.target.contiguous())
        if self.form.tolerance:
            metrics["wrong"].update(((output - batch.target).abs() >= self.form.tolerance).float())


class Classes(Goal):
    """One of several. accuracy: the share of answers that are right; bits: how many it takes to say the right one."""

    def loss(self, output: Float[Tensor, "... outputs"], batch: Sequences) -> Tensor:
        return F.cross_entropy(output.flatten(0, -2), batch.target.flatten(), ignore_index=UNASKED)

    def metrics(self) -> dict[str, Metric]:
        accuracy = MulticlassAccuracy(self.form.output_size, average="micro", ignore_index=UNASKED)
        return {"accuracy": accuracy, "bits": MeanMetric()}

    def update(self, metrics: Any, output: Float[Tensor, "... outputs"], batch: Sequences) -> None:
        metrics["accuracy"].update(output.flatten(0, -2).argmax(-1), batch.target.flatten())
        metrics["bits"].update(self.loss(output, batch) / math.log(2), self.asked(batch))

    def asked(self, batch: Sequences) -> Tensor:
        return (batch.target != UNASKED).sum().float()

    def answer(self, output: Float[Tensor, "... outputs"]) -> Tensor:
        return output.argmax(-1)


class Successors(Classes):
    """The next symbol, where several may be legal. solved: the share of sequences in which at every step the legal symbols, and no
    others, are the likeliest: as many as are legal come first.
    """

    def metrics(self) -> dict[str, Metric]:
        return super().metrics() | {"solved": MeanMetric()}

    def update(self, metrics: Any, output: Float[Tensor, "... outputs"], batch: Sequences) -> None:
        super().update(metrics, output, batch)
        metrics["solved"].update(solved(output, batch).float())


def solved(output: Float[Tensor, "time batch symbols"], batch: Sequences) -> Tensor:
    """Whether each sequence is predicted legally throughout: the least likely legal symbol comes before the likeliest other."""
    legal = batch.legal
    assert legal is not None, "tasks of successors say what is legal"
    least = output.masked_fill(~legal, torch.inf).amin(-1)
    most = output.masked_fill(legal, -torch.inf).amax(-1)
    return ((least > most) | (batch.target == UNASKED)).all(0)


GOALS: dict[str, type[Goal]] = {"values": Values, "classes": Classes, "successors": Successors}
