"""Parity: is the number of ones so far odd?

Each step brings a bit, 0 or 1 with equal chance. Running, the target at each step is 1 if an odd number of ones has come, this one
included, and 0 otherwise; not running, that is asked for after the last step only. One bit of memory suffices, but every 1 must turn
it over, and without the whole sequence nothing is known. Running parity teaches the turning at every step; final parity is a class
that changes with each single bit, which leaves a gradient little to follow.

A worked example:

    read      1 0 1 1 0
    running   1 1 0 1 1
    final             1

Chance: guessing is right in half, and it takes 1 bit to say the answer. Who knows all bits but one does no better.

Bengio, Simard & Frasconi, Learning Long-Term Dependencies with Gradient Descent is Difficult, IEEE Transactions on Neural Networks
5(2), 1994, the parity problem (final); Minsky & Papert, Perceptrons, 1969.
"""

from __future__ import annotations

import torch

from byhand.tasks.generated import Generated
from byhand.tasks.task import Form, Part, Sequences, at_least


class Parity(Generated):
    """Is the number of ones even or odd?

    Args:
        length: bits of a sequence.
        running: asked for at every step; else after the last.
        batch_size: sequences in a batch.
        batches: of a training epoch.
        sequences: of the validation part, and of the test part.
        seed: of all that is drawn.
    """

    def __init__(
        self,
        length: int = 20,
        running: bool = True,
        batch_size: int = 32,
        batches: int = 100,
        sequences: int = 1000,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, batches, sequences, seed)
        at_least("length", length, 1)
        self.length, self.running, self.outputs = length, running, ("even", "odd")
        when = "at each step" if running else "at its end"
        self.about = f"reads a row of ones and zeros and says {when} whether the number of ones is odd"
        self.form = Form(input_size=2, output_size=2, goal="classification", every=running, symbols=True)
        self.baselines = {"guessing": {"accuracy": 0.5, "bits": 1.0}}

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        bits = torch.randint(2, (self.length, count), generator=source)
        parity = bits.cumsum(0) % 2
        return Sequences(bits, parity if self.running else parity[-1])
