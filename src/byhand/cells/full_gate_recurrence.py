"""The LSTM whose gates read each other.

Besides the short memory, every gate reads what all gates were at the step before, as in the LSTM of 1997; the candidate does not.
Nine matrices more.

    i′ = σ(W_i·x + U_i·h + R_ii·i + R_if·f + R_io·o + b_i)      and so for f′ and o′
    g′ = tanh(W_g·x + U_g·h + b_g)

Not peepholes: what is read are the gates, not the long memory. In Greff et al. the cell has peepholes as well:
full_gate_recurrence(peephole). weight_hh has a column block for each of h, i, f, o; the blocks of g that read gates stay 0.

>>> from byhand.cells import lstm
>>> full_gate_recurrence(lstm).state
('h', 'c', 'i', 'f', 'o')

Greff, Srivastava, Koutník, Steunebrink & Schmidhuber, LSTM: A Search Space Odyssey, IEEE TNNLS 28(10), 2017: variant FGR.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from byhand.cells.cell import Cell
from byhand.cells.rewrite import require_site


@dataclass(frozen=True)
class Remembering:
    """The step of `cell`, with some of its sites carried on as further states."""

    cell: Cell
    gates: tuple[str, ...]

    def __call__(self, x: Any, u: Any, s: Any, p: Any) -> Any:
        state, sites = self.cell.step(x, u, s, p)
        return (*state, *(sites[gate] for gate in self.gates)), sites


def full_gate_recurrence(cell: Cell) -> Cell:
    """`cell` with gates i, f, o (those that it has) that read each other's last values. ValueError if it has none of them."""
    require_site(cell, cell.state[0] if isinstance(cell, Cell) else "", "full_gate_recurrence")
    gates = tuple(gate for gate in ("i", "f", "o") if gate in cell.gates and gate in cell.sites)
    if not gates or isinstance(cell.recurrent, Mapping) or not cell.recurrent:
        raise ValueError(f"full_gate_recurrence expected a cell with gates i, f or o that read h, got {cell.name!r}")
    reads = {gate: (*cell.recurrent, *gates) if gate in gates else tuple(cell.recurrent) for gate in cell.gates}
    return replace(
        cell,
        name=f"full_gate_recurrence({cell.name})",
        step=Remembering(cell, gates),
        state=(*cell.state, *gates),
        recurrent=reads,
        cite=f"Greff et al. 2017; {cell.cite}",
    )
