"""The embedded Reber grammar as a machine, walked by many strings at once.

A string is B, then T or P, then a Reber string, then the same T or P again, then E. A Reber string goes from state 0 to state 7 of

    0 ─B→ 1;   1 ─T→ 2, ─P→ 3;   2 ─S→ 2, ─X→ 4;   3 ─T→ 3, ─V→ 5;   4 ─X→ 3, ─S→ 6;   5 ─P→ 4, ─V→ 6;   6 ─E→ 7

and where there are two ways, both are as likely. The embedded grammar has that twice, once after T and once after P, since a machine
remembers by where it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import one_hot

if TYPE_CHECKING:
    from jaxtyping import Float, Int

SYMBOLS = "BTSXPVE"
INNER = ({"B": 1}, {"T": 2, "P": 3}, {"S": 2, "X": 4}, {"T": 3, "V": 5}, {"X": 3, "S": 6}, {"P": 4, "V": 6}, {"E": 7})
START, END = 0, 19
FREQUENT = "the most frequent symbol"


def embedded() -> list[dict[str, int]]:
    """State -> symbol -> next state."""
    ways = [{"B": 1}, {"T": 2, "P": 2 + len(INNER) + 1}]
    for letter in "TP":
        first = len(ways)
        ways += [{symbol: first + after for symbol, after in inner.items()} for inner in INNER]
        ways.append({letter: END - 1})
    return [*ways, {"E": END}]


WAYS = embedded()
PAIRS = [list(ways.items()) * (2 // len(ways)) for ways in WAYS] + [[("B", END)] * 2]  # the one way twice; past the end nothing
SYMBOL = torch.tensor([[SYMBOLS.index(symbol) for symbol, _ in pair] for pair in PAIRS])  # (state, way)
AFTER = torch.tensor([[after for _, after in pair] for pair in PAIRS])  # (state, way)
AGAIN = AFTER.where(AFTER != END, START)  # one string after another
LEGAL = one_hot(SYMBOL, len(SYMBOLS)).sum(1) > 0  # (state, symbol)
LEGAL[END] = False
REPEATS = torch.tensor([at for at, ways in enumerate(WAYS) if END - 1 in ways.values()])  # where the second symbol comes again


def walk(start: Int[Tensor, " strings"], ways: Int[Tensor, "steps strings"]) -> Int[Tensor, "steps+1 strings"]:
    """The states that are passed, string after string without end."""
    states = [start]
    for way in ways:
        states.append(AGAIN[states[-1], way])
    return torch.stack(states)


def moves() -> Float[Tensor, "state state"]:
    """How likely each state comes after each, string after string."""
    found = torch.zeros(END, END, dtype=torch.float64)
    for way in range(2):
        found[torch.arange(END), AGAIN[:END, way]] += 0.5
    return found


def visits() -> Float[Tensor, " state"]:
    """How often a string passes each state, on average: v = start + v·M, with the moves M inside a string."""
    inside = moves()
    inside[:, START] = 0
    return torch.linalg.solve(torch.eye(END, dtype=torch.float64) - inside.T, one_hot(torch.tensor(START), END).double())


def guesses(often: Float[Tensor, " state"], unharmed: float) -> dict[str, dict[str, float]]:
    """Baseline -> its metrics. often: how often each state's next symbol is asked for. unharmed: the share of sequences without
    an error if each repetition of a second symbol is guessed.
    """
    share = often / often.sum()
    frequency = share @ one_hot(SYMBOL[:END], len(SYMBOLS)).double().mean(1)
    legal = LEGAL[:END].sum(1).double()
    forgetful = legal.index_fill(0, REPEATS, 2)
    return {
        FREQUENT: {"accuracy": float(frequency.max()), "bits": float(torch.special.entr(frequency).sum() / math.log(2))},
        "knows all but the second symbol": among(share, forgetful) | {"solved": unharmed},
        "knows the grammar": among(share, legal) | {"solved": 1.0},
    }


def among(share: Float[Tensor, " state"], many: Float[Tensor, " state"]) -> dict[str, float]:
    """The metrics of guessing among `many` symbols in each state, all equally likely."""
    return {"accuracy": float(share @ (1 / many)), "bits": float(share @ many.log2())}
