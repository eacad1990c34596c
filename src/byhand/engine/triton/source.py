"""A cell's kernels as Triton text: its programs, printed into a loop over time that one program runs for a few rows.

A program owns ROWS sequences and all units. The recurrent weights are loaded once and stay on chip; the loop over time is inside, and
nothing waits for another program. Forward writes the states alone. Backward gets every pre-activation, which one product over all
steps gives back, and carries the gradients by the states through the steps in the other order.

Names: t a step; a the pre-activations; s states before a step, n after it; k what the derivative is made from; d gradients by the states
after a step, e by those before it; w weights, r what is multiplied; p vectors and masks. Numbers count gates, states and pre-activations
in the cell's order; the last number is that of the block of units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.engine.triton.backward import backward
from byhand.engine.triton.forward import forward
from byhand.engine.triton.statements import HEAD

if TYPE_CHECKING:
    from byhand.engine.triton.printer import Printer


def source(printer: Printer) -> str:
    """The text of a module with two kernels, forward and backward, for a cell in layers of certain sizes and every number type."""
    return "\n".join([HEAD, "", *forward(printer), "", "", *backward(printer), ""])
