"""An ablation: the LSTM without its output gate.

The whole long memory is told at every step, squashed.

    o = 1,  so  h′ = tanh(c′)

Not a GRU: the long memory and the gates f and i stay as they are.

>>> from byhand.cells import lstm
>>> no_output_gate(lstm).worked({"i": 0.62, "f": 1.62, "g": -0.32}, c=1.0)
{'i': 0.6502, 'f': 0.8348, 'g': -0.3095, 'c': 0.6335, 'tanh_c': 0.5605, 'h': 0.5605}

Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: A Search Space Odyssey, IEEE TNNLS 28(10), 2017: variant NOG, there of
the LSTM with peepholes: no_output_gate(peephole).
"""

from byhand.cells.cell import Cell
from byhand.cells.rewritten import changed


def no_output_gate(cell: Cell) -> Cell:
    """`cell` with the output gate o held at 1 and its weights gone. ValueError if it has no site o."""
    return changed(cell, "o", "one", "no_output_gate", "Greff et al. 2017")
