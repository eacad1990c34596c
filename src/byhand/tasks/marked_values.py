"""Sequences of values, two of them marked: what Adding and Multiplication ask about."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.tasks.generated import Generated
from byhand.tasks.task import Form, Part, Sequences, at_least

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

FIRST = 10  # steps, among which the one mark is


class MarkedValues(Generated):
    """length: T, the least number of steps. The rest as in Generated.

    lowest: values are drawn evenly from there to 1. neutral: the value of step 0 where that is marked.
    """

    form = Form(input_size=2, output_size=1, goal="regression", tolerance=0.04)
    lowest: float
    neutral: float

    def __init__(
        self, length: int = 100, batch_size: int = 32, batches: int = 100, sequences: int = 2560, seed: int = 0
    ) -> None:
        super().__init__(batch_size, batches, sequences, seed)
        at_least("length", length, 4)
        self.length = length
        self.baselines = self.guesses(chance_at_start(length))

    @abstractmethod
    def answer(self, one: Float[torch.Tensor, " batch"], other: Float[torch.Tensor, " batch"]) -> Float[torch.Tensor, " batch"]:
        """Of the two marked values."""

    @abstractmethod
    def guesses(self, at_start: float) -> dict[str, dict[str, float]]:
        """Baseline -> its metrics, where step 0 is marked with this chance."""

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        drawn, every = marked(count, self.length, source), torch.arange(count)
        values = drawn.values * (1 - self.lowest) + self.lowest
        values[0, drawn.at_start] = self.neutral
        target = self.answer(values[drawn.first, every], values[drawn.second, every])
        input = torch.stack((values, drawn.markers), -1) * drawn.inside.unsqueeze(-1)
        return Sequences(input, target.unsqueeze(-1), drawn.lengths)


class Marked(NamedTuple):
    """values: drawn evenly from 0 … 1. markers: 1 at two steps, −1 at the first and the last, 0 elsewhere and past the end.
    first, second: the two steps. at_start: whether one of them is step 0. inside: whether a step is before its sequence's end.
    lengths: None if all are of full length.
    """

    values: Float[torch.Tensor, "time batch"]
    markers: Float[torch.Tensor, "time batch"]
    first: Int[torch.Tensor, " batch"]
    second: Int[torch.Tensor, " batch"]
    at_start: Bool[torch.Tensor, " batch"]
    inside: Bool[torch.Tensor, "time batch"]
    lengths: Int[torch.Tensor, " batch"] | None


def marked(count: int, length: int, source: torch.Generator) -> Marked:
    """Draw `count` sequences of length … 11/10 · length steps. One mark among the first ten steps or, if that is less, in the
    first half; the other elsewhere in the first half.
    """
    lengths = torch.randint(length, length + length // 10 + 1, (count,), generator=source)
    steps, every, half = int(lengths.max()), torch.arange(count), length // 2
    values = torch.rand(steps, count, generator=source)
    first = torch.randint(min(FIRST, half), (count,), generator=source)
    second = torch.randint(half - 1, (count,), generator=source)
    second += second >= first  # elsewhere
    markers = torch.zeros(steps, count)
    markers[0] = -1
    markers[lengths - 1, every] = -1
    markers[first, every] = markers[second, every] = 1
    inside = torch.arange(steps).unsqueeze(1) < lengths
    at_start = (first == 0) | (second == 0)
    return Marked(values, markers, first, second, at_start, inside, None if bool(inside.all()) else lengths)


def chance_at_start(length: int) -> float:
    """How likely a mark falls on step 0: the one mark, or else the other, drawn from the half less one step."""
    one = 1 / min(FIRST, length // 2)
    return one + (1 - one) / (length // 2 - 1)
