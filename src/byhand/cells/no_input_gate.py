"""An ablation: the LSTM without its input gate.

Everything that is a candidate is written, every step. The gate is held at 1 and its weights are gone.

    i = 1,  so  c′ = f ⊙ c + g

Not an input gate that happens to be open: there is nothing to learn that would shut it.

>>> from byhand.cells import lstm
>>> no_input_gate(lstm).worked({"f": 1.62, "g": -0.32, "o": 0.59}, c=1.0)
{'f': 0.8348, 'g': -0.3095, 'o': 0.6434, 'c': 0.5253, 'tanh_c': 0.4818, 'h': 0.31}

Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: A Search Space Odyssey, IEEE TNNLS 28(10), 2017: variant NIG, there of
the LSTM with peepholes: no_input_gate(peephole).
"""

from byhand.cells.cell import Cell
from byhand.cells.rewritten import changed


def no_input_gate(cell: Cell) -> Cell:
    """`cell` with the input gate i held at 1 and its weights gone. ValueError if it has no site i."""
    return changed(cell, "i", "one", "no_input_gate", "Greff et al. 2017")
