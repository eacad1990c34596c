"""A cell whose input gate drives the forget gate.

    i = σ(W_i·x + U_i·h + b_i)
    f = 1 − i
    c′ = f ⊙ c + i ⊙ g

What is written makes room for itself. The rows of the forget gate, and its peephole, are gone.

Not `cifg`, where the forget gate has the weights and i = 1 − f. The two compute the same functions where the activation is the sigmoid,
since 1 − σ(v) = σ(−v): the weights of one are those of the other with the sign changed. With another activation, with a clipped
sum or a forget bias they differ.

>>> from byhand.cells import lstm, peephole
>>> coupled_input(lstm).worked({"i": -1.62, "g": -0.32, "o": 0.59}, c=1.0)
{'i': 0.1652, 'f': 0.8348, 'g': -0.3095, 'o': 0.6434, 'c': 0.7837, 'tanh_c': 0.6548, 'h': 0.4213}
>>> coupled_input(peephole).gates, coupled_input(peephole).vectors
(('i', 'g', 'o'), ('p_i', 'p_o'))

This is what onnxruntime 1.32 computes for ONNX's LSTM with input_forget=1. Coupled gates: Greff, Srivastava, Koutník, Steunebrink &
Schmidhuber, LSTM: A Search Space Odyssey, IEEE TNNLS 28(10), 2017.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byhand.cells import graph as graphs
from byhand.cells.rewrite import changed, require_site

if TYPE_CHECKING:
    from torch import fx

    from byhand.cells.cell import Cell


@dataclass(frozen=True)
class Couple:
    """Put 1 minus the input gate in place of the forget gate."""

    def __call__(self, graph: fx.Graph, cell: Cell) -> None:
        found = graphs.sites(graph)
        before = graphs.inputs_of(found["i"])
        if not {"x_i"} <= before or before & {"x_f", "u_f"}:
            raise ValueError("its input gate is not computed from the gate i without the gate f")
        with graph.inserting_after(found["i"]):
            new = graph.call_function(operator.sub, (1, found["i"]))
        found["f"].replace_all_uses_with(new)


def coupled_input(cell: Cell) -> Cell:
    """Return `cell` with f = 1 − i and without the forget gate's weights.

    Args:
        cell: an elementwise cell with an input and a forget gate of their own, such as lstm or peephole.

    Returns:
        The cell, named coupled_input(CELL).

    Raises:
        TypeError: `cell` is no cell.
        ValueError: it has no sites i and f, or its input gate reads the forget gate's rows, as in cifg.
    """
    require_site(cell, "i", "coupled_input")
    require_site(cell, "f", "coupled_input")
    return changed(cell, Couple(), f"coupled_input({cell.name})", "Greff et al. 2017")
