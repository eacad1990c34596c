"""The LSTM, as torch.nn.LSTM computes it.

A cell state (long memory) c that is multiplied by a gate and added to, never squashed on its way, so that what is written can
stay; and a hidden state (short memory) h, the part of it that is exposed.

    i = σ(W_i·x + U_i·h + b_i)      input gate: how much of the candidate is written
    f = σ(W_f·x + U_f·h + b_f)      forget gate: how much of the cell state is kept
    g = tanh(W_g·x + U_g·h + b_g)   candidate: what could be written
    o = σ(W_o·x + U_o·h + b_o)      output gate: how much of the cell state is exposed
    c′ = f ⊙ c + i ⊙ g
    h′ = o ⊙ tanh(c′)

Not the LSTM of 1997: that one has no forget gate, other squashing and gates that read each other (`lstm_1997`). No peepholes.

The first day of a company whose price is 0, with the twelve published numbers of experiments/statquest:

>>> lstm.worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59})
{'i': 0.6502, 'f': 0.8348, 'g': -0.3095, 'o': 0.6434, 'c': -0.2012, 'tanh_c': -0.1986, 'h': -0.1278}

Hochreiter & Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997; the forget gate: Gers, Schmidhuber & Cummins,
Learning to Forget: Continual Prediction with LSTM, Neural Computation 12(10), 2000.
"""

from torch import sigmoid, tanh

from byhand.cells.cell import Cell

LABELS = {
    "i": "input gate",
    "f": "forget gate",
    "g": "candidate",
    "o": "output gate",
    "c": "long memory",
    "tanh_c": "squashed long memory",
    "h": "short memory",
}


def step(x, u, s, p):
    # i = σ(W_i·x + U_i·h + b_i)
    i = sigmoid(x.i + u.i)
    # f = σ(W_f·x + U_f·h + b_f)
    f = sigmoid(x.f + u.f)
    # g = tanh(W_g·x + U_g·h + b_g)
    g = tanh(x.g + u.g)
    # o = σ(W_o·x + U_o·h + b_o)
    o = sigmoid(x.o + u.o)
    # c′ = f ⊙ c + i ⊙ g
    c = f * s.c + i * g
    # h′ = o ⊙ tanh(c′)
    tanh_c = tanh(c)
    h = o * tanh_c
    return (h, c), {"i": i, "f": f, "g": g, "o": o, "c": c, "tanh_c": tanh_c, "h": h}


lstm = Cell(
    name="lstm",
    gates=("i", "f", "g", "o"),
    state=("h", "c"),
    step=step,
    labels=LABELS,
    cite="Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000",
)
