"""aⁿ bⁿ: as many b as there were a, for n larger than any that was trained.

A string is S, then n times a, n times b, and with `symbols` 3 n times c, then T. It is read a symbol a step, and each time the next
one is predicted. While a's come, another a or the first b is legal; from then on all is certain, for who has counted. Training and
validation draw n evenly from least … most, the test from test_least … test_most: who counts instead of remembering strings goes on
beyond what was trained. The language without bound needs a counter for aⁿ bⁿ (it is context-free), and more than a stack for aⁿ bⁿ cⁿ.

A worked example, n = 2:

    read   S   a   a   b   b
    next   a   a   b   b   T
    legal  a   ab  ab  b   T

Chance: with k symbols and N the mean of n, a string asks for k·N + 1 symbols. Who says the letter before (and a after S) is wrong
each time that the letter changes: right in 1 + k·(N − 1) of them, and no string is solved. Who knows the language, and how n is
drawn, needs as many bits as it takes to say n, and is wrong once a string unless n is the largest.

Gers & Schmidhuber, LSTM Recurrent Networks Learn Simple Context-Free and Context-Sensitive Languages, IEEE Transactions on Neural
Networks 12(6), 2001.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch.nn.functional import one_hot

from byhand.tasks.generated import Generated
from byhand.tasks.task import IGNORE_INDEX, Form, Part, Sequences, at_least

START, A, B = 0, 1, 2  # then c where there is one, then T


class AnBn(Generated):
    """Strings that can only be predicted by counting.

    Args:
        symbols: 2, for aⁿ bⁿ, or 3, for aⁿ bⁿ cⁿ.
        least: the least n in training and validation.
        most: the greatest n there.
        test_least: the least n in the test.
        test_most: the greatest n there.
        batch_size: sequences in a batch.
        batches: of a training epoch.
        sequences: of the validation part, and of the test part.
        seed: of all that is drawn.

    Raises:
        ValueError: for other symbols, or if a least is above its most.
    """

    def __init__(
        self,
        symbols: Literal[2, 3] = 2,
        least: int = 1,
        most: int = 10,
        test_least: int = 1,
        test_most: int = 30,
        batch_size: int = 32,
        batches: int = 100,
        sequences: int = 1000,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, batches, sequences, seed)
        if symbols not in (2, 3):
            raise ValueError(f"symbols: expected 2 or 3, got {symbols!r}")
        for name, value in (("least", least), ("test_least", test_least)):
            at_least(name, value, 1)
        at_least("most", most, least)
        at_least("test_most", test_most, test_least)
        self.symbols, self.outputs = symbols, [*"Sabc"[: symbols + 1], "T"]
        self.ranges: dict[Part, tuple[int, int]] = {
            "train": (least, most),
            "val": (least, most),
            "test": (test_least, test_most),
        }
        words = "as many b as there were a" if symbols == 2 else "as many b, and then as many c, as there were a"
        self.about = f"reads a string of letters, {words}, and says which letter may come next"
        self.form = Form(symbols + 2, symbols + 2, goal="next_symbol", every=True, symbols=True)
        self.baselines = guesses(symbols, test_least, test_most)

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        least, most = self.ranges[part]
        n = torch.randint(least, most + 1, (count,), generator=source)
        lengths = self.symbols * n + 1
        step = torch.arange(int(lengths.max()) + 1).unsqueeze(1)
        string = torch.where(step == 0, START, A + ((step - 1) // n).clamp(max=self.symbols))
        read, following, inside = string[:-1], string[1:], step[:-1] < lengths
        legal = one_hot(following, self.form.output_size).bool()
        legal[..., A : B + 1] |= (read == A).unsqueeze(-1)
        target = following.where(inside, IGNORE_INDEX)
        return Sequences(read * inside, target, None if bool(inside.all()) else lengths, legal & inside.unsqueeze(-1))


def guesses(symbols: int, least: int, most: int) -> dict[str, dict[str, float]]:
    """What guessers get where n is drawn evenly from least … most."""
    mean, many = (least + most) / 2, most - least + 1
    asked = symbols * mean + 1
    return {
        "the letter before": {"accuracy": (1 + symbols * (mean - 1)) / asked, "solved": 0.0},
        "knows the language and how n is drawn": {
            "accuracy": 1 - (1 - 1 / many) / asked,
            "bits": math.log2(many) / asked,
            "solved": 1.0,
        },
    }
