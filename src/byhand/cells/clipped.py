"""A cell whose gates' sums are clipped.

    i = σ(clip(W_i·x + U_i·h + b_i))      and so for every gate, the candidate too
    clip(v) = min(max(v, −limit), limit)

All that goes into a gate's activation is clipped: of peephole also the term p_i ⊙ c, of gru's candidate r ⊙ (U_n·h + b′_n). Neither the
cell state nor what the output's tanh reads is. No gradient passes where a sum was outside the limits. A sigmoid gate can then be neither
quite open nor quite shut: between σ(−limit) and σ(limit).

>>> from byhand.cells import lstm
>>> clipped(lstm, 0.5).worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}, c=1.0)["f"]
0.6225

Not gradient clipping, which changes training only. This is what onnxruntime 1.32 and OpenVINO 2026.4 compute for the attribute `clip` of
ONNX's LSTM and GRU, whose text speaks of a "cell clip threshold".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from byhand.cells import graph as graphs
from byhand.cells.gate_sums import gate_sum
from byhand.cells.rewrite import changed, require_cell

if TYPE_CHECKING:
    from torch import fx

    from byhand.cells.cell import Cell


@dataclass(frozen=True)
class Clip:
    """Clip the sum of every gate."""

    limit: float

    def __call__(self, graph: fx.Graph, cell: Cell) -> None:
        for gate in cell.gates:
            node = gate_sum(graph, cell, gate)
            graphs.pass_through(graph, node, torch.clamp, (node, -self.limit, self.limit))


def clipped(cell: Cell, limit: float) -> Cell:
    """Return `cell` with the sum that goes into each gate's activation clipped to −limit…limit.

    Args:
        cell: an elementwise cell whose gates each read one sum, such as lstm, peephole, gru or rnn.
        limit: a positive number.

    Returns:
        The cell, under a name that byhand.cells.names reads back.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: the limit is not positive and finite, or a gate does not go into the step as one sum.
    """
    require_cell(cell, "clipped")
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not (0 < limit < math.inf):
        raise ValueError(f"clipped expected a positive limit, got {limit!r}: write clipped({cell.name}, 0.5)")
    limit = float(limit)
    return changed(cell, Clip(limit), f"clipped({cell.name}, {limit})")
