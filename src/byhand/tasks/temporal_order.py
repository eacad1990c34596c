"""Temporal order: two or three of a hundred letters matter, and in which order they came is asked for.

A sequence starts with E and ends with B, the trigger; between them are letters drawn evenly from a, b, c, d, but for two (kind
"6a") or three ("6b") that are X or Y, each with chance 1/2. Sequences are 100 to 110 steps long. Counting from 0, those letters are

    6a   one of steps 10 … 20, one of 50 … 60                      4 classes  XX XY YX YY
    6b   one of steps 10 … 20, one of 33 … 43, one of 66 … 76      8 classes  XXX XXY XYX XYY YXX YXY YYX YYY

and after the last step the class is asked for, numbered from 0 in that order. With another `length` than 100 all steps scale.

A worked example of 6a with length 10: E c Y a d X b a d B is YX, class 2.

Chance: guessing is right in 1/4 or 1/8, and it takes 2 or 3 bits to say the class.

Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, section 5.6.
"""

from __future__ import annotations

from itertools import product
from typing import Literal

import torch

from byhand.tasks.generated import Generated
from byhand.tasks.task import Form, Part, Sequences, at_least

SYMBOLS = "abcdBEXY"
WHERE = {"6a": ((10, 20), (50, 60)), "6b": ((10, 20), (33, 43), (66, 76))}  # of 100 steps


class TemporalOrder(Generated):
    """In which order did the two, or three, symbols come that matter?

    Args:
        kind: "6a", two symbols and four classes, or "6b", three and eight.
        length: the least number of steps; the most is a tenth more.
        batch_size: sequences in a batch.
        batches: of a training epoch.
        sequences: of the validation part, and of the test part.
        seed: of all that is drawn.

    Raises:
        ValueError: the kind is neither.
    """

    def __init__(
        self,
        kind: Literal["6a", "6b"] = "6a",
        length: int = 100,
        batch_size: int = 32,
        batches: int = 100,
        sequences: int = 2560,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, batches, sequences, seed)
        if kind not in WHERE:
            raise ValueError(f"kind: expected '6a' or '6b', got {kind!r}")
        at_least("length", length, 10)
        self.kind, self.length = kind, length
        letters = len(WHERE[kind])
        self.outputs = ["".join(order) for order in product("XY", repeat=letters)]
        many = "two" if letters == 2 else "three"
        self.about = f"reads a long row of letters, {many} of them X or Y, and says in which order these stood"
        self.form = Form(input_size=len(SYMBOLS), output_size=2**letters, goal="classification", symbols=True)
        self.baselines = {"guessing": {"accuracy": 0.5**letters, "bits": float(letters)}}

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        lengths = torch.randint(self.length, self.length + self.length // 10 + 1, (count,), generator=source)
        steps, every = int(lengths.max()), torch.arange(count)
        input = torch.randint(4, (steps, count), generator=source)
        input[0] = SYMBOLS.index("E")
        target = torch.zeros(count, dtype=torch.long)
        for window in WHERE[self.kind]:
            least, most = (percent * self.length // 100 for percent in window)
            where = torch.randint(least, most + 1, (count,), generator=source)
            is_y = torch.randint(2, (count,), generator=source)
            input[where, every] = SYMBOLS.index("X") + is_y
            target = 2 * target + is_y
        input[lengths - 1, every] = SYMBOLS.index("B")
        inside = torch.arange(steps).unsqueeze(1) < lengths
        return Sequences(input * inside, target, None if bool(inside.all()) else lengths)
