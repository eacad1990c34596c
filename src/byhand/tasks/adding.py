"""Adding: two numbers among hundreds are marked, and their sum is asked for.

Each step brings a value, drawn evenly from −1 … 1, and a marker: 1 at two steps, −1 at the first and the last, 0 elsewhere. One
mark is among the first ten steps, the other in the first half, elsewhere; if one falls on the first step, that step's value is 0.
Sequences are T to T + T/10 steps long. After the last the answer is 0.5 + (v₁ + v₂) / 4, between 0 and 1, right within 0.04.

A worked example of 5 steps: values 0.3 −0.5 0.2 0.9 −0.1, markers −1 1 0 1 −1: the answer is 0.5 + (−0.5 + 0.9) / 4 = 0.6.

Chance: who always says 0.5 has a squared error of (1/3 + 1/3) / 16 = 0.0417 and is wrong in 85 of 100.

Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, section 5.4.
"""

from __future__ import annotations

import torch

from byhand.tasks.kinds import Generated
from byhand.tasks.task import Form, Part, Sequences, at_least


class Adding(Generated):
    """length: T, the least number of steps. The rest as in Generated."""

    form = Form(input_size=2, output_size=1, goal="values", tolerance=0.04)

    def __init__(
        self, length: int = 100, batch_size: int = 32, batches: int = 100, sequences: int = 2560, seed: int = 0
    ) -> None:
        super().__init__(batch_size, batches, sequences, seed)
        at_least("length", length, 4)
        self.length = length
        self.baselines = {"always 0.5": {"mse": 1 / 24, "wrong": 1 - 0.1536}}

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        lengths = torch.randint(self.length, self.length + self.length // 10 + 1, (count,), generator=source)
        steps, every = int(lengths.max()), torch.arange(count)
        values = torch.rand(steps, count, generator=source) * 2 - 1
        markers = torch.zeros(steps, count)
        early, half = min(10, self.length // 2), self.length // 2
        first = torch.randint(early, (count,), generator=source)
        second = torch.randint(half - 1, (count,), generator=source)
        second += second >= first  # elsewhere
        markers[0] = -1
        markers[lengths - 1, every] = -1
        markers[first, every] = markers[second, every] = 1
        values[0, (first == 0) | (second == 0)] = 0
        target = 0.5 + (values[first, every] + values[second, every]) / 4
        input = torch.stack((values, markers), -1) * (torch.arange(steps).unsqueeze(1) < lengths).unsqueeze(-1)
        return Sequences(input, target.unsqueeze(-1), None if bool((lengths == steps).all()) else lengths)
