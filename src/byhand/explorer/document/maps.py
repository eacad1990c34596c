"""Maps of values over time and units, for what the page does not compute: whole if they fit, else rounded, else thinned."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from byhand.explorer.document.packing import levelled, packed, size

if TYPE_CHECKING:
    from torch import Tensor

Chosen = Mapping[str, list[int] | None]  # places to be shown in full: None for all their units
Shape = tuple[int, int]  # steps, units


class Plan(NamedTuple):
    """How maps are thinned. dtype: f4, u2 or u1. every: steps that one row is the mean of. apart: 3 keeps every third unit."""

    dtype: str = "f4"
    every: int = 1
    apart: int = 1

    def size(self, shapes: Sequence[Shape]) -> int:
        """Characters that the maps take."""
        return sum(size(math.ceil(steps / self.every) * math.ceil(units / self.apart), self.dtype) for steps, units in shapes)

    def notice(self) -> str | None:
        """What a reader should know."""
        if self.dtype == "f4":
            return None
        parts = [f"each {ordinal(self.apart)} unit is there"] * (self.apart > 1)
        parts += [f"each column of a map is the mean of {self.every} steps"] * (self.every > 1)
        return "; ".join([*parts, "values are rounded, and shown with the digits that are certain"])


def ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def plan_for(shapes: Sequence[Shape], budget: int) -> Plan:
    """The finest that fits: first with fewer levels, then along the longer side of the maps."""
    for plan in (Plan(), Plan("u2"), Plan("u1")):
        if plan.size(shapes) <= budget:
            return plan
    steps, units = max((shape[0] for shape in shapes), default=1), max((shape[1] for shape in shapes), default=1)
    plan = Plan("u1")
    while plan.size(shapes) > budget and (plan.every < steps or plan.apart < units):
        rows, columns = math.ceil(steps / plan.every), math.ceil(units / plan.apart)
        plan = plan._replace(every=plan.every + 1) if rows >= columns else plan._replace(apart=plan.apart + 1)
    return plan


def map_document(value: Tensor, plan: Plan, chosen: Chosen, place: str) -> dict[str, Any]:
    """One site of one sequence, (steps, units)."""
    value = value.detach().cpu()
    if place in chosen:
        units = chosen[place]
        units = units if units is None else [unit for unit in units if unit < value.shape[1]]  # a projection is narrower
        part = value if units is None else value[:, units]
        return {"every": 1, "units": units, "values": packed(part)}
    units = None if plan.apart == 1 else list(range(0, value.shape[1], plan.apart))
    part = value if units is None else value[:, units]
    values = packed(part) if plan.dtype == "f4" else levelled(means(part, plan.every), plan.dtype, part)
    return {"every": plan.every, "units": units, "values": values}


def means(value: Tensor, every: int) -> Tensor:
    """Means over `every` steps each; the last over those that are left."""
    return value if every == 1 else torch.stack([part.mean(0) for part in value.split(every)])


def chosen_places(full: Sequence[str], widths: Mapping[str, int]) -> dict[str, list[int] | None]:
    """What ["l0", "l1.unit 3"] asks for. widths: place -> units. TypeError, ValueError."""
    if isinstance(full, str):
        raise TypeError(f"full: expected a list of layers and units, got {full!r}: write full=[{full!r}]")
    chosen: dict[str, list[int] | None] = {}
    for name in full:
        match = re.fullmatch(r"(.*?)(?:\.unit (\d+))?", str(name), re.DOTALL)
        assert match is not None
        place, unit = match.groups()
        if place not in widths or (unit is not None and int(unit) >= widths[place]):
            known = ", ".join(f"{one} (units 0 to {width - 1})" for one, width in widths.items())
            raise ValueError(f"full: expected 'weights', a layer or LAYER.unit NUMBER out of {known}; got {name!r}")
        if unit is None:
            chosen[place] = None
        else:
            so_far = chosen.get(place, [])
            chosen[place] = None if so_far is None else sorted({*so_far, int(unit)})
    return chosen
