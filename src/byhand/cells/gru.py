"""The gated recurrent unit, as torch.nn.GRU computes it.

One hidden state h, exposed as it is. The update gate z mixes the old state with the candidate n; the reset gate r decides how
much of the old state the candidate is made from.

    r = σ(W_r·x + b_r + U_r·h + b′_r)
    z = σ(W_z·x + b_z + U_z·h + b′_z)
    n = tanh(W_n·x + b_n + r ⊙ (U_n·h + b′_n))
    h′ = (1 − z) ⊙ n + z ⊙ h

Not the GRU as first published, which resets before the recurrent product, U_n·(r ⊙ h); and there z and 1 − z change places.

>>> gru.worked({"r": 0.5, "z": -1.0, "n": 0.3}, h=0.5, u_n=0.4)
{'r': 0.6225, 'z': 0.2689, 'n': 0.4998, 'h': 0.4998}

Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk & Bengio, Learning Phrase Representations using RNN Encoder-Decoder,
EMNLP 2014; the form with the reset gate after the product is the one that cuDNN and torch compute.
"""

from torch import sigmoid, tanh

from byhand.cells.cell import Cell


def step(x, u, s, p):
    # r = σ(W_r·x + b_r + U_r·h + b′_r)
    r = sigmoid(x.r + u.r)
    # z = σ(W_z·x + b_z + U_z·h + b′_z)
    z = sigmoid(x.z + u.z)
    # n = tanh(W_n·x + b_n + r ⊙ (U_n·h + b′_n))
    n = tanh(x.n + r * u.n)
    # h′ = (1 − z) ⊙ n + z ⊙ h
    h = (1 - z) * n + z * s.h
    return (h,), {"r": r, "z": z, "n": n, "h": h}


gru = Cell(
    name="gru",
    gates=("r", "z", "n"),
    state=("h",),
    step=step,
    labels={"r": "reset gate", "z": "update gate", "n": "candidate", "h": "memory"},
    cite="Cho et al. 2014",
)
