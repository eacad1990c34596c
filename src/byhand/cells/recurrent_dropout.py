"""Recurrent dropout: a regulariser that drops what is about to be written, never what is remembered.

    g″ = d ⊙ g        d: 0 with probability `rate`, else 1 / (1 − rate)
    c′ = f ⊙ c + i ⊙ g″

In eval mode d is 1.

Not dropout of the hidden state (short memory), whose repeated loss wipes out what the network holds; not dropout between
layers, which is LSTM(dropout=...).

>>> from byhand.cells import lstm
>>> recurrent_dropout(lstm, 0.25).worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}, c=1.0, d_g=0.0)["c"]
0.8348

Semeniuta, Severyn & Barth, Recurrent Dropout without Memory Loss, COLING 2016.
"""

from typing import Literal

from byhand.cells.cell import Cell, Noise
from byhand.cells.rewrite import multiply, require_site


def recurrent_dropout(cell: Cell, rate: float, *, every: Literal["step", "sequence"] = "step") -> Cell:
    """Return `cell` with dropout on its candidate g.

    Args:
        cell: a cell with a site g.
        rate: the probability with which a unit's g is dropped, from 0 to below 1.
        every: "step": a mask is drawn for each step; "sequence": one mask for the whole sequence.

    Returns:
        The cell with the mask d_g among its noise.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: `rate` is outside 0…1 (1 excluded), `every` is another word, or the cell has no site g.
    """
    require_site(cell, "g", "recurrent_dropout")
    if not 0 <= rate < 1:
        raise ValueError(f"recurrent_dropout expected a rate from 0 to below 1, got {rate}")
    if every not in ("step", "sequence"):
        raise ValueError(f"recurrent_dropout expected every='step' or every='sequence', got {every!r}")
    name = f"recurrent_dropout({cell.name}, {rate}, every={every!r})"
    return multiply(cell, "g", Noise("d_g", rate, scaled=True, every=every), name, "Semeniuta et al. 2016")
