"""The simple recurrent network, as torch.nn.RNN computes it.

One hidden state, replaced at every step by one computed from it and the input. Nothing is kept but what passes through U and
tanh once a step, and so do the gradients: after many steps they have mostly vanished, or exploded.

    h′ = tanh(W_n·x + U_n·h + b_n)

Not an LSTM: no gates, and no cell state beside the hidden state. Not Jordan's network, which reads its last answer in place of
its last hidden state. Elman drew the hidden state of the step before as units of their own, the context.

>>> rnn.worked({"n": 0.3}, u_n=0.4)
{'h': 0.6044}

Elman, Finding Structure in Time, Cognitive Science 14(2), 1990.
"""

from torch import tanh

from byhand.cells.cell import Cell


def step(x, u, s, p):
    # h′ = tanh(W_n·x + U_n·h + b_n)
    h = tanh(x.n + u.n)
    return (h,), {"h": h}


rnn = Cell(
    name="rnn",
    gates=("n",),
    state=("h",),
    step=step,
    labels={"n": "new memory", "h": "memory"},
    cite="Elman 1990",
)
