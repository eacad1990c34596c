"""Where in a trace: places, cells and precise numbers, as the analyses ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from byhand.cells import Cell
from byhand.engine.registry import registered
from byhand.saving.cell_names import find
from byhand.trace import Trace, unknown

if TYPE_CHECKING:
    from torch import Tensor


def checked(trace: Trace, purpose: str) -> Trace:
    """TypeError for anything but a trace, ValueError for one in which nothing was recorded."""
    if not isinstance(trace, Trace):
        raise TypeError(
            f"{purpose} expected a Trace, got a {type(trace).__name__}: with byhand.record(model) as trace: model(x)"
        )
    if not trace.places:
        raise ValueError(f"{purpose} got an empty trace: call the model inside `with byhand.record(model) as trace:`")
    return trace


def inside(index: int, size: int, what: str, purpose: str) -> int:
    """The index from the start. IndexError unless it is a whole number that counts from either end."""
    if isinstance(index, bool) or not isinstance(index, int) or index not in range(-size, size):
        known = f"from 0 to {size - 1}" if size else "and there is none"
        raise IndexError(f"{purpose} expected {what} {known}, got {index!r}")
    return index % size


def place_of(trace: Trace, layer: int | str) -> str:
    """The place that is meant by "l0", "l1.reverse", "encoder.l0", or by a layer's number where only one place has it.
    UnknownSiteError, TypeError.
    """
    if isinstance(layer, str):
        if layer not in trace.places:
            raise unknown("the trace", layer, trace.places)
        return layer
    if isinstance(layer, bool) or not isinstance(layer, int):
        raise TypeError(f"expected a layer's number or the name of a place, got {layer!r}")
    found = [place for place in trace.places if place.rpartition(".")[2] == f"l{layer}"]
    if not found and layer == 0 and len(trace.places) == 1:  # a single cell has no layers
        return trace.places[0]
    if len(found) != 1:
        raise unknown("the trace", f"layer {layer}" if not found else f"only one layer {layer}", trace.places)
    return found[0]


def is_reverse(place: str) -> bool:
    """Whether this direction goes from the end of the sequence to its start."""
    return place.rpartition(".")[2] == "reverse"


def cell_of(trace: Trace, place: str, cell: Cell | None = None) -> Cell:
    """The cell at a place: the one given, or the one that its name stands for. LookupError, TypeError."""
    name = trace.cell(place)
    if cell is not None:
        if not isinstance(cell, Cell):
            raise TypeError(f"expected a cell or None, got a {type(cell).__name__}")
        if cell.name == name:
            return cell
    found = registered(name) or find(name)
    run = trace.run(place)
    if found is None or set(found.state) != set(run.initial) or not set(run.sites) <= {*found.sites, "m"}:
        known = "which this process does not know" if found is None else "and the one known by that name is another"
        raise LookupError(f"the trace was made by a cell {name!r}, {known}: say cell=that cell")
    return found


def precise(value: Tensor) -> Tensor:
    """At least in float32, so that long products do not lose themselves in rounding."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def name_of(place: str, site: str) -> str:
    return f"{place}.{site}" if place else site
