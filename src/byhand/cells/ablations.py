"""Ablations: the LSTM with one part left out, as the columns of Greff et al.'s table.

                                            left out                    what is computed instead
    NIG    no_input_gate(cell)              the input gate              i = 1,  so  c′ = f ⊙ c + g
    NFG    no_forget_gate(cell)             the forget gate             f = 1,  so  c′ = c + i ⊙ g
    NOG    no_output_gate(cell)             the output gate             o = 1,  so  h′ = tanh(c′)
    NIAF   no_input_activation(cell)        the candidate's tanh        g = W_g·x + U_g·h + b_g
    NOAF   no_output_activation(cell)       the tanh of the cell state  h′ = o ⊙ c′

A gate that is left out is held at 1, and its weights are gone: nothing can be learnt that would shut it. Without a forget gate the cell
state is a sum over all steps, as in 1997, and grows without bound on inputs that do not end; `lstm_1997` also has other activation
functions. Greff et al. found the forget gate and the output activation to be what a network misses most.

Each of these on one step, from the same pre-activations and a cell state of 1:

>>> from byhand.cells import lstm
>>> x = {"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}
>>> for make in (no_input_gate, no_forget_gate, no_output_gate, no_input_activation, no_output_activation):
...     sites = make(lstm).worked({gate: x[gate] for gate in make(lstm).gates}, c=1.0)
...     print(f"{make.__name__:21}", *(f"{site}={sites[site]}" for site in ("i", "f", "g", "o", "c", "h") if site in sites))
no_input_gate         f=0.8348 g=-0.3095 o=0.6434 c=0.5253 h=0.31
no_forget_gate        i=0.6502 g=-0.3095 o=0.6434 c=0.7988 h=0.4268
no_output_gate        i=0.6502 f=0.8348 g=-0.3095 c=0.6335 h=0.5605
no_input_activation   i=0.6502 f=0.8348 g=-0.32 o=0.6434 c=0.6267 h=0.3576
no_output_activation  i=0.6502 f=0.8348 g=-0.3095 o=0.6434 c=0.6335 h=0.4076

Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: A Search Space Odyssey, IEEE TNNLS 28(10), 2017. There each is made of the
LSTM with peepholes: no_input_gate(peephole).
"""

from byhand.cells.cell import Cell
from byhand.cells.rewrite import bypass, hold_at_one

CITE = "Greff et al. 2017"


def no_input_gate(cell: Cell) -> Cell:
    """`cell` with the input gate i held at 1. ValueError if it has no site i."""
    return hold_at_one(cell, "i", "no_input_gate", CITE)


def no_forget_gate(cell: Cell) -> Cell:
    """`cell` with the forget gate f held at 1. ValueError if it has no site f."""
    return hold_at_one(cell, "f", "no_forget_gate", CITE)


def no_output_gate(cell: Cell) -> Cell:
    """`cell` with the output gate o held at 1. ValueError if it has no site o."""
    return hold_at_one(cell, "o", "no_output_gate", CITE)


def no_input_activation(cell: Cell) -> Cell:
    """`cell` without the activation function of its candidate g. ValueError if it has no site g."""
    return bypass(cell, "g", "no_input_activation", CITE)


def no_output_activation(cell: Cell) -> Cell:
    """`cell` whose output reads the cell state without a tanh. ValueError if it has no site tanh_c."""
    return bypass(cell, "tanh_c", "no_output_activation", CITE)
