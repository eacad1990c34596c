"""An ablation: the LSTM without its forget gate.

Nothing is ever forgotten: the long memory is a sum over all steps, as in 1997. It grows without bound on inputs that do not end.

    f = 1,  so  c′ = c + i ⊙ g

Not `lstm_1997`, which also squashes otherwise and lets the gates read each other.

>>> from byhand.cells import lstm
>>> no_forget_gate(lstm).worked({"i": 0.62, "g": -0.32, "o": 0.59}, c=1.0)
{'i': 0.6502, 'g': -0.3095, 'o': 0.6434, 'c': 0.7988, 'tanh_c': 0.6633, 'h': 0.4268}

Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: A Search Space Odyssey, IEEE TNNLS 28(10), 2017: variant NFG, there of
the LSTM with peepholes: no_forget_gate(peephole).
"""

from byhand.cells.cell import Cell
from byhand.cells.rewritten import changed


def no_forget_gate(cell: Cell) -> Cell:
    """`cell` with the forget gate f held at 1 and its weights gone. ValueError if it has no site f."""
    return changed(cell, "f", "one", "no_forget_gate", "Greff et al. 2017")
