"""sLSTM: an LSTM whose input gate is an exponential, kept in range by a running maximum.

An exponential input gate can let a late, important step outweigh everything before it. A normaliser n adds up what the gates let
in, so that the output is a weighted mean of candidates; m is the logarithm of the scale that has been divided out of c and n.

    l = log σ(f̃) + m                      where n > 0; −∞ where n = 0: an empty memory weighs nothing
    m′ = max(l, ĩ)                         the stabiliser
    i = exp(ĩ − m′)                        input gate, rescaled
    f = exp(l − m′)                        forget gate, rescaled
    g = tanh(g̃),  o = σ(õ)
    c′ = f ⊙ c + i ⊙ g
    n′ = f ⊙ n + i
    h′ = o ⊙ c′ / n′

where ĩ = W_i·x + U_i·h + b_i, and so for f̃, g̃, õ. m and m′ cancel in c′ / n′: they change the range of the numbers, not the result.

Not mLSTM, whose memory is a matrix. The recurrent product is one full matrix (a single head). The forget gate is the paper's
sigmoid form, not its exponential one. The first step gives h′ = o ⊙ g whatever the gates say: a mean of one thing is the thing.

>>> slstm.worked({"i": 2.0, "f": 1.0, "g": 0.5, "o": 0.0}, c=0.3, n=1.0)["h"]
0.2238

Beck, Pöppel, Spanring, Auer, Prudnikova, Kopp, Klambauer, Brandstetter & Hochreiter, xLSTM: Extended Long Short-Term Memory,
NeurIPS 2024.
"""

from math import inf

from torch import exp, maximum, sigmoid, tanh, where
from torch.nn.functional import logsigmoid

from byhand.cells.cell import Cell


def step(x, u, s, p):
    # l = log σ(f̃) + m                      where n > 0; −∞ where n = 0
    log_i = x.i + u.i
    log_f = where(s.n > 0, logsigmoid(x.f + u.f) + s.m, -inf)
    # m′ = max(l, ĩ)
    m = maximum(log_f, log_i)
    # i = exp(ĩ − m′)
    i = exp(log_i - m)
    # f = exp(l − m′)
    f = exp(log_f - m)
    # g = tanh(g̃),  o = σ(õ)
    g = tanh(x.g + u.g)
    o = sigmoid(x.o + u.o)
    # c′ = f ⊙ c + i ⊙ g
    c = f * s.c + i * g
    # n′ = f ⊙ n + i
    n = f * s.n + i
    # h′ = o ⊙ c′ / n′
    h = o * (c / n)
    return (h, c, n, m), {"m": m, "i": i, "f": f, "g": g, "o": o, "c": c, "n": n, "h": h}


slstm = Cell(
    name="slstm",
    gates=("i", "f", "g", "o"),
    state=("h", "c", "n", "m"),
    step=step,
    labels={
        "m": "stabiliser",
        "i": "input gate, rescaled",
        "f": "forget gate, rescaled",
        "g": "candidate",
        "o": "output gate",
        "c": "long memory",
        "n": "normaliser",
        "h": "short memory",
    },
    cite="Beck et al. 2024",
)
