"""The LSTM whose gates can see the long memory.

The gates of a plain LSTM see the long memory only through the output gate: while that is shut, they are blind to it. Peepholes
are three weights a unit that let each gate look directly, which helps to count and to time.

    i = σ(W_i·x + U_i·h + b_i + p_i ⊙ c)
    f = σ(W_f·x + U_f·h + b_f + p_f ⊙ c)
    g = tanh(W_g·x + U_g·h + b_g)
    c′ = f ⊙ c + i ⊙ g
    o = σ(W_o·x + U_o·h + b_o + p_o ⊙ c′)
    h′ = o ⊙ tanh(c′)

Not symmetric: the input and the forget gate see the long memory before the step, the output gate sees it after. The peepholes are
vectors (a unit sees its own memory), not matrices. With p = 0 it is `lstm`.

>>> peephole.worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}, c=1.0, p_i=0.1, p_f=-0.2, p_o=0.3)["h"]
0.3656

Gers & Schmidhuber, Recurrent Nets that Time and Count, IJCNN 2000; this form: Gers, Schraudolph & Schmidhuber, Learning Precise
Timing with LSTM Recurrent Networks, JMLR 3, 2002.
"""

from torch import sigmoid, tanh

from byhand.cells.cell import Cell
from byhand.cells.lstm import LABELS


def step(x, u, s, p):
    # i = σ(W_i·x + U_i·h + b_i + p_i ⊙ c)
    i = sigmoid(x.i + u.i + p.p_i * s.c)
    # f = σ(W_f·x + U_f·h + b_f + p_f ⊙ c)
    f = sigmoid(x.f + u.f + p.p_f * s.c)
    # g = tanh(W_g·x + U_g·h + b_g)
    g = tanh(x.g + u.g)
    # c′ = f ⊙ c + i ⊙ g
    c = f * s.c + i * g
    # o = σ(W_o·x + U_o·h + b_o + p_o ⊙ c′)
    o = sigmoid(x.o + u.o + p.p_o * c)
    # h′ = o ⊙ tanh(c′)
    tanh_c = tanh(c)
    h = o * tanh_c
    return (h, c), {"i": i, "f": f, "g": g, "c": c, "o": o, "tanh_c": tanh_c, "h": h}


peephole = Cell(
    name="peephole",
    gates=("i", "f", "g", "o"),
    state=("h", "c"),
    step=step,
    vectors=("p_i", "p_f", "p_o"),
    labels=LABELS | {"p_i": "input peephole", "p_f": "forget peephole", "p_o": "output peephole"},
    cite="Gers, Schraudolph & Schmidhuber 2002",
)
