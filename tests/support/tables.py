"""Small tables, and what is expected of them in plain Python."""

import math
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch

from byhand.tasks import Table

WAVE = [round(10 + 5 * math.sin(2 * math.pi * at / 7) + (at * 7919 % 13) / 5, 3) for at in range(100)]


def written(folder: Path, text: str, name: str = "data.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode())
    return str(path)


def lines(*columns: Any, names: str) -> str:
    return "\n".join([names, *(",".join(map(str, row)) for row in zip(*columns, strict=True))]) + "\n"


def wave(folder: Path, values: list[Any] = WAVE, times: Any = None, name: str = "data.csv") -> str:
    return written(folder, lines(times or range(len(values)), values, names="t,y"), name)


def windows(made: Table, part: Any) -> list[tuple[list[float], list[float]]]:
    """All windows of a part and their answers, in the table's own units."""
    batch = made.pick(part, torch.arange(made.total(part)))
    mean, spread = made.scaling.means, made.scaling.spreads
    seen = (batch.input.double().numpy() * spread[: made.form.input_size] + mean[: made.form.input_size]).transpose(1, 0, 2)
    asked = batch.target.double().numpy() * spread[-1] + mean[-1]
    return [
        (one.round(3).tolist() if one.shape[1] > 1 else one[:, 0].round(3).tolist(), other.round(3).tolist())
        for one, other in zip(seen, asked, strict=True)
    ]


def slices(values: list[float], window: int, horizon: int, first: float, last: float) -> list[tuple[list[float], list[float]]]:
    """The same by plain slicing: answers between two shares of the whole."""
    start, end = int(first * len(values)), int(last * len(values))
    places = range(max(window, start), end - horizon + 1)
    return [(values[at - window : at], values[at : at + horizon]) for at in places]


def errors(seen: list[list[float]], asked: list[list[float]], season: int) -> dict[str, Any]:
    """Of saying what was a season before."""
    off = [
        values[len(values) + step % season - season] - answer
        for values, answers in zip(seen, asked, strict=True)
        for step, answer in enumerate(answers)
    ]
    mse, mae = statistics.fmean(one * one for one in off), statistics.fmean(abs(one) for one in off)
    return {"mse": pytest.approx(mse, rel=1e-5), "mae": pytest.approx(mae, rel=1e-5)}
