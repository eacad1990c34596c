"""Embedded Reber: strings of a small grammar, whose last letter but one is the second one again.

A string is read a symbol a step, and each time the next one is predicted; of B T S X P V E one or two are legal. Nearly all of that
follows from the last symbols (the grammar is in reber.py). But the last symbol but one is T or P as the second was, and
between them lie five symbols or more: who forgets the second takes one of the two for the other.

A worked example, with what may come next (BTSSXSE is a Reber string):

    read   B   T   B   T   S   S   X   S   E   T
    next   T   B   T   S   S   X   S   E   T   E
    legal  TP  B   TP  SX  SX  SX  XS  E   T   E

Chance: a string has 12 symbols on average, 11 of them asked for, in 7 of which there are two ways. Who knows the grammar, but for the
second symbol, has one more way than there is: right in 7 of 11, with 8/11 bits a symbol, and half of the strings are predicted
legally throughout. With the second symbol remembered it is 7.5 of 11, 7/11 bits and all strings. The most frequent symbol is right
in 23 of 100, and never throughout.

Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, section 5.1; the grammar in the grammar: Smith &
Zipser 1989; Cleeremans, Servan-Schreiber & McClelland 1989; Fahlman 1991.
"""

from __future__ import annotations

import torch

from byhand.tasks.generated import Generated
from byhand.tasks.reber import AFTER, END, FREQUENT, LEGAL, START, SYMBOL, SYMBOLS, guesses, visits
from byhand.tasks.task import IGNORE_INDEX, Form, Part, Sequences


class EmbeddedReber(Generated):
    """Strings of the embedded Reber grammar: 9 symbols or more, without a limit; one of 40 is rare.

    Args:
        batch_size: sequences in a batch.
        batches: of a training epoch.
        sequences: of the validation part, and of the test part.
        seed: of all that is drawn.
    """

    about = "reads a string of a small grammar and says which letter may come next; the last but one is the second one again"
    form = Form(len(SYMBOLS), len(SYMBOLS), goal="next_symbol", every=True, symbols=True)

    def __init__(self, batch_size: int = 32, batches: int = 100, sequences: int = 1000, seed: int = 0) -> None:
        super().__init__(batch_size, batches, sequences, seed)
        asked = visits().index_fill(0, torch.tensor([START]), 0)  # of the first B nothing has been read that could tell it
        found = guesses(asked, 0.5)
        self.baselines = found | {FREQUENT: found[FREQUENT] | {"solved": 0.0}}

    def draw(self, count: int, source: torch.Generator, part: Part) -> Sequences:
        states, ways = [torch.full((count,), START)], []
        while bool((states[-1] != END).any()):
            ways.append(torch.randint(2, (count,), generator=source))
            states.append(AFTER[states[-1], ways[-1]])
        state = torch.stack(states[:-1])
        symbol, inside = SYMBOL[state, torch.stack(ways)], state[1:] != END
        target = symbol[1:].where(inside, IGNORE_INDEX)
        lengths = inside.sum(0)
        return Sequences(symbol[:-1] * inside, target, None if bool(inside.all()) else lengths, LEGAL[state[1:]])


def strings(batch: Sequences) -> list[str]:
    """The batch as letters, each sequence with the symbol after its last step."""
    found = []
    for sequence in range(batch.input.shape[1]):
        length = len(batch.input) if batch.lengths is None else int(batch.lengths[sequence])
        numbers = [*batch.input[:length, sequence].tolist(), int(batch.target[length - 1, sequence])]
        found.append("".join(SYMBOLS[number] for number in numbers))
    return found
