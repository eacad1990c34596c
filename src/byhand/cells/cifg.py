"""The LSTM with coupled input and forget gates.

What is forgotten makes room for what is written: one gate serves for both, and a quarter of the weights is saved.

    f = σ(W_f·x + U_f·h + b_f)
    g = tanh(W_g·x + U_g·h + b_g)
    o = σ(W_o·x + U_o·h + b_o)
    i = 1 − f
    c′ = f ⊙ c + i ⊙ g
    h′ = o ⊙ tanh(c′)

Not the GRU, which couples its gates too but has no long memory of its own and no output gate. It is `lstm` with i = 1 − f.

>>> cifg.worked({"f": 1.62, "g": -0.32, "o": 0.59}, c=1.0)
{'f': 0.8348, 'g': -0.3095, 'o': 0.6434, 'i': 0.1652, 'c': 0.7837, 'tanh_c': 0.6548, 'h': 0.4213}

Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: A Search Space Odyssey, IEEE TNNLS 28(10), 2017 (there with peepholes).
"""

from torch import sigmoid, tanh

from byhand.cells.cell import Cell
from byhand.cells.lstm import LABELS


def step(x, u, s, p):
    # f = σ(W_f·x + U_f·h + b_f)
    f = sigmoid(x.f + u.f)
    # g = tanh(W_g·x + U_g·h + b_g)
    g = tanh(x.g + u.g)
    # o = σ(W_o·x + U_o·h + b_o)
    o = sigmoid(x.o + u.o)
    # i = 1 − f
    i = 1 - f
    # c′ = f ⊙ c + i ⊙ g
    c = f * s.c + i * g
    # h′ = o ⊙ tanh(c′)
    tanh_c = tanh(c)
    h = o * tanh_c
    return (h, c), {"f": f, "g": g, "o": o, "i": i, "c": c, "tanh_c": tanh_c, "h": h}


cifg = Cell(name="cifg", gates=("f", "g", "o"), state=("h", "c"), step=step, labels=LABELS, cite="Greff et al. 2017")
