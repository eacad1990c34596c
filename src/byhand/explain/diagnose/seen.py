"""Seen: all that a diagnosis has recorded of one layer and direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from byhand.explain.lookup import name_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.trace.run import Run


@dataclass(frozen=True, eq=False)
class Seen:
    """All calls of one layer and direction, over all of the data."""

    place: str
    cell: Cell
    reverse: bool
    runs: Sequence[Run]

    def values(self, site: str) -> Float[Tensor, "steps hidden"]:
        """Of all steps of all sequences, in float64."""
        return torch.cat([run.value(site)[run.valid] for run in self.runs]).double()

    def name(self, site: str) -> str:
        return name_of(self.place, site)

    @property
    def sites(self) -> list[str]:
        return list(self.runs[0].sites)
