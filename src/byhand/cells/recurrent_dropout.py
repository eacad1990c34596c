"""Recurrent dropout: a regulariser that drops what is about to be written, never what is remembered.

    g″ = d ⊙ g        d: 0 with probability `rate`, else 1 / (1 − rate)
    c′ = f ⊙ c + i ⊙ g″

In eval mode d is 1.

Not dropout of the short memory, whose repeated loss wipes out what the network holds; not dropout between layers, which is
LSTM(dropout=...).

>>> from byhand.cells import lstm
>>> recurrent_dropout(lstm, 0.25).worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}, c=1.0, d_g=0.0)["c"]
0.8348

Semeniuta, Severyn & Barth, Recurrent Dropout without Memory Loss, COLING 2016.
"""

from typing import Literal

from byhand.cells.cell import Cell, Noise
from byhand.cells.rewritten import masked, require_site


def recurrent_dropout(cell: Cell, rate: float, *, every: Literal["step", "sequence"] = "step") -> Cell:
    """`cell` whose candidate g is dropped with that probability, anew at each step or once for a whole sequence. ValueError for a
    rate outside 0…1 (1 excluded), for another `every`, and for a cell without a site g.
    """
    require_site(cell, "g", "recurrent_dropout")
    if not 0 <= rate < 1:
        raise ValueError(f"recurrent_dropout expected a rate from 0 to below 1, got {rate}")
    if every not in ("step", "sequence"):
        raise ValueError(f"recurrent_dropout expected every='step' or every='sequence', got {every!r}")
    name = f"recurrent_dropout({cell.name}, {rate}, every={every!r})"
    return masked(cell, "g", Noise("d_g", rate, scaled=True, every=every), name, "Semeniuta et al. 2016")
