"""Gates that are always shut or open, and gates that are hardly ever in between."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import torch

from byhand.cells.outside_modes import outside_modes
from byhand.explain.additive import additive_states, any_value, linear
from byhand.explain.diagnose.findings import Finding, units
from byhand.explain.saturation import gate_sites, steps_of_chance

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.explain.diagnose.seen import Seen

SHUT, OPEN = 0.01, 0.99  # an always shut gate lets less through than that, an always open one more
SATURATED = 0.9  # the share of values beyond SHUT and OPEN from which a gate counts as saturated
MANY = 0.5  # the share of units from which on gates that are always open are worth a word: a unit or two do well without one


def check_gates(seen: Seen) -> Iterator[Finding]:
    """All gates of a layer and direction."""
    for site in deciding_gates(seen.cell):
        values, keeps = seen.values(site), site in keeping_gates(seen.cell)
        shut, open_ = values.amax(0) < SHUT, values.amin(0) > OPEN
        label = seen.cell.labels.get(site, "gate")
        if bool(shut.any()):
            yield always_shut(seen.name(site), label, values, shut.nonzero().flatten().tolist())
        if open_.double().mean() >= MANY and not keeps:
            yield always_open(seen.name(site), label, values, open_.nonzero().flatten().tolist())
        yield from saturated(seen.name(site), label, values[:, ~(shut | open_)], keeps=keeps)


def always_shut(name: str, label: str, values: Float[Tensor, "steps hidden"], found: list[int]) -> Finding:
    return Finding(
        "always shut",
        name,
        f"{label} of {units(found, values.shape[1])}: at most {values[:, found].max().item():.2g} in {len(values)} steps",
        "Nothing passes, and no gradient does: the unit cannot learn its way out. A higher bias of that gate, smaller weights"
        " or a lower learning rate, from a fresh start of these units.",
    )


def always_open(name: str, label: str, values: Float[Tensor, "steps hidden"], found: list[int]) -> Finding:
    return Finding(
        "always open",
        name,
        f"{label} of {units(found, values.shape[1])}: never more than {1 - values[:, found].min().item():.2g} from 1"
        f" in {len(values)} steps",
        "It decides nothing, so that whatever is there passes at every step. Lower its bias; smaller weights or inputs, or a lower"
        " learning rate, keep it from getting there.",
    )


def saturated(name: str, label: str, values: Float[Tensor, "steps rest"], *, keeps: bool) -> Iterator[Finding]:
    """keeps: an open gate is right, so some of its values have to be shut."""
    low, high = ((part.double().mean().item() if part.numel() else 0.0) for part in (values < SHUT, values > OPEN))
    if low + high >= SATURATED and (low > 1 - SATURATED or not keeps):
        yield Finding(
            "saturated",
            name,
            f"{low + high:.0%} of the values of the {label} are below {SHUT} or above {OPEN}",
            "A saturated gate passes hardly any gradient on (its slope there is below 0.01). Smaller weights or inputs, weight decay,"
            " clipped gradients or a lower learning rate.",
        )


@outside_modes
def deciding_gates(cell: Cell) -> tuple[str, ...]:
    """The gates that small pre-activations leave between the ends. Those of sLSTM are none: one of its two is 1 at every step."""
    some = steps_of_chance(cell, 0.5)
    return tuple(site for site in gate_sites(cell) if bool(((some[site] > SHUT) & (some[site] < OPEN)).all()))


@outside_modes
def keeping_gates(cell: Cell) -> tuple[str, ...]:
    """The gates that say how much of a memory is kept, as an LSTM's forget gate. Always open they are right: what is to be kept for
    long must not be forgotten at any step. Where memories run away for it, that is found (drift_check).
    """
    return tuple(site for site in gate_sites(cell) if any(keeps(cell, state, site) for state in additive_states(cell)))


def keeps(cell: Cell, state: str, site: str) -> bool:
    """Whether what a state keeps of itself depends on this site."""

    def value(kind: str, name: str, more: float) -> Tensor | float:
        return any_value(cell, kind, name) + more * ((kind, name) == ("site", site))

    usual, moved = (linear(cell, state, partial(value, more=more)).keep for more in (0.0, 0.25))
    return usual is not None and moved is not None and not torch.equal(torch.as_tensor(usual), torch.as_tensor(moved))
