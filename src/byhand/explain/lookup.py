"""Where in a trace: calls, places, cells and precise numbers, as the analyses ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from byhand.cells import Cell
from byhand.cells.names import find, registered
from byhand.engine.names import is_numbered
from byhand.errors import UnknownSiteError
from byhand.trace import Trace
from byhand.trace.run import join, sizes, unknown

if TYPE_CHECKING:
    from torch import Tensor


def checked(trace: Trace, purpose: str) -> Trace:
    """The trace, the calls of each place joined along time where their batches are of one size. TypeError for anything but a trace,
    ValueError for one in which nothing was recorded.
    """
    if not isinstance(trace, Trace):
        raise TypeError(
            f"{purpose} expected a Trace, got a {type(trace).__name__}: with byhand.record(model) as trace: model(x)"
        )
    if not trace.places:
        raise ValueError(f"{purpose} got an empty trace: call the model inside `with byhand.record(model) as trace:`")
    return along_time(trace)


def along_time(trace: Trace) -> Trace:
    """The calls of each place joined, where their batches are of one size."""
    if all(len(runs) == 1 for runs in trace.runs.values()):
        return trace
    return Trace({place: runs if sizes(runs)[1:] else [join(place, runs)] for place, runs in trace.runs.items()})


def inside(index: int, size: int, what: str, purpose: str) -> int:
    """The index from the start. IndexError unless it is a whole number that counts from either end."""
    if isinstance(index, bool) or not isinstance(index, int) or index not in range(-size, size):
        known = f"from 0 to {size - 1}" if size else "and there is none"
        raise IndexError(f"{purpose} expected {what} {known}, got {index!r}")
    return index % size


def place_of(trace: Trace, layer: int | str, purpose: str, argument: str = "layer") -> str:
    """The place of a trace that is meant; see place_among. UnknownSiteError, TypeError."""
    return place_among(trace.places, layer, purpose, argument)


def place_among(places: Sequence[str], layer: int | str, purpose: str, argument: str) -> str:
    """The place that is meant by its name, "l0", "l1.reverse", "encoder.l0"; or by "encoder", or a layer's number, where there is
    only one such. argument: what the caller calls it. UnknownSiteError, TypeError.
    """
    if isinstance(layer, bool) or not isinstance(layer, int | str):
        raise TypeError(f"{purpose} expected {argument} to be a layer's number or the name of a place, got {layer!r}")
    if isinstance(layer, str):
        found = [layer] if layer in places else [place for place in places if place.startswith(f"{layer}.")]
    elif layer == 0 and not any(map(is_numbered, places)):  # single cells have no layers
        found = list(places)
    else:
        found = [place for place in places if place.rpartition(".")[2] == f"l{layer}"]
    what = layer if isinstance(layer, str) else f"layer {layer}"
    if not found:
        raise unknown(purpose, what, places)
    if len(found) > 1:
        more = f" and {len(found) - 6} more" * (len(found) > 6)
        raise UnknownSiteError(
            f"{purpose} found {what} at {', '.join(found[:6])}{more}: say which, as in {argument}={found[0]!r}"
        )
    return found[0]


def in_order(value: Tensor, *, reverse: bool) -> Tensor:
    """Along the direction's own time; the same again turns it back."""
    return value.flip(0) if reverse else value


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
