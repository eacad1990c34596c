"""What may help a model of a table that a baseline beats, as far as the numbers of the table say. task: a Table."""

from __future__ import annotations

from typing import Any

import numpy as np

from byhand.tasks.table.baselines import season_of

MANY = 0.1  # of the answers, outside of the range of training
LONGEST = 2000  # season that is looked for, in steps


def advice(task: Any, *, short: bool) -> str | None:
    """In a line; None if the table says nothing, or only what may be the fault of a short training."""
    return outside(task) or (None if short else season(task) or noise(task))


def outside(task: Any) -> str | None:
    """Targets in the test that the training part had none of."""
    if task.difference:
        return None
    trained = task.windows["train"].values[task.windows["train"].training, -len(task.targets) :]
    starts = task.windows["test"].starts["test"]
    asked = task.levels("test")[starts[:, None] + task.seen + np.arange(task.horizon)]
    for at, name in enumerate(task.targets):
        low, high = trained[:, at].min(), trained[:, at].max()
        out = int(((asked[..., at] < low) | (asked[..., at] > high)).sum())
        if out > MANY * asked[..., at].size:
            return (
                f"{out} of {asked[..., at].size} answers of the test lie outside of what {name} was in training, {low:g} to {high:g}: train"
                " with --data.difference=true, which learns changes"
            )
    return None


def season(task: Any) -> str | None:
    """A season longer than the window."""
    longest = task.windows["train"].longest(task.form.input_size)
    found = season_of(longest, min(len(longest) // 3, LONGEST))
    if found <= task.window:
        return None
    return f"{task.targets[0]} repeats itself after {found} steps, and a window has {task.window}: train with --data.window={found}"


def noise(task: Any) -> str | None:
    """Changes that have nothing to do with those before them: then no model is better than persistence."""
    changes = np.diff(task.windows["train"].longest(task.form.input_size))
    n, most = len(changes), min(task.window, len(changes) // 4)
    rest = changes - changes.mean() if n else changes
    power = float(rest @ rest)
    if most < 1 or n < 50 or power <= 0:
        return None
    likeness = np.abs([rest[: n - lag] @ rest[lag:] for lag in range(1, most + 1)]) / power
    # What chance exceeds once in 20 times: the next change, and the largest of them all.
    if likeness[0] > 2 / np.sqrt(n) or likeness.max() > np.sqrt(2 * np.log(20 * most) / n):
        return None
    return (
        f"from step to step {task.targets[0]} changes by chance, as far as {n} changes show: none of the {most} before is like the next"
        f" one (largest correlation {likeness.max():.2f}), and then nothing predicts better than persistence"
    )
