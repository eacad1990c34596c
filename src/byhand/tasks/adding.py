"""Adding: two numbers among hundreds are marked, and their sum is asked for.

Each step brings a value, drawn evenly from −1 … 1, and a marker: 1 at two steps, −1 at the first and the last, 0 elsewhere. One
mark is among the first ten steps, the other in the first half, elsewhere; if one falls on the first step, that step's value is 0.
Sequences are T to T + T/10 steps long. After the last the answer is 0.5 + (v₁ + v₂) / 4, between 0 and 1, right within 0.04.

A worked example of 5 steps: values 0.3 −0.5 0.2 0.9 −0.1, markers −1 1 0 1 −1: the answer is 0.5 + (−0.5 + 0.9) / 4 = 0.6.

Chance: who always says 0.5 has a squared error of (1/3 + 1/3) / 16 = 0.0417, but half of that where the first step is marked, which
with T = 100 happens in 12 of 100 sequences: 0.0392 in all, and wrong in 85 of 100.

Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, section 5.4.
"""

from __future__ import annotations

import torch

from byhand.tasks.kinds import Generated
from byhand.tasks.marked import chance_at_start, marked
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
        at_start, four = chance_at_start(length), 4 * self.form.tolerance
        right = at_start * four + (1 - at_start) * (four - four**2 / 4)  # of one value evenly from -1 … 1; of a sum of two
        self.baselines = {"always 0.5": {"mse": (2 - at_start) / 48, "wrong": 1 - right}}

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        drawn, every = marked(count, self.length, source), torch.arange(count)
        values = drawn.values * 2 - 1
        values[0, drawn.at_start] = 0
        target = 0.5 + (values[drawn.first, every] + values[drawn.second, every]) / 4
        input = torch.stack((values, drawn.markers), -1) * drawn.inside.unsqueeze(-1)
        return Sequences(input, target.unsqueeze(-1), drawn.lengths)
