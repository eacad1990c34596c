"""Continual Reber: embedded Reber strings one after another, with nothing to say where one ends.

As Embedded Reber, but each sequence of a batch is a piece of a stream, one string after another without a pause, and the next batch
goes on where it ended; memories are carried on too. A network that never forgets fills up: it is for this that the LSTM got its
forget gate.

A worked example: the stream BTBPVVETEBPBTXSEPE…, cut after every 7 steps, is read and predicted as

    batch 0   read BTBPVVE   next TBPVVET
    batch 1   read TEBPBTX   next EBPBTXS

Chance: as in Embedded Reber, but the first B of a string is asked for too: who knows the grammar, but for the second symbol, is right
in 2 of 3 with 2/3 bits a symbol; with it in 17 of 24 with 7/12 bits; the most frequent symbol is right in 21 of 100. A piece is
solved if it is predicted legally throughout; who has forgotten the second symbol solves half of the pieces in which it is asked for
once, a quarter of those with two. (That is of long streams. They begin with a B, all of them, and the baselines count that in.)

Gers, Schmidhuber & Cummins, Learning to Forget: Continual Prediction with LSTM, Neural Computation 12(10), 2000.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from byhand.tasks.generated import generator
from byhand.tasks.reber import END, LEGAL, REPEATS, START, SYMBOL, SYMBOLS, guesses, moves, walk
from byhand.tasks.task import PARTS, Form, Part, Sequences, Task, at_least


class Streams(NamedTuple):
    """How far the streams of a part have been drawn, and where they stand: the symbol read last, and the state after it."""

    epoch: int
    size: int
    pieces: int
    symbol: Tensor
    state: Tensor


class ContinualReber(Task):
    """Embedded Reber strings in streams that never end, and start again with every epoch.

    Args:
        steps: of a piece of the streams, which is a batch.
        batch_size: streams side by side.
        pieces: of a training epoch.
        test_pieces: of the validation part, and of the test part.
        seed: of all that is drawn.

    Raises:
        ValueError: one of them is below 1, or the seed below 0.
    """

    about = "reads strings of a small grammar, one after another without a pause, and says which letter may come next"
    form = Form(len(SYMBOLS), len(SYMBOLS), goal="next_symbol", every=True, symbols=True, stateful=True)

    def __init__(self, steps: int = 50, batch_size: int = 32, pieces: int = 100, test_pieces: int = 100, seed: int = 0) -> None:
        super().__init__(batch_size, seed)
        for name, value in (("steps", steps), ("pieces", pieces), ("test_pieces", test_pieces)):
            at_least(name, value, 1)
        self.steps, self.pieces, self.test_pieces = steps, pieces, test_pieces
        self.drawn: dict[Part, Streams] = {}
        self.baselines = guesses(*expected(steps, test_pieces))

    def count(self, part: Part, size: int) -> int:
        return self.pieces if part == "train" else self.test_pieces

    def batch(self, part: Part, epoch: int, index: int, size: int) -> Sequences:
        """One after another is fast; for any other the streams are drawn again from their start."""
        at = self.drawn.get(part)
        if at is None or (at.epoch, at.size) != (epoch, size) or at.pieces > index:
            at = Streams(epoch, size, 0, torch.full((size,), SYMBOLS.index("B")), after_b(size))
        while at.pieces < index:
            _, at = self.piece(part, at)
        batch, self.drawn[part] = self.piece(part, at)
        return batch

    def piece(self, part: Part, at: Streams) -> tuple[Sequences, Streams]:
        """The next one, and where the streams stand after it."""
        key = (self.seed, PARTS.index(part), at.epoch, at.pieces)
        ways = torch.randint(2, (self.steps, at.size), generator=generator(*key))
        states = walk(at.state, ways)
        target = SYMBOL[states[:-1], ways]
        read = torch.cat((at.symbol.unsqueeze(0), target[:-1]))
        return Sequences(read, target, None, LEGAL[states[:-1]]), at._replace(
            pieces=at.pieces + 1, symbol=target[-1], state=states[-1]
        )


def after_b(size: int) -> Tensor:
    """The state after a string's first symbol, B, for each of `size` streams."""
    return walk(torch.full((size,), START), torch.zeros(1, size, dtype=torch.long))[-1]


def expected(steps: int, pieces: int) -> tuple[Tensor, float]:
    """How often streams pass each state; and the share of pieces without an error if each repetition of a second symbol is
    guessed, summed over all ways that a stream can take, halved at each repetition.
    """
    move, halved = moves(), moves()
    halved[REPEATS] /= 2
    one, many, unharmed = torch.zeros_like(move), torch.eye(END).double(), torch.ones(END).double()
    for _ in range(steps):
        one, many, unharmed = one + many, many @ move, halved @ unharmed
    where = one_hot(after_b(1), END).double().squeeze(0)
    often, solved = torch.zeros_like(where), 0.0
    for _ in range(pieces):
        often, solved, where = often + where @ one, solved + float(where @ unharmed) / pieces, where @ many
    return often, solved
