"""What each goal of a task means for training: the loss, the metrics, and the answer in the task's terms."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError

from byhand.tasks.task import IGNORE_INDEX, Form, Sequences

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Squash(NamedTuple):
    """What the head's numbers are put through, and the loss for answers that are one of several classes."""

    apply: Callable[[Tensor], Tensor]
    class_loss: Callable[[Float[Tensor, "answers outputs"], Int[Tensor, " answers"]], Tensor]


def cross_entropy(output: Float[Tensor, "answers outputs"], target: Int[Tensor, " answers"]) -> Tensor:
    return F.cross_entropy(output, target, ignore_index=IGNORE_INDEX)


def squared_error(output: Float[Tensor, "answers outputs"], target: Int[Tensor, " answers"]) -> Tensor:
    """Half the sum over the outputs of their squared distance from 1 for the right class, 0 for the others; the mean over answers."""
    asked = target != IGNORE_INDEX
    return (output[asked] - F.one_hot(target[asked], output.shape[-1])).square().sum(-1).mean() / 2


def mean() -> MeanMetric:
    """The weighted mean of all values; NaN if one of them is (which "disable" would say as well, but without weights)."""
    return MeanMetric(nan_strategy=math.nan)


SQUASHES = {"none": Squash(lambda output: output, cross_entropy), "sigmoid": Squash(torch.sigmoid, squared_error)}


class Goal:
    """The loss and the metrics of a form. output: what the model gives, (batch, outputs), with a leading time if every."""

    def __init__(self, form: Form, squash: str = "none") -> None:
        self.form, self.squash = form, SQUASHES[squash]

    @abstractmethod
    def loss(self, output: Float[Tensor, "... outputs"], batch: Sequences) -> Tensor:
        """The mean over all answers that are asked for."""

    def metrics(self) -> dict[str, Metric]:
        """New ones, by name: the loss, and what else says how good the answers are."""
        return {"loss": mean()}

    def update(self, metrics: Any, output: Float[Tensor, "... outputs"], batch: Sequences) -> None:
        """Counts a batch in."""
        metrics["loss"].update(self.loss(output, batch), self.asked(batch))

    @abstractmethod
    def asked(self, batch: Sequences) -> Tensor:
        """How many answers are asked for."""

    def answer(self, output: Float[Tensor, "... outputs"]) -> Tensor:
        """As the target is written."""
        return output


class Regression(Goal):
    """Real numbers. mse, mae; wrong: the share of answers off by the form's tolerance or more, if it has one."""

    def loss(self, output: Float[Tensor, "... outputs"], batch: Sequences) -> Tensor:
        return F.mse_loss(*self.within(output, batch))

    def metrics(self) -> dict[str, Metric]:
        wrong: dict[str, Metric] = {"wrong": mean()} if self.form.tolerance else {}
        return super().metrics() | {"mse": MeanSquaredError(), "mae": MeanAbsoluteError()} | wrong

    def update(self, metrics: Any, output: Float[Tensor, "... outputs"], batch: Sequences) -> None:
        super().update(metrics, output, batch)
        answer, target = self.within(output, batch)
        if self.form.units:
            answer, target = (one * one.new_tensor(self.form.units) for one in (answer, target))
        for name in ("mse", "mae"):
            metrics[name].update(answer, target)
        if self.form.tolerance:
            metrics["wrong"].update((~((answer - target).abs() < self.form.tolerance)).float())

    def asked(self, batch: Sequences) -> Tensor:
        return batch.target.new_tensor(self.within(batch.target, batch)[1].numel())

    def within(self, output: Float[Tensor, "... outputs"], batch: Sequences) -> tuple[Tensor, Tensor]:
        """Answers and targets without what lies past a sequence's end."""
        if not self.form.every or batch.lengths is None:
            return output.contiguous(), batch.target.contiguous()
        inside = torch.arange(len(output), device=output.device).unsqueeze(1) < batch.lengths.to(output.device)
        return output[inside], batch.target[inside]


class Classification(Goal):
    """One of several. accuracy: the share of answers that are right; bits: how many it takes to say the right one, if the outputs
    say how likely each is.
    """

    def loss(self, output: Float[Tensor, "... outputs"], batch: Sequences) -> Tensor:
        return self.squash.class_loss(output.flatten(0, -2), batch.target.flatten())

    def metrics(self) -> dict[str, Metric]:
        accuracy = MulticlassAccuracy(self.form.output_size, average="micro", ignore_index=IGNORE_INDEX)
        bits: dict[str, Metric] = {"bits": mean()} if self.squash.class_loss is cross_entropy else {}
        return super().metrics() | {"accuracy": accuracy} | bits

    def update(self, metrics: Any, output: Float[Tensor, "... outputs"], batch: Sequences) -> None:
        super().update(metrics, output, batch)
        metrics["accuracy"].update(output.flatten(0, -2).argmax(-1), batch.target.flatten())
        if "bits" in metrics:
            metrics["bits"].update(self.loss(output, batch) / math.log(2), self.asked(batch))

    def asked(self, batch: Sequences) -> Tensor:
        return (batch.target != IGNORE_INDEX).sum().float()

    def answer(self, output: Float[Tensor, "... outputs"]) -> Tensor:
        return output.argmax(-1)


class NextSymbol(Classification):
    """The next symbol, where several may be legal. solved: the share of sequences in which at every step the legal symbols, and no
    others, are the likeliest: as many as are legal come first.
    """

    def metrics(self) -> dict[str, Metric]:
        return super().metrics() | {"solved": mean()}

    def update(self, metrics: Any, output: Float[Tensor, "... outputs"], batch: Sequences) -> None:
        super().update(metrics, output, batch)
        metrics["solved"].update(solved(output, batch).float())


def solved(output: Float[Tensor, "time batch symbols"], batch: Sequences) -> Tensor:
    """Whether each sequence is predicted legally throughout: the least likely legal symbol comes before the likeliest other."""
    legal = batch.legal
    assert legal is not None, "tasks of successors say what is legal"
    least = output.masked_fill(~legal, torch.inf).amin(-1)
    most = output.masked_fill(legal, -torch.inf).amax(-1)
    return ((least > most) | (batch.target == IGNORE_INDEX)).all(0)


GOALS: dict[str, type[Goal]] = {"regression": Regression, "classification": Classification, "next_symbol": NextSymbol}
