"""Optimisers, schedules, clipping: what they are asked for is what a training does."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from test_truncated import Echo

from byhand.tasks import Adding, Task
from byhand.train import SequenceModel, train
from byhand.train.model.optimisation import OPTIMISERS, planned_steps, rate


@pytest.mark.parametrize(
    ("schedule", "left"),
    [
        ("constant", [1, 1, 1, 1, 1, 1]),
        ("linear", [1, 0.9, 0.75, 0.5, 0.25, 0]),
        ("cosine", [1, (1 + math.cos(0.1 * math.pi)) / 2, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0]),
        ("halving", [1, 1, 0.5, 0.25, 0.125, 0.125]),
    ],
)
def test_what_is_left_of_the_rate(schedule: str, left: list[float]) -> None:
    found = [rate(schedule, 0, lambda: 100)(step) for step in (0, 10, 25, 50, 75, 100)]
    assert found == pytest.approx(left, abs=1e-12)


def test_halving_is_at_the_ends_of_quarters() -> None:
    assert [rate("halving", 0, lambda: 100)(step) for step in (24, 25, 49, 50, 74, 75)] == [1, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_warmup_rises_to_the_full_rate() -> None:
    assert [rate("constant", 3, lambda: 100)(step) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_get_their_settings(name: str) -> None:
    (group,) = OPTIMISERS[name]([torch.nn.Parameter(torch.ones(2))], 0.3, 0.05).param_groups
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.05)
    assert group.get("momentum", 0) == (0.9 if name == "momentum" else 0)
    assert group.get("nesterov", False) == (name == "momentum")


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        ({"max_epochs": 3, "max_steps": -1}, 3 * 10 * 2),
        ({"max_epochs": 3, "max_steps": 7}, 7),
        ({"max_epochs": -1, "max_steps": 70}, 70),
        ({"max_epochs": None, "max_steps": -1}, math.inf),
    ],
)
def test_steps_of_a_whole_training(limits: dict[str, Any], steps: float) -> None:
    """Twenty batches, two of which make a step, in two pieces each."""
    loop = SimpleNamespace(setup_data=lambda: None)
    trainer: Any = SimpleNamespace(fit_loop=loop, num_training_batches=20, accumulate_grad_batches=2, **limits)
    assert planned_steps(trainer, 2) == steps


class Rates(Callback):
    """Of every step, as it is taken."""

    def __init__(self) -> None:
        self.found: list[float] = []
        self.schedules = 0

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Any) -> None:
        self.found.append(optimizer.param_groups[0]["lr"])
        self.schedules = len(trainer.lr_scheduler_configs)


@pytest.mark.parametrize("limits", [{"max_steps": 6}, {"max_epochs": 1}, {"max_epochs": 9, "max_steps": 6}])
@pytest.mark.parametrize(("make", "pieces"), [(lambda: Adding(8, batches=6, sequences=4), 0), (lambda: Echo(batches=2), 4)])
def test_a_schedule_ends_with_the_training(limits: dict[str, int], make: Any, pieces: int) -> None:
    """Six steps, one a batch or one a piece."""
    rates = Rates()
    settings = {"schedule": "linear", "learning_rate": 0.6, "tbptt_steps": pieces, "hidden_size": 3}
    train(make(), settings, callbacks=[rates], **limits)
    assert rates.found == pytest.approx([0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


@pytest.mark.parametrize(("warmup", "wanted"), [(0, [0.6, 0.6, 0.6, 0.6]), (3, [0.15, 0.3, 0.45, 0.6])])
@pytest.mark.parametrize(("make", "pieces"), [(lambda: Adding(8, batches=4, sequences=4), 0), (lambda: Echo(batches=1), 4)])
def test_a_rate_that_stays(warmup: int, wanted: list[float], make: Any, pieces: int) -> None:
    """No schedule is asked at every step for what it does not change."""
    rates = Rates()
    settings = {"warmup": warmup, "learning_rate": 0.6, "tbptt_steps": pieces, "hidden_size": 3}
    train(make(), settings, callbacks=[rates], max_steps=4)
    assert rates.found[:4] == pytest.approx(wanted)
    assert rates.schedules == (1 if warmup else 0)


def test_a_schedule_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="schedule cosine: expected an end of the training, max_epochs or max_steps"):
        train(Adding(8), {"schedule": "cosine"}, max_epochs=-1)


@pytest.mark.parametrize(
    ("task", "settings", "trainer"),
    [
        (Adding(8, batches=1, sequences=4), {}, {}),
        (Adding(8, batches=1, sequences=4), {"clip": 0.0}, {"gradient_clip_val": 0.001}),
        (Echo(batches=1), {"tbptt_steps": 4}, {}),
    ],
)
def test_gradients_are_clipped(task: Task, settings: dict[str, Any], trainer: dict[str, Any]) -> None:
    """By the model, or the trainer; whole batches, or pieces: a step of plain descent moves by the rate times the norm at most."""

    def moved(clip: float, trainer: dict[str, Any]) -> float:
        common = {"optimiser": "sgd", "learning_rate": 1.0, "hidden_size": 6, "clip": clip} | settings
        L.seed_everything(0, verbose=False)
        start = SequenceModel(task.form._asdict(), **common)
        model, outcome = train(task, common, max_epochs=1, trainer=trainer)
        apart = [(a - b).flatten() for a, b in zip(model.parameters(), start.parameters(), strict=True)]
        return torch.cat(apart).norm().item() / outcome.steps

    assert moved(0.001, trainer) <= 0.0010001 < moved(0.0, {})
