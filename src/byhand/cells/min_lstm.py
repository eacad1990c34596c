"""minLSTM: an LSTM stripped until all of its steps can be computed at once.

The gates read the input only, never the memory, so nothing of a step but the last line waits for the step before.

    f = f̂ / (f̂ + î) = σ(log f̂ − log î)      with f̂ = σ(W_f·x + b_f)
    i = î / (f̂ + î) = σ(log î − log f̂)      and  î = σ(W_i·x + b_i): the two share out one whole
    g = W_g·x + b_g                            no squashing
    h′ = f ⊙ h + i ⊙ g

The right-hand forms, with logarithms, hold where both gates are so far shut that î + f̂ rounds to 0.

Not an LSTM in what it can do: without a recurrent product it cannot count or switch state. No long memory and no output gate.

>>> min_lstm.worked({"f": 1.0, "i": 0.0, "g": 0.8}, h=0.5)
{'f': 0.5938, 'i': 0.4062, 'g': 0.8, 'h': 0.6218}

Feng, Tung, Ahmed, Bengio & Hajimirsadeghi, Were RNNs All We Needed?, arXiv 2410.01201, 2024.
"""

from torch import sigmoid
from torch.nn.functional import logsigmoid

from byhand.cells.cell import Cell


def step(x, u, s, p):
    # log f̂ = log σ(W_f·x + b_f),  log î = log σ(W_i·x + b_i)
    log_f, log_i = logsigmoid(x.f), logsigmoid(x.i)
    # f = σ(log f̂ − log î)
    f = sigmoid(log_f - log_i)
    # i = σ(log î − log f̂)
    i = sigmoid(log_i - log_f)
    # g = W_g·x + b_g
    g = x.g
    # h′ = f ⊙ h + i ⊙ g
    h = f * s.h + i * g
    return (h,), {"f": f, "i": i, "g": g, "h": h}


min_lstm = Cell(
    name="min_lstm",
    gates=("f", "i", "g"),
    state=("h",),
    step=step,
    recurrent=(),
    biases=1,
    labels={"f": "forget share", "i": "input share", "g": "candidate", "h": "memory"},
    cite="Feng et al. 2024",
)
