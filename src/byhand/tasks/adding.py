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

from torch import Tensor

from byhand.tasks.marked_values import MarkedValues


class Adding(MarkedValues):
    """Two marked numbers are to be added.

    Args:
        length: T, the least number of steps; the most is a tenth more.
        batch_size: sequences in a batch.
        batches: of a training epoch.
        sequences: of the validation part, and of the test part.
        seed: of all that is drawn.
    """

    lowest, neutral = -1, 0
    about = "reads a long row of numbers, two of them marked, and answers with the sum of these two, scaled to 0 … 1"

    def answer(self, one: Tensor, other: Tensor) -> Tensor:
        return 0.5 + (one + other) / 4

    def guesses(self, at_start: float) -> dict[str, dict[str, float]]:
        four = 4 * self.form.tolerance
        right = at_start * four + (1 - at_start) * (four - four**2 / 4)  # of one value evenly from -1 … 1; of a sum of two
        return {"always 0.5": {"mse": (2 - at_start) / 48, "wrong": 1 - right}}
