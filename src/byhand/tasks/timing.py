"""Timing: how long was it since the spike before?

Each step brings silence (0) or a spike (1). A sequence starts with a spike; the next ones come after intervals drawn evenly from
least … most steps, as many as `intervals` says, and with the last of them it ends. At each spike but the first the target is the
interval that has just passed, as its number among those that there are: 0 is `least`. Nothing is asked for in between, so that
nothing but the count of steps is of use, and it has to be right to the step.

A worked example, of intervals 2 or 3, two of them: 3, then 2.

    read      1 0 0 1 0 1
    target    . . . 1 . 0

Chance: with k = most − least + 1 intervals guessing is right in 1/k and takes log₂ k bits; past intervals say nothing.

After the measuring of spike delays in Gers, Schraudolph & Schmidhuber, Learning Precise Timing with LSTM Recurrent Networks, Journal
of Machine Learning Research 3, 2002: spikes 49 or 50 steps apart are distinguished.
"""

from __future__ import annotations

import math

import torch

from byhand.tasks.generated import Generated
from byhand.tasks.task import IGNORE_INDEX, Form, Part, Sequences, at_least


class Timing(Generated):
    """How long was it since the spike before?

    Args:
        least: steps of the shortest interval, from spike to spike.
        most: steps of the longest one.
        intervals: of a sequence.
        batch_size: sequences in a batch.
        batches: of a training epoch.
        sequences: of the validation part, and of the test part.
        seed: of all that is drawn.

    Raises:
        ValueError: most is not above least.
    """

    def __init__(
        self,
        least: int = 49,
        most: int = 50,
        intervals: int = 3,
        batch_size: int = 32,
        batches: int = 100,
        sequences: int = 1000,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, batches, sequences, seed)
        at_least("least", least, 1)
        at_least("most", most, least + 1)
        at_least("intervals", intervals, 1)
        self.least, self.most, self.intervals = least, most, intervals
        self.outputs = [str(steps) for steps in range(least, most + 1)]
        many = most - least + 1
        self.about = f"reads spikes and silence and says at each spike how long ago the one before was, {least} to {most} steps"
        self.form = Form(input_size=2, output_size=many, goal="classification", every=True, symbols=True)
        self.baselines = {"guessing": {"accuracy": 1 / many, "bits": math.log2(many)}}

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        drawn = torch.randint(self.form.output_size, (self.intervals, count), generator=source)
        spikes, every = (drawn + self.least).cumsum(0), torch.arange(count).expand(self.intervals, -1)
        lengths = spikes[-1] + 1
        read = torch.zeros(int(lengths.max()), count, dtype=torch.long)
        target = torch.full_like(read, IGNORE_INDEX)
        read[0], read[spikes, every] = 1, 1
        target[spikes, every] = drawn
        return Sequences(read, target, None if bool((lengths == len(read)).all()) else lengths)
