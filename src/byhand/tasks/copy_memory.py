"""Copy memory: ten symbols are to be said again after a long blank.

First come 10 symbols, each one of 8; then blanks, 8, all along but for a delimiter, 9, that ends the delay and says: now. The target
is blank until then, and after it the 10 symbols in their order. With a delay of T a sequence has T + 20 steps.

A worked example with 3 symbols instead of 10, and a delay of 4:

    read   5 0 2 8 8 8 9 8 8 8
    say    8 8 8 8 8 8 8 5 0 2

Chance: who counts steps but remembers nothing says blank, and then guesses: 10 · ln 8 / (T + 20) nats a step on average, which is
30 / (T + 20) bits: 0.1733 nats or 0.25 bits with T = 100; and right in T + 10 + 10/8 of T + 20 steps.

Arjovsky, Shah & Bengio, Unitary Evolution Recurrent Neural Networks, ICML 2016, the copying memory problem; after Hochreiter &
Schmidhuber 1997.
"""

from __future__ import annotations

import torch

from byhand.tasks.generated import Generated
from byhand.tasks.task import Form, Part, Sequences, at_least

SYMBOLS, ITEMS = 8, 10
BLANK, DELIMITER = 8, 9


class CopyMemory(Generated):
    """Ten symbols are to be said again after a delay.

    Args:
        delay: T, the steps from the last symbol to the first that is to be said, less one.
        batch_size: sequences in a batch.
        batches: of a training epoch.
        sequences: of the validation part, and of the test part.
        seed: of all that is drawn.
    """

    outputs = (*map(str, range(SYMBOLS)), "blank")
    about = "reads ten symbols and a long blank, and then says the ten symbols again"
    form = Form(input_size=SYMBOLS + 2, output_size=SYMBOLS + 1, goal="classification", every=True, symbols=True)

    def __init__(
        self, delay: int = 100, batch_size: int = 32, batches: int = 100, sequences: int = 1000, seed: int = 0
    ) -> None:
        super().__init__(batch_size, batches, sequences, seed)
        at_least("delay", delay, 1)
        self.delay = delay
        steps = delay + 2 * ITEMS
        right = (delay + ITEMS + ITEMS / SYMBOLS) / steps
        self.baselines = {"blank, then guessing": {"accuracy": right, "bits": 3 * ITEMS / steps}}

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        items = torch.randint(SYMBOLS, (ITEMS, count), generator=source)
        blanks = torch.full((self.delay + ITEMS, count), BLANK)
        input, target = torch.cat((items, blanks)), torch.cat((blanks, items))
        input[ITEMS + self.delay - 1] = DELIMITER
        return Sequences(input, target)
