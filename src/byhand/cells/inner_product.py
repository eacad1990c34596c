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
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import handle_torch_function, has_torch_function_unary

if TYPE_CHECKING:
    from torch import Tensor


def product(u: Tensor | Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """u(value), or u ⊙ value where u is a tensor; one node in the graph of a step."""
    if has_torch_function_unary(u):  # a stand-in that records the step
        return handle_torch_function(product, (u,), u, value)
    return u * value if isinstance(u, torch.Tensor) else u(value)


def with_products(u: Any, inner: tuple[str, ...]) -> Any:
    """The u of a step, a tuple by gate, with functions for the gates of `inner`."""
    return u._replace(**{gate: partial(product, getattr(u, gate)) for gate in inner})


@dataclass(frozen=True)
class OneUnit:
    """A step with inner products for a single unit, or many that do not read each other: u.n is a tensor of weights. It is elementwise."""

    step: Callable[..., Any]
    inner: tuple[str, ...]

    def __call__(self, x: Any, u: Any, s: Any, p: Any) -> Any:
        return self.step(x, with_products(u, self.inner), s, p)
