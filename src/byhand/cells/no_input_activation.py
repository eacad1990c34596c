"""An ablation: the LSTM without the squashing of its candidate.

What is written is linear in the input and the short memory, so one step can write any amount.

    g = W_g·x + U_g·h + b_g,  in place of its tanh

Not a gate left out: the candidate keeps its weights.

>>> from byhand.cells import lstm
>>> no_input_activation(lstm).worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}, c=1.0)
{'i': 0.6502, 'f': 0.8348, 'g': -0.32, 'o': 0.6434, 'c': 0.6267, 'tanh_c': 0.5558, 'h': 0.3576}

Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: A Search Space Odyssey, IEEE TNNLS 28(10), 2017: variant NIAF, there of
the LSTM with peepholes: no_input_activation(peephole).
"""

from byhand.cells.cell import Cell
from byhand.cells.rewritten import changed


def no_input_activation(cell: Cell) -> Cell:
    """`cell` with the candidate g unsquashed. ValueError if it has no site g."""
    return changed(cell, "g", "bypass", "no_input_activation", "Greff et al. 2017")
