"""What a task asks of a model, as the explorer shows it: of a table in its own unit, with the time of the row that is predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from byhand.explorer.document.targets import Targets
from byhand.tasks import Table, Task
from byhand.tasks.table.rows import time_of
from byhand.tasks.task import Sequences


def targets_of(task: Task, batch: Sequences) -> Targets:
    """Of a batch of its test part."""
    if isinstance(task, Table):
        return of_table(task, batch)
    return Targets(batch.target)


def of_table(task: Table, batch: Sequences) -> Targets:
    assert batch.origin is not None
    starts = batch.origin.numpy()
    levels = task.levels("test")[starts[:, None] + task.seen + np.arange(task.horizon)]
    asked = task.scaling.asked(levels, task.last("test", starts))  # in full, of which the batch has float32
    labels = [
        [f"{target} {when_of(task, start, ahead)}".rstrip() for target in task.targets for ahead in range(1, task.horizon + 1)]
        for start in starts.tolist()
    ]
    return in_units(task, torch.from_numpy(asked), task.last("test", starts), labels)


def of_input(task: Task, last: Mapping[str, Tensor], count: int) -> Targets | None:
    """Of rows of the user's, behind whose end nothing is known: the unit alone. last: column -> its value in the last row of each of
    `count` sequences. None where that is no table, or of changes whose column the model does not read.
    """
    if not isinstance(task, Table) or (task.difference and not set(task.targets) <= set(last)):
        return None
    unknown = torch.full((count,), torch.nan, dtype=torch.float64)
    values = torch.stack([last.get(target, unknown).double() for target in task.targets], 1).numpy()
    ahead = range(1, task.horizon + 1)
    names = [f"next {target}" if task.horizon == 1 else f"{target}, {step} ahead" for target in task.targets for step in ahead]
    return in_units(task, None, values, [names] * count)


def when_of(task: Table, start: int, ahead: int) -> str:
    """The time of an answer or, of a table without times, its row."""
    if task.time:
        return " ".join(str(one) for one in time_of(task, "test", start, ahead))
    return f"in row {int(task.windows['test'].row[start + task.seen + ahead - 1])}"


def in_units(task: Table, values: Tensor | None, last: Any, labels: Sequence[Sequence[str]]) -> Targets:
    """last: of each sequence the targets as they stand in the table, (sequences, targets): changes count from there."""
    offsets = np.broadcast_to(task.scaling.offsets(last, task.horizon), (len(last), task.horizon, len(task.targets)))
    offsets = offsets.transpose(0, 2, 1).reshape(len(last), -1)
    spreads = np.repeat(task.scaling.spreads[-len(task.targets) :], task.horizon)
    if task.difference:
        return Targets(values, spreads.tolist(), own_offsets=offsets.tolist(), labels=labels)
    return Targets(values, spreads.tolist(), offsets[0].tolist(), labels=labels)
