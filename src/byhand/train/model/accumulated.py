"""Gradients that batches have left for a step to come (accumulate_grad_batches): a training that stops between them goes on with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning import LightningModule
    from torch import Tensor


def under_way(model: LightningModule) -> dict[str, Tensor] | None:
    """Returns the gradients by parameter; the mean over processes, which all have to ask; None after a step."""
    trainer = model.trainer
    batches = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    if trainer.state.fn != "fit" or batches % trainer.accumulate_grad_batches == 0 or trainer.is_last_batch:
        return None
    found = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    return {name: trainer.strategy.reduce(grad.clone(), reduce_op="mean") for name, grad in found.items()}


def put_back(model: LightningModule, gradients: Mapping[str, Tensor]) -> None:
    """As they were. Lightning sets gradients to zero before the first batch of a step only."""
    for name, grad in gradients.items():
        parameter = model.get_parameter(name)
        parameter.grad = grad.to(parameter)
