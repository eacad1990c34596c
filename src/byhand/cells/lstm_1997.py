"""The LSTM of 1997.

The long memory is only ever added to: its self-connection is fixed at 1, so an error that reaches it travels back unchanged, for
ever (the constant error carousel). One input and one output gate serve a block of memory cells. Everything in the hidden layer
reads everything in it, the gates included; and learning is truncated: no error flows back through what the hidden layer read
from itself, only along the memories.

    i = σ(net_i),  o = σ(net_o)           one a block
    g = 4·σ(net_g) − 2                    squashed into −2…2
    c′ = c + i ⊙ g
    h′ = o ⊙ (2·σ(c′) − 1)                squashed into −1…1

with net = W·x + U·(h, i, o) + b for each of i, o, g, where h, i, o are those of the step before.

Not the LSTM that the name means today: no forget gate (that came in 2000), no tanh, one bias, the wider recurrent matrix, the truncated
gradient. `lstm_1997` has blocks of one cell; `lstm_1997_blocks(2)` has blocks of two, for a hidden size that two divides.

>>> lstm_1997.worked({"i": 0.5, "o": -0.5, "g": 0.3}, c=1.0)["c"]
1.1853

Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997.
"""

from torch import sigmoid

from byhand.cells.cell import Cell


def step(x, u, s, p):
    # i = σ(net_i),  o = σ(net_o)
    i = sigmoid(x.i + u.i)
    o = sigmoid(x.o + u.o)
    # g = 4·σ(net_g) − 2
    g = 4 * sigmoid(x.g + u.g) - 2
    # c′ = c + i ⊙ g
    c = s.c + i * g
    # h′ = o ⊙ (2·σ(c′) − 1)
    squashed_c = 2 * sigmoid(c) - 1
    h = o * squashed_c
    return (h, c, i, o), {"i": i, "o": o, "g": g, "c": c, "squashed_c": squashed_c, "h": h}


def lstm_1997_blocks(size: int) -> Cell:
    """The LSTM of 1997 with memory cell blocks of `size` cells, which share an input and an output gate."""
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"lstm_1997_blocks expected a block size of at least 1 cell, got {size!r}")
    return Cell(
        name="lstm_1997" if size == 1 else f"lstm_1997_blocks({size})",
        gates=("i", "o", "g"),
        state=("h", "c", "i", "o"),
        step=step,
        recurrent=("h", "i", "o"),
        shared={} if size == 1 else {"i": size, "o": size},
        biases=1,
        truncated=True,
        labels={
            "i": "input gate",
            "o": "output gate",
            "g": "squashed input",
            "c": "long memory",
            "squashed_c": "squashed long memory",
            "h": "short memory",
        },
        cite="Hochreiter & Schmidhuber 1997",
    )


lstm_1997 = lstm_1997_blocks(1)
