"""Models of byhand's own tasks, trained for a second or two in this process until they are well: far below the loss of any baseline."""

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from byhand import tasks
from byhand.tasks import Sequences, Task
from byhand.train import SequenceModel
from byhand.train.model.truncated import detached


class Recipe(NamedTuple):
    """A task, a model, how long it is trained, and the loss on the test part that it has to stay below."""

    task: Task
    model: dict[str, Any]
    epochs: int
    limit: float


RECIPES = {
    "companies": lambda: Recipe(tasks.Companies(), {"hidden_size": 1, "learning_rate": 0.1, "forget_bias": None}, 300, 0.01),
    "adding": lambda: Recipe(
        tasks.Adding(length=20, batches=200), {"hidden_size": 32, "learning_rate": 0.005, "forget_bias": 5.0}, 3, 0.005
    ),
    "temporal order": lambda: Recipe(
        tasks.TemporalOrder(kind="6a", length=20),
        {"hidden_size": 16, "forget_bias": 5.0, "gate_biases": {"i": [-3.0]}},
        4,
        0.1,
    ),
    "digits": lambda: Recipe(tasks.Digits(by="rows"), {"hidden_size": 32, "bidirectional": True}, 5, 0.6),
    "embedded Reber": lambda: Recipe(tasks.EmbeddedReber(), {"hidden_size": 16}, 3, 0.5),
    "continual Reber": lambda: Recipe(tasks.ContinualReber(steps=50), {"hidden_size": 16}, 3, 0.7),
    "parity": lambda: Recipe(tasks.Parity(length=8), {"hidden_size": 8, "learning_rate": 0.02}, 4, 0.1),
    "timing": lambda: Recipe(
        tasks.Timing(least=9, most=10),
        {"cell": "peephole", "hidden_size": 8, "learning_rate": 0.02, "forget_bias": 3.0},
        6,
        0.3,
    ),
    "sunspots": lambda: Recipe(tasks.Table(window=40, horizon=1), {"hidden_size": 16}, 30, 0.65),
    "text": lambda: Recipe(tasks.Text(steps=100), {"hidden_size": 64, "embedding_size": 32, "learning_rate": 0.005}, 1, 2.5),
}


class Trained(NamedTuple):
    """items: two batches of the test part. loss: of the model on the first."""

    model: SequenceModel
    items: list[Sequences]
    loss: float
    limit: float


def called(model: SequenceModel, batch: Sequences) -> Tensor:
    return model(batch.input, batch.lengths)[0]


@cache
def trained(name: str) -> Trained:
    """As byhand fit trains it, without Lightning's trainer."""
    torch.manual_seed(0)
    task, options, epochs, limit = RECIPES[name]()
    model = SequenceModel(form=task.form._asdict(), **options)
    optimiser = torch.optim.Adam(model.parameters(), model.learning_rate)
    for epoch in range(epochs):
        state = None
        for index in range(task.count("train", task.batch_size)):
            batch = task.batch("train", epoch, index, task.batch_size)
            output, after = model(batch.input, batch.lengths, state)
            state = detached(after) if task.form.stateful else None
            optimiser.zero_grad()
            model.goal.loss(output, batch).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
    optimiser.zero_grad()
    items = [task.batch("test", 0, index, task.batch_size) for index in range(min(2, task.count("test", task.batch_size)))]
    with torch.no_grad():
        loss = model.goal.loss(called(model, items[0]), items[0]).item()
    return Trained(model, items, loss, limit)
