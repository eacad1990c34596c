"""Embedded Reber by the algorithm of the paper's appendix, in numpy: real-time recurrent learning, truncated, a step at every symbol.

    python -m experiments.hochreiter1997_recipe.appendix [--seeds 10] [--blocks 3 --size 2] [--rate 0.5]

Nothing of the library's LSTM, of autograd or of torch's optimisers has a part in it; only the strings are the library's. So it shows
whether they are to blame where the recipe fails. Writes a row a seed to appendix.csv beside this file if all is as above.

The memory c of a cell is a sum over time, and so is how it depends on a weight, as far as the truncated gradient counts it; both
are carried along. With y all that the hidden layer reads (the symbol, and its own h, i, o of the step before):

    ∂c/∂W_g += i · g′ · y,   ∂c/∂W_i += g · i·(1 − i) · y
    δ_k = p_k·(1 − p_k)·(t_k − p_k) of the outputs p,   e = Wᵀ·δ of a cell
    ΔW_o = rate · Σ_block e · s(c) · o·(1 − o) · y,   ΔW_g, ΔW_i = rate · e · o · s′(c) · ∂c/∂W

Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997, appendix A.1.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from byhand.tasks import EmbeddedReber
from byhand.tasks.reber import SYMBOLS
from byhand.tasks.task import IGNORE_INDEX, Sequences

TABLE = Path(__file__).with_name("appendix.csv")
MANY = len(SYMBOLS)
PIECE, MOST = 1000, 40_000  # strings between two looks at the 256 of validation; strings in all


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


class String(NamedTuple):
    """read, next: (steps,) symbols. legal: (steps, symbols), those that may come next."""

    read: np.ndarray
    next: np.ndarray
    legal: np.ndarray


class Network:
    """Blocks of cells under one pair of gates; gates have biases, cells and outputs have none: 276 weights for 3 blocks of 2.

    hidden: (cells + 2·blocks, symbols + cells + 2·blocks + 1), rows i, o, g, columns symbol, h, i, o, bias. outputs: (symbols, cells).
    """

    def __init__(self, source: np.random.Generator, blocks: int = 3, size: int = 2, reach: float = 0.2) -> None:
        self.blocks, self.size, self.cells = blocks, size, blocks * size
        rows = self.cells + 2 * blocks
        self.i, self.o, self.g = np.split(np.arange(rows), [blocks, 2 * blocks])
        self.hidden = source.uniform(-reach, reach, (rows, MANY + rows + 1))
        self.hidden[self.g, -1] = 0.0
        self.hidden[self.i, -1] = 0.0
        self.hidden[self.o, -1] = -np.arange(1, blocks + 1)
        self.outputs = source.uniform(-reach, reach, (MANY, self.cells))
        self.reset()

    def reset(self) -> None:
        """Before a string: empty memories."""
        width = self.hidden.shape[1]
        self.y = np.zeros(width)
        self.y[-1] = 1.0
        self.c, self.by_g, self.by_i = np.zeros(self.cells), np.zeros((self.cells, width)), np.zeros((self.cells, width))

    def read(self, symbol: int) -> np.ndarray:
        """How likely each symbol comes next, 0 … 1 each."""
        self.y[:MANY] = 0.0
        self.y[symbol] = 1.0
        s = sigmoid(self.hidden @ self.y)
        i, o, self.slope = (np.repeat(s[self.i], self.size), np.repeat(s[self.o], self.size), 4 * s[self.g] * (1 - s[self.g]))
        g = 4 * s[self.g] - 2
        self.by_g += np.outer(i * self.slope, self.y)
        self.by_i += np.outer(g * i * (1 - i), self.y)
        self.c = self.c + i * g
        self.squashed, self.open, self.seen = 2 * sigmoid(self.c) - 1, o, self.y.copy()
        self.h = o * self.squashed
        self.y[MANY:-1] = np.concatenate((self.h, s[self.i], s[self.o]))
        self.p = sigmoid(self.outputs @ self.h)
        return self.p

    def changes(self, target: int) -> tuple[np.ndarray, np.ndarray]:
        """Of hidden and outputs: downhill on half of the squared error of the step that was read last."""
        delta = self.p * (1 - self.p) * ((np.arange(MANY) == target) - self.p)
        e = delta @ self.outputs
        by_o = (e * self.squashed * self.open * (1 - self.open)).reshape(self.blocks, self.size).sum(1)
        by_c = (e * self.open * (1 - self.squashed**2) / 2)[:, None]
        hidden = np.zeros_like(self.hidden)
        hidden[self.g] = by_c * self.by_g
        hidden[self.g, -1] = 0.0
        hidden[self.i] = (by_c * self.by_i).reshape(self.blocks, self.size, -1).sum(1)
        hidden[self.o] = np.outer(by_o, self.seen)
        return hidden, np.outer(delta, self.h)

    def learn(self, string: String, rate: float) -> None:
        self.reset()
        for symbol, target in zip(string.read, string.next, strict=True):
            self.read(symbol)
            hidden, outputs = self.changes(target)
            self.hidden += rate * hidden
            self.outputs += rate * outputs

    def solves(self, string: String) -> bool:
        """At every step the legal symbols come before all others."""
        self.reset()
        return all(
            p[legal].min() > p[~legal].max()
            for p, legal in ((self.read(symbol), legal) for symbol, legal in zip(string.read, string.legal, strict=True))
        )


def strings(batch: Sequences) -> list[String]:
    read, target = batch.input.numpy(), batch.target.numpy()
    assert batch.legal is not None
    legal, asked = batch.legal.numpy(), target != IGNORE_INDEX
    return [String(read[its, at], target[its, at], legal[its, at]) for at, its in enumerate(asked.T)]


def train(seed: int, blocks: int, size: int, rate: float, most: int = MOST) -> tuple[int | None, int]:
    """After how many strings those of validation are all solved, None if never; and how many of the test are not."""
    task = EmbeddedReber(batch_size=PIECE, sequences=256, seed=seed)
    check, test = (strings(task.batch(part, 0, 0, 256)) for part in ("val", "test"))
    network, solved = Network(np.random.default_rng(seed), blocks, size), None
    for index in range(most // PIECE):
        for string in strings(task.batch("train", 0, index, PIECE)):
            network.learn(string, rate)
        if all(map(network.solves, check)):
            solved = (index + 1) * PIECE
            break
    return solved, sum(not network.solves(string) for string in test)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--size", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0.5)
    options = parser.parse_args()
    rows = []
    for seed in range(options.seeds):
        after, wrong = train(seed, options.blocks, options.size, options.rate)
        rows.append({"seed": seed, "strings": after or "", "wrong": wrong})
        print(
            f"seed {seed}: {f'solved after {after}' if after else f'not solved in {MOST}'} strings, {wrong} of 256 wrong",
            flush=True,
        )
    print(f"{sum(bool(row['strings']) for row in rows)} of {len(rows)} solved")
    if all(getattr(options, name) == parser.get_default(name) for name in ("seeds", "blocks", "size", "rate")):
        with TABLE.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
