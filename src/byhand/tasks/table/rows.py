"""What predict writes of a table, in its own words and units. task: a Table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from byhand.tasks.table.stamps import shift_of
from byhand.tasks.task import Part, Sequences


def rows(task: Any, batch: Sequences, answer: Tensor) -> Iterator[dict[str, Any]]:
    """See Table.rows."""
    windows, known = task.windows[task.predicted], task.predicted == "test"
    assert batch.origin is not None
    starts = batch.origin.cpu().numpy()
    answers, levels = task.scaling.undo(answer, task.last(task.predicted, starts)), task.levels(task.predicted)
    for sequence, (start, values) in enumerate(zip(starts.tolist(), answers.tolist(), strict=True)):
        where = {"sequence": sequence} | entry("series", task.series, windows.names[int(windows.whose[start])])
        for ahead, value in enumerate(values, 1):
            at = start + task.seen + ahead - 1
            if task.time:
                when = entry("time", task.time, time_of(task, task.predicted, start, ahead))
            else:
                when = {"row": int(windows.row[at]) if known else None}
            target = entry("target", task.targets, levels[at].tolist() if known else [None] * len(value))
            yield where | when | {"ahead": ahead} | target | entry("answer", task.targets, value)


def time_of(task: Any, part: Part, start: int, ahead: int) -> Sequence[str | None]:
    """The time of the answer so many steps behind a window, as the table writes it, in each of its columns; None where it is not known."""
    last = start + task.seen - 1
    return future(task, last, ahead) if part == "future" else task.windows[part].text[last + ahead]


def future(task: Any, at: int, ahead: int) -> tuple[str | None, ...]:
    """The time `ahead` steps after this one, as the table would write it; None for each of its columns if it is not known."""
    windows = task.windows["future"]
    time = task.clock.after(windows.time[at], ahead)
    if time is None or task.written is None:
        return (None,) * len(task.time)
    shift = windows.shift[at]
    if task.clock.wall:
        return task.written.write(time, shift)
    if task.zone is not None:
        shift = shift_of(time, task.zone)
    return task.written.write(time if task.clock.kind == "numbers" else time + shift, shift)


def entry(name: str, columns: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """What stands under a name; of several columns under the name and each of theirs."""
    if len(columns) < 2:
        return dict.fromkeys([name] * len(columns), values[0] if columns else None)
    return {f"{name}_{column}": value for column, value in zip(columns, values, strict=True)}
