"""Saturation: how often each gate is nearly shut, and how often nearly open.

    left  = share of values below 0.1
    right = share of values above 0.9

over all steps and sequences, for each unit. A forget gate that is right-saturated in most values is a unit that remembers for
long; one that is left-saturated in most works without a memory. Gates that are never either are "half on" all the time.

Karpathy, Johnson & Fei-Fei, Visualizing and Understanding Recurrent Networks, arXiv 1506.02078, 2015.

>>> shares(torch.tensor([[0.05, 0.5], [0.95, 0.5], [0.02, 0.5], [0.5, 0.99]]))
Saturation(left=tensor([0.5000, 0.0000]), right=tensor([0.2500, 0.2500]))
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.cells.outside_modes import outside_modes
from byhand.explain.lookup import cell_of, checked, name_of, precise

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.trace import Trace

SHUT, OPEN = 0.1, 0.9  # the paper's
TRIED = 100.0  # pre-activations this great show the whole range of a gate


class Saturation(NamedTuple):
    """Shares of all values, 0 to 1, for each unit."""

    left: Float[Tensor, " hidden"]
    right: Float[Tensor, " hidden"]


def saturation(trace: Trace, *, shut: float = SHUT, open: float = OPEN, cell: Cell | None = None) -> dict[str, Saturation]:
    """The shares of each gate's values that are nearly shut and nearly open, unit by unit.

    Gates are what can only be between 0 and 1, so a candidate is none. Of a layer that is called several times, all steps
    count.

    Args:
        trace: a recorded run.
        shut: values below this count as shut.
        open: values above this count as open.
        cell: the cell that made the trace, where it is not one of byhand's.

    Returns:
        Name of a gate, as in "l0.f", -> the shares of its values below `shut` (left) and above `open` (right), each
        (hidden,).

    Raises:
        TypeError: `trace` is no Trace, `cell` is no cell, or `shut` or `open` is no number.
        ValueError: nothing was recorded, or not 0 ≤ shut ≤ open ≤ 1.
        LookupError: the cell is not known, or the calls of a layer differ in batch size.
    """
    if not (isinstance(shut, Real) and isinstance(open, Real)):
        raise TypeError(f"saturation expected numbers, got shut={shut!r}, open={open!r}")
    if not 0 <= shut <= open <= 1:
        raise ValueError(f"saturation expected 0 <= shut <= open <= 1, got shut={shut}, open={open}")
    found = {}
    trace = checked(trace, "saturation")
    for place in trace.places:
        recorded = trace.run(place).sites
        for gate in gate_sites(cell_of(trace, place, cell)):
            if gate in recorded:
                name = name_of(place, gate)
                found[name] = shares(precise(trace[name])[trace.valid(place)], shut, open)
    return found


def shares(values: Float[Tensor, "steps hidden"], shut: float = SHUT, open: float = OPEN) -> Saturation:
    # left  = share of values below 0.1
    left = (values < shut).to(values.dtype).mean(0)
    # right = share of values above 0.9
    right = (values > open).to(values.dtype).mean(0)
    return Saturation(left, right)


@outside_modes
def gate_sites(cell: Cell) -> tuple[str, ...]:
    """The sites that are gates, factors from 0 to 1: what a step gives there never leaves that range, and nearly fills it."""
    sites = steps_of_chance(cell, TRIED)
    own = [site for site in cell.sites if site in cell.gates or site not in cell.state]
    return tuple(site for site in own if between(sites[site]))


def steps_of_chance(cell: Cell, size: float) -> dict[str, Tensor]:
    """The sites of many steps, from random pre-activations within ±size and states and parameters within ±1, or less."""
    generator = torch.Generator().manual_seed(0)

    def some(names: tuple[str, ...], size: float) -> tuple[Tensor, ...]:
        return tuple(size * (2 * torch.rand(500, 4, generator=generator, dtype=torch.float64) - 1) for _ in names)

    recurrent, small = some(cell.gates, size) if cell.sources else (), min(size, 1.0)
    with torch.no_grad():
        return cell.apply(some(cell.gates, size), recurrent, some(cell.state, small), some(cell.parameters, small))[1]


def between(values: Tensor) -> bool:
    values = values[values.isfinite()]
    return values.numel() > 0 and bool(0 <= values.min() < SHUT and OPEN < values.max() <= 1)
