"""The LSTM with layer normalisation.

Both products are normalised over all their rows before they meet, and the long memory is normalised on its way to the output, so
that the size of weights and memories no longer decides how steep the gates are.

    (z_i, z_f, z_g, z_o) = LN(W·x; α) + LN(U·h; β) + b
    i = σ(z_i),  f = σ(z_f),  g = tanh(z_g),  o = σ(z_o)
    c′ = f ⊙ c + i ⊙ g
    h′ = o ⊙ tanh(LN(c′; γ) + δ)

LN(v; α) = α ⊙ (v − mean(v)) / sqrt(var(v) + 1e-5) over all elements of v: the four gates of a product together.

Not a normalised memory: c itself is carried on as it is, only the copy that the output reads is normalised. The bias b stands outside the
normalisation, so the layer has no b_ih and b_hh but the vectors b_i, b_f, b_g, b_o. Not elementwise: a unit's gates depend on all
units, so the cell runs on the reference engine.

With two equal units there is nothing to tell apart, and only the biases are left:

>>> layernorm_lstm.worked({"i": 3.0, "f": 3.0, "g": 3.0, "o": 3.0}, b_i=0.62, b_f=1.62, b_g=-0.32, b_o=0.59)["c"]
-0.2012

Ba, Kiros & Hinton, Layer Normalization, arXiv 1607.06450, 2016, equations 20 to 22.
"""

from torch import cat, sigmoid, tanh
from torch.nn.functional import layer_norm

from byhand.cells.cell import Cell
from byhand.cells.lstm import LABELS

GATES = ("i", "f", "g", "o")
EPSILON = 1e-5


def normalised(parts, gains):
    """LN over all the parts together, times their gains; in as many parts as went in."""
    joined = cat(parts, -1)
    scaled = layer_norm(joined, joined.shape[-1:], eps=EPSILON).chunk(len(GATES), -1)
    return [gain * scaled[index] for index, gain in enumerate(gains)]


def step(x, u, s, p):
    # (z_i, z_f, z_g, z_o) = LN(W·x; α) + LN(U·h; β) + b
    from_x = normalised((x.i, x.f, x.g, x.o), (p.alpha_i, p.alpha_f, p.alpha_g, p.alpha_o))
    from_h = normalised((u.i, u.f, u.g, u.o), (p.beta_i, p.beta_f, p.beta_g, p.beta_o))
    # i = σ(z_i),  f = σ(z_f),  g = tanh(z_g),  o = σ(z_o)
    i = sigmoid(from_x[0] + from_h[0] + p.b_i)
    f = sigmoid(from_x[1] + from_h[1] + p.b_f)
    g = tanh(from_x[2] + from_h[2] + p.b_g)
    o = sigmoid(from_x[3] + from_h[3] + p.b_o)
    # c′ = f ⊙ c + i ⊙ g
    c = f * s.c + i * g
    # h′ = o ⊙ tanh(LN(c′; γ) + δ)
    norm_c = p.gamma * layer_norm(c, c.shape[-1:], eps=EPSILON) + p.delta
    tanh_c = tanh(norm_c)
    h = o * tanh_c
    return (h, c), {"i": i, "f": f, "g": g, "o": o, "c": c, "norm_c": norm_c, "tanh_c": tanh_c, "h": h}


layernorm_lstm = Cell(
    name="layernorm_lstm",
    gates=GATES,
    state=("h", "c"),
    step=step,
    vectors={f"{kind}_{gate}": start for kind, start in (("alpha", 1.0), ("beta", 1.0), ("b", 0.0)) for gate in GATES}
    | {"gamma": 1.0, "delta": 0.0},
    biases=0,
    elementwise=False,
    labels=LABELS | {"norm_c": "normalised long memory"},
    cite="Ba, Kiros & Hinton 2016",
)
