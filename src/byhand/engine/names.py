"""The names of sites, made and parsed: PATH.lNUMBER.reverse.SITE, such as "l0.f", "l1.reverse.c", "encoder.l0.f".

What stands before the site is a place: a module's path, and in a stack of layers the layer and direction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from byhand.cells import Cell

STACKED = re.compile(r"(?:(?P<path>.*)\.)?l(?P<layer>\d+)(?P<reverse>\.reverse)?", re.DOTALL)


class Sublayer(NamedTuple):
    """One layer and direction of a stack; layer None in a single cell."""

    layer: int | None
    reverse: bool = False

    def __str__(self) -> str:
        return "" if self.layer is None else f"l{self.layer}{'.reverse' if self.reverse else ''}"

    @property
    def suffix(self) -> str:
        """What torch's parameter names end with: "_l1_reverse"; nothing in a single cell."""
        return "" if self.layer is None else f"_l{self.layer}{'_reverse' if self.reverse else ''}"


def join(*parts: object) -> str:
    """A name in dots, out of those parts that are not empty."""
    return ".".join(filter(None, map(str, parts)))


def split(name: str) -> tuple[str, str]:
    """The place and the site of a name."""
    place, _, site = name.rpartition(".")
    return place, site


def parse_place(place: str) -> tuple[str, Sublayer]:
    """The module's path, and the layer and direction in it: "encoder.l1.reverse" is ("encoder", Sublayer(1, True))."""
    found = STACKED.fullmatch(place)
    if found is None:
        return place, Sublayer(None)
    return found["path"] or "", Sublayer(int(found["layer"]), found["reverse"] is not None)


def is_numbered(place: str) -> bool:
    """Whether it is a layer of a stack, not a single cell."""
    return parse_place(place)[1].layer is not None


def is_reverse(place: str) -> bool:
    """Whether this direction goes from the end of the sequence to its start."""
    return parse_place(place)[1].reverse


def site_names(cell: Cell, *, projected: bool) -> tuple[str, ...]:
    """A cell's sites, in a layer with or without a projection: the step's output before the projection is called "m"."""
    if not projected:
        return cell.sites
    output = cell.state[0]
    return (*("m" if name == output else name for name in cell.sites), output)
