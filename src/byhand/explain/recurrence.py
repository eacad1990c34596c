"""One state of one layer and direction over a whole sequence, as keep and write: s_t = keep_t ⊙ s_{t-1} + write_t."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.engine.names import is_reverse
from byhand.errors import NotAdditiveError
from byhand.explain.additive import Linear, additive_states, any_value, linear, why_not
from byhand.explain.calls import goes_on, states_after, states_before
from byhand.explain.lookup import cell_of, in_order, name_of, precise
from byhand.trace.run import unknown

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.cells.cell import Noise
    from byhand.trace import Trace

ROUNDINGS = 16  # how many times the rounding of one operation a recorded state may differ from keep ⊙ before + write


class Memory(NamedTuple):
    """Times in the order in which this direction goes through them, the last time first in a reverse one.

    Where a sequence has ended, keep is 1, write 0, and `after` the first memory of the call. goes_on: whether a step starts from what
    the sequence's step before has left; false at its first, and where a later call began with another memory.
    """

    state: str
    reverse: bool
    keep: Float[Tensor, "time batch hidden"]
    write: Float[Tensor, "time batch hidden"]
    before: Float[Tensor, "time batch hidden"]
    after: Float[Tensor, "time batch hidden"]
    valid: Bool[Tensor, "time batch"]
    goes_on: Bool[Tensor, "time batch"]


def default_state(cell: Cell, place: str) -> str:
    """The long memory, or the state that does its work. NotAdditiveError if no state is additive."""
    found = additive_states(cell)
    if not found:
        reasons = "; ".join(f"{state}: {why_not(cell, state)}" for state in cell.state)
        raise NotAdditiveError(f"cell {cell.name!r} of {place or 'the layer'} has no memory that is added to ({reasons})")
    return found[0]


def memory(trace: Trace, place: str, state: str | None = None, *, cell: Cell | None = None) -> Memory:
    """What a state kept and what was written to it. NotAdditiveError with the reason, UnknownSiteError, LookupError."""
    cell = cell_of(trace, place, cell)
    state = default_state(cell, place) if state is None else state
    if state not in cell.state:
        raise unknown(f"cell {cell.name!r}", state, cell.state)
    reason = why_not(cell, state)
    if reason is not None:
        raise NotAdditiveError(f"state {state!r} of cell {cell.name!r} is no memory that is added to: {reason}")
    reverse, run = is_reverse(place), trace.run(place)
    valid = in_order(run.valid, reverse=reverse)
    before, after = states(trace, place, state, reverse=reverse)
    keep, write = factors(trace, place, cell, state, before, after)
    return Memory(
        state,
        reverse,
        torch.where(valid.unsqueeze(-1), keep, 1.0),
        torch.where(valid.unsqueeze(-1), write, 0.0),
        before,
        after,
        valid,
        goes_on(run, state, reverse=reverse),
    )


def states(trace: Trace, place: str, state: str, *, reverse: bool) -> tuple[Tensor, Tensor]:
    """Before and after each step. UnknownSiteError if it was not recorded."""
    trace.dims(name_of(place, state))
    run = trace.run(place)
    after = states_after(run, state, reverse=reverse)
    return states_before(run, state, after, reverse=reverse), after


def factors(trace: Trace, place: str, cell: Cell, state: str, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Keep and write. Masks are in no trace: of the values that they can take, those count that come closest to the recorded state,
    their means if these alone explain all of it.
    """
    noise, eps = read_noise(cell, state), torch.finfo(trace[name_of(place, state)].dtype).eps
    valid = in_order(trace.valid(place), reverse=is_reverse(place))

    def tried(masks: tuple[float, ...]) -> Tried:
        form = numbers(trace, place, cell, state, dict(zip((mask.name for mask in noise), masks, strict=True)))
        keep, write = (torch.zeros_like(after) + (0.0 if part is None else part) for part in form)
        allowed = ROUNDINGS * (eps * ((keep * before).abs() + write.abs()) + torch.finfo(keep.dtype).tiny)
        return Tried(keep, write, (keep * before + write - after).abs(), allowed)

    best = tried(tuple(mask.mean for mask in noise))  # as in eval mode
    if noise and bool((best.wrong & valid.unsqueeze(-1)).any()):
        mean, *drawn = best, *map(tried, product(*map(drawn_values, noise)))
        best = drawn[0]
        for other in drawn[1:]:
            best = best.where(other.error < best.error, other)
        best = best.where(best.wrong & ~mean.wrong, mean)  # calls in both modes, joined
    refuse_changed(place, state, best, valid)
    return best.keep, best.write


class Tried(NamedTuple):
    """Keep and write with some values of the masks: how far they are from what was recorded, and how far rounding may take them."""

    keep: Tensor
    write: Tensor
    error: Tensor
    allowed: Tensor

    @property
    def wrong(self) -> Tensor:
        return self.error > self.allowed

    def where(self, condition: Tensor, other: Tried) -> Tried:
        """The other's values under the condition."""
        return Tried(*(torch.where(condition, theirs, own) for own, theirs in zip(self, other, strict=True)))


def read_noise(cell: Cell, state: str) -> list[Noise]:
    """The masks that the state's own equation reads."""
    asked: list[str] = []

    def value(kind: str, name: str) -> Tensor:
        if kind == "p":
            asked.append(name)
        return any_value(cell, kind, name)

    linear(cell, state, value)
    return [mask for mask in cell.noise if mask.name in asked]


def drawn_values(mask: Noise) -> tuple[float, float]:
    """What a mask can be in training."""
    return 0.0, 1 / (1 - mask.rate) if mask.scaled else 1.0


def numbers(trace: Trace, place: str, cell: Cell, state: str, masks: dict[str, float]) -> Linear:
    """Keep and write in the direction's order."""
    reverse, sites = is_reverse(place), trace.run(place).sites
    projected = "m" in sites and "m" not in cell.sites

    def value(kind: str, name: str) -> Tensor | float:
        if kind == "p":
            return masks[name] if name in masks else any_value(cell, kind, name)
        if kind == "site":
            public = "m" if projected and name == cell.state[0] else name
            return in_order(precise(trace[name_of(place, public)]), reverse=reverse)
        return states(trace, place, name, reverse=reverse)[0]

    return linear(cell, state, value)


def refuse_changed(place: str, state: str, best: Tried, valid: Tensor) -> None:
    """ValueError if a state is not what the equation says. What is no number is no news here."""
    wrong = (best.wrong & valid.unsqueeze(-1)).nonzero()
    if len(wrong):
        time, batch, unit = wrong[0].tolist()
        raise ValueError(
            f"{name_of(place, state)} at the {time + 1}. step of sequence {batch}, unit {unit}, is not what was kept and written there:"
            " it was edited, or begun again, which a trace that was saved does not hold"
        )
