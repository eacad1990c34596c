"""The gated recurrent unit as first published: the reset gate acts before the recurrent product.

One hidden state h, exposed as it is. The reset gate r decides which units of the old state the candidate n can read at all; the update
gate z mixes the old state with the candidate.

    r = σ(W_r·x + b_r + U_r·h + b′_r)
    z = σ(W_z·x + b_z + U_z·h + b′_z)
    n = tanh(W_n·x + b_n + U_n·(r ⊙ h) + b′_n)
    h′ = (1 − z) ⊙ n + z ⊙ h

Not `gru`, which is torch.nn.GRU: that one resets after the product, r ⊙ (U_n·h + b′_n), so that all products of a step are one.
Parameters have the same names and sizes in both, but the weights of one are of no use to the other. Not elementwise: r of one unit
reaches the candidate of all, so the cell runs on the reference engine.

One unit, whose weight U_n is 0.4:

>>> gru_reset_before.worked({"r": 0.5, "z": -1.0, "n": 0.3}, h=0.5, u_n=0.4)
{'r': 0.6225, 'z': 0.2689, 'n': 0.4007, 'h': 0.4274}

Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk & Bengio, Learning Phrase Representations using RNN Encoder-Decoder,
EMNLP 2014. ONNX's GRU with linear_before_reset=0 (its default), Keras's GRU with reset_after=False, and, with z and 1 − z in each other's
place, Haiku's GRU are this cell, with one bias in place of two.
"""

from torch import sigmoid, tanh

from byhand.cells.cell import Cell
from byhand.cells.gru import gru


def step(x, u, s, p):
    # r = σ(W_r·x + b_r + U_r·h + b′_r)
    r = sigmoid(x.r + u.r)
    # z = σ(W_z·x + b_z + U_z·h + b′_z)
    z = sigmoid(x.z + u.z)
    # n = tanh(W_n·x + b_n + U_n·(r ⊙ h) + b′_n)
    n = tanh(x.n + u.n(r * s.h))
    # h′ = (1 − z) ⊙ n + z ⊙ h
    h = (1 - z) * n + z * s.h
    return (h,), {"r": r, "z": z, "n": n, "h": h}


gru_reset_before = Cell(
    name="gru_reset_before",
    gates=("r", "z", "n"),
    state=("h",),
    step=step,
    inner=("n",),
    elementwise=False,
    labels=gru.labels,
    cite="Cho et al. 2014",
)
