"""One state of one layer and direction over a whole sequence, as keep and write: s_t = keep_t ⊙ s_{t-1} + write_t."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.explain.additive import Linear, NotAdditiveError, additive_states, any_value, linear, why_not
from byhand.explain.places import cell_of, is_reverse, name_of, precise
from byhand.trace import unknown

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.cells.cell import Noise
    from byhand.trace import Trace

ROUNDINGS = 16  # how many times the rounding of one operation a recorded state may differ from keep ⊙ before + write


class Memory(NamedTuple):
    """Times in the order in which this direction goes through them, the last time first in a reverse one.

    Where a sequence has ended, keep is 1, write 0, and `after` the first memory.
    """

    state: str
    reverse: bool
    keep: Float[Tensor, "time batch hidden"]
    write: Float[Tensor, "time batch hidden"]
    after: Float[Tensor, "time batch hidden"]
    initial: Float[Tensor, "batch hidden"]
    valid: Bool[Tensor, "time batch"]


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
    reverse = is_reverse(place)
    valid = in_order(trace.valid(place), reverse=reverse)
    initial = precise(trace.initial(name_of(place, state)))
    after = values(trace, place, state, valid, reverse=reverse)
    before = torch.cat([initial.expand_as(after[:1]), after[:-1]])
    keep, write = factors(trace, place, cell, state, before, after)
    return Memory(
        state,
        reverse,
        torch.where(valid.unsqueeze(-1), keep, 1.0),
        torch.where(valid.unsqueeze(-1), write, 0.0),
        after,
        initial,
        valid,
    )


def in_order(value: Tensor, *, reverse: bool) -> Tensor:
    """Along the direction's own time; the same again turns it back."""
    return value.flip(0) if reverse else value


def values(trace: Trace, place: str, site: str, valid: Tensor, *, reverse: bool) -> Tensor:
    """A site in the direction's order; the first memory, or 0, where there is no step."""
    run = trace.run(place)
    value = in_order(precise(trace[name_of(place, site)]), reverse=reverse)
    held = precise(run.initial[site]) if site in run.initial else torch.zeros_like(value[0])
    return torch.where(valid.unsqueeze(-1), value, held)


def factors(trace: Trace, place: str, cell: Cell, state: str, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Keep and write. Masks are in no trace: of the values that they can take, those count that give the state that was recorded."""
    noise, recorded = read_noise(cell, state), torch.finfo(trace[name_of(place, state)].dtype)
    best: tuple[Tensor, Tensor, Tensor] | None = None
    for drawn in product(*(candidates(mask) for mask in noise)):
        form = numbers(trace, place, cell, state, dict(zip((mask.name for mask in noise), drawn, strict=True)))
        keep, write = (torch.zeros_like(after) + (0.0 if part is None else part) for part in form)
        error = (keep * before + write - after).abs() - allowance(keep, before, write, recorded.eps)
        if best is None:
            best = keep, write, error
            continue
        better = error < torch.where(best[2] <= 0, best[2].new_tensor(-torch.inf), best[2])
        best = torch.where(better, keep, best[0]), torch.where(better, write, best[1]), torch.where(better, error, best[2])
    assert best is not None
    refuse_changed(place, state, best[2], in_order(trace.valid(place), reverse=is_reverse(place)))
    return best[0], best[1]


def allowance(keep: Tensor, before: Tensor, write: Tensor, eps: float) -> Tensor:
    return ROUNDINGS * (eps * ((keep * before).abs() + write.abs()) + torch.finfo(keep.dtype).tiny)


def read_noise(cell: Cell, state: str) -> list[Noise]:
    """The masks that the state's own equation reads."""
    asked: list[str] = []

    def value(kind: str, name: str) -> Tensor:
        if kind == "p":
            asked.append(name)
        return any_value(cell, kind, name)

    linear(cell, state, value)
    return [mask for mask in cell.noise if mask.name in asked]


def candidates(mask: Noise) -> tuple[float, ...]:
    """What a mask can be: its mean in eval mode, else drawn or not."""
    return (mask.mean, 0.0, 1 / (1 - mask.rate) if mask.scaled else 1.0)


def numbers(trace: Trace, place: str, cell: Cell, state: str, masks: dict[str, float]) -> Linear:
    """Keep and write in the direction's order."""
    run = trace.run(place)
    reverse = is_reverse(place)
    valid = in_order(trace.valid(place), reverse=reverse)
    projected = "m" in run.sites and "m" not in cell.sites

    def value(kind: str, name: str) -> Tensor | float:
        if kind == "p":
            return masks[name] if name in masks else any_value(cell, kind, name)
        if kind == "site":
            public = "m" if projected and name == cell.state[0] else name
            return values(trace, place, public, valid, reverse=reverse)
        after = values(trace, place, name, valid, reverse=reverse)
        return torch.cat([precise(run.initial[name]).expand_as(after[:1]), after[:-1]])

    return linear(cell, state, value)


def refuse_changed(place: str, state: str, error: Tensor, valid: Tensor) -> None:
    """ValueError if a state is not what the equation says."""
    wrong = (~(error <= 0) & valid.unsqueeze(-1)).nonzero()
    wrong = wrong[~torch.isnan(error[tuple(wrong.T)])] if len(wrong) else wrong
    if len(wrong):
        time, batch, unit = wrong[0].tolist()
        raise ValueError(
            f"{name_of(place, state)} at the {time + 1}. step of sequence {batch}, unit {unit}, is not what was kept and written there:"
            " it was edited, or several calls that do not follow from each other were joined"
        )
