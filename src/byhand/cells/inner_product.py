"""Recurrent products that a step makes itself, inside: what `Cell(inner=...)` names.

    u.n(v) = U_n·v + b′_n        for a gate n of cell.inner and any v that the step has computed, such as r ⊙ h

The engine makes the products U·h of all other gates before the step. An inner one waits for the step, so u.n is no tensor but a function.
Where there is no layer, as in Cell.worked and in checks of a step, u.n is given as a tensor w of one weight a unit, and multiplies by it:
u.n(v) = w ⊙ v, the product of one unit with itself.

>>> product(torch.tensor([0.5, 2.0]), torch.tensor([3.0, 3.0]))
tensor([1.5000, 6.0000])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.overrides import handle_torch_function, has_torch_function_unary

if TYPE_CHECKING:
    from torch import Tensor


def product(u: Tensor | Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """u(value), or u ⊙ value where u is a tensor; one node in the graph of a step."""
    if has_torch_function_unary(u):  # a stand-in that records the step
        return handle_torch_function(product, (u,), u, value)
    return u * value if isinstance(u, torch.Tensor) else u(value)
