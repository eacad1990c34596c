"""A cell whose values can be held: every site takes another value where a mask says so.

    v′ = value_v where hold_v ≠ 0, else v        for every site v of the step; what follows from v follows from v′

hold_v and value_v are masks of the cell like any other, so that an engine which knows no Python runs byhand.edit: whatever is held,
at whatever times, it is one and the same step.

>>> from byhand.cells import lstm
>>> held(lstm).worked({"i": 0.62, "f": 1.62, "g": -0.32, "o": 0.59}, c=1.0, hold_f=1.0, value_f=0.0)["c"]
-0.2012
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from byhand.cells.cell import Cell, Noise
from byhand.cells.graph import compiled
from byhand.cells.outside_modes import outside_modes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Held:
    """The step of `cell` with every site held where it is to be."""

    cell: Cell

    def __call__(self, x: Any, u: Any, s: Any, p: Any) -> Any:
        step, parameters = compiled(self.cell, frozenset(self.cell.sites)), [getattr(p, name) for name in self.cell.parameters]
        products = (*x, *(u or ())) if not step.fused else tuple(one + other for one, other in zip(x, u, strict=True))

        def edit(site: str, value: Tensor) -> Tensor:
            return torch.where(getattr(p, hold(site)) != 0, getattr(p, held_value(site)), value)

        return step.run(*products, *s, *parameters, edit)


def hold(site: str) -> str:
    """The mask's name among the cell's parameters: other than 0 where the site is held."""
    return f"hold_{site}"


def held_value(site: str) -> str:
    """The name of what the site is held at."""
    return f"value_{site}"


@outside_modes
def held(cell: Cell) -> Cell:
    """The cell with hold_SITE and value_SITE among its noise, after its own, two for each site in order; both 0 if drawn.

    Raises:
        TypeError: the step cannot be rewritten.
    """
    compiled(cell, frozenset(cell.sites))
    further = [Noise(name(site), 0.0, scaled=False) for site in cell.sites for name in (hold, held_value)]
    return replace(cell, step=Held(cell), noise=(*cell.noise, *further))
