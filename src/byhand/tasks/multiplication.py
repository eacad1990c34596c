"""Multiplication: two numbers among hundreds are marked, and their product is asked for.

As Adding, but values are drawn evenly from 0 … 1, and the answer after the last step is v₁ · v₂, right within 0.04. Adding up as
values come is of no use here. If a mark falls on the first step, that step's value is 1.

A worked example of 5 steps: values 0.3 0.5 0.2 0.9 0.1, markers −1 1 0 1 −1: the answer is 0.5 · 0.9 = 0.45.

Chance: who always says the mean. v₁ · v₂ has mean 1/4 and variance 1/9 − 1/16 = 0.0486; where the first step is marked, the answer
is a single v, with mean 1/2 and variance 1/12. With T = 100 that happens in 12 of 100 sequences, so that the mean of all is 0.280,
the squared error 0.0592, and 90 of 100 answers are wrong: a product is below p with chance p · (1 − ln p), a value with chance p.

Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, section 5.5.
"""

from __future__ import annotations

import math

import torch

from byhand.tasks.kinds import Generated
from byhand.tasks.marked import chance_at_start, marked
from byhand.tasks.task import Form, Part, Sequences, at_least


class Multiplication(Generated):
    """length: T, the least number of steps. The rest as in Generated."""

    form = Form(input_size=2, output_size=1, goal="values", tolerance=0.04)

    def __init__(
        self, length: int = 100, batch_size: int = 32, batches: int = 100, sequences: int = 2560, seed: int = 0
    ) -> None:
        super().__init__(batch_size, batches, sequences, seed)
        at_least("length", length, 4)
        self.length = length
        self.baselines = {"always the mean": always_the_mean(chance_at_start(length), self.form.tolerance)}

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        drawn, every = marked(count, self.length, source), torch.arange(count)
        values = drawn.values
        values[0, drawn.at_start] = 1
        target = values[drawn.first, every] * values[drawn.second, every]
        input = torch.stack((values, drawn.markers), -1) * drawn.inside.unsqueeze(-1)
        return Sequences(input, target.unsqueeze(-1), drawn.lengths)


def always_the_mean(single: float, tolerance: float) -> dict[str, float]:
    """What it gets where the answer is one value with chance `single`, and a product of two otherwise."""

    def below(p: float) -> float:
        return single * p + (1 - single) * p * (1 - math.log(p))

    mean = single / 2 + (1 - single) / 4
    mse = single / 3 + (1 - single) / 9 - mean**2
    return {"mse": mse, "wrong": 1 - (below(mean + tolerance) - below(mean - tolerance))}
