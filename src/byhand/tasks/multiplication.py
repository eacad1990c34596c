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

from torch import Tensor

from byhand.tasks.marked_values import MarkedValues


class Multiplication(MarkedValues):
    """Two marked numbers are to be multiplied.

    Args:
        length: T, the least number of steps; the most is a tenth more.
        batch_size: sequences in a batch.
        batches: of a training epoch.
        sequences: of the validation part, and of the test part.
        seed: of all that is drawn.
    """

    lowest, neutral = 0, 1
    about = "reads a long row of numbers, two of them marked, and answers with the product of these two"

    def answer(self, one: Tensor, other: Tensor) -> Tensor:
        return one * other

    def guesses(self, at_start: float) -> dict[str, dict[str, float]]:
        return {"always the mean": always_the_mean(at_start, self.form.tolerance)}


def always_the_mean(single: float, tolerance: float) -> dict[str, float]:
    """What it gets where the answer is one value with chance `single`, and a product of two otherwise."""

    def below(p: float) -> float:
        return single * p + (1 - single) * p * (1 - math.log(p))

    mean = single / 2 + (1 - single) / 4
    mse = single / 3 + (1 - single) / 9 - mean**2
    return {"mse": mse, "wrong": 1 - (below(mean + tolerance) - below(mean - tolerance))}
