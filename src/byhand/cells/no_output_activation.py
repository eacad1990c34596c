"""An ablation: the LSTM that tells its long memory unsquashed.

The short memory is the long memory times the output gate, of any size.
Greff et al. found this, with the forget gate, to be what hurts most.

    h′ = o ⊙ c′,  in place of o ⊙ tanh(c′)

Not a gate left out: the output gate stays.

>>> from byhand.cells import lstm
>>> no_output_activation(lstm).worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}, c=1.0)
{'i': 0.6502, 'f': 0.8348, 'g': -0.3095, 'o': 0.6434, 'c': 0.6335, 'h': 0.4076}

Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: A Search Space Odyssey, IEEE TNNLS 28(10), 2017: variant NOAF, there of
the LSTM with peepholes: no_output_activation(peephole).
"""

from byhand.cells.cell import Cell
from byhand.cells.rewritten import changed


def no_output_activation(cell: Cell) -> Cell:
    """`cell` with the long memory told without the tanh. ValueError if it has no site tanh_c."""
    return changed(cell, "tanh_c", "bypass", "no_output_activation", "Greff et al. 2017")
