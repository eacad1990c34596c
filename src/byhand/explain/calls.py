"""Calls of a layer that are joined along time: where each begins, and which of them go on where the one before has ended.

Times are in the order in which the direction goes through them, the last time first in a reverse one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.explain.lookup import in_order, inside, precise
from byhand.trace.run import Run, join, sizes

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor


class Part(NamedTuple):
    """One call: its times from start to stop, not included, and its first states."""

    start: int
    stop: int
    initial: Mapping[str, Tensor]


def parts(run: Run, *, reverse: bool) -> list[Part]:
    """The calls in a run, in the direction's order."""
    starts, times = [(0, run.initial), *run.starts], len(run.valid)
    stops = [*(start for start, _ in starts[1:]), times]
    found = [Part(start, stop, initial) for (start, initial), stop in zip(starts, stops, strict=True)]
    return [Part(times - one.stop, times - one.start, one.initial) for one in reversed(found)] if reverse else found


def first_states(run: Run, state: str, *, reverse: bool) -> Float[Tensor, "time batch hidden"]:
    """At every time, the state with which its call began."""
    found = [precise(one.initial[state]).expand(one.stop - one.start, -1, -1) for one in parts(run, reverse=reverse)]
    return torch.cat(found)


def states_after(run: Run, state: str, *, reverse: bool) -> Float[Tensor, "time batch hidden"]:
    """The state after each step; that with which the call began where there is no step."""
    value, valid = (in_order(one, reverse=reverse) for one in (precise(run.value(state)), run.valid))
    return torch.where(valid.unsqueeze(-1), value, first_states(run, state, reverse=reverse))


def states_before(run: Run, state: str, after: Tensor, *, reverse: bool) -> Float[Tensor, "time batch hidden"]:
    """The state before each step, given those after each. A call begins with what it was given, wherever the one before has ended; so
    does a sequence that starts again.
    """
    before = after.roll(1, 0)
    for one in parts(run, reverse=reverse):
        before[one.start] = precise(one.initial[state])
    if not run.restart:
        return before
    again = in_order(precise(run.restart[state]), reverse=reverse)
    return torch.where(again.isnan(), before, again)


def goes_on(run: Run, state: str, *, reverse: bool) -> Bool[Tensor, "time batch"]:
    """Whether a step starts from the state that the sequence's step before has left: within a call, but where the sequence starts again;
    and from call to call where the state was handed on.
    """
    valid = in_order(run.valid, reverse=reverse)
    after = states_after(run, state, reverse=reverse)
    found = torch.cat([torch.zeros_like(valid[:1]), valid[:-1]])
    begun, left = torch.zeros_like(valid[0]), after[0]
    for one in parts(run, reverse=reverse):
        there = valid[one.start : one.stop]
        first = there.long().argmax(0)  # its first step, where it has any
        same = ((left == precise(one.initial[state])) | left.isnan()).all(-1)
        column = torch.arange(len(first), device=valid.device)
        found[one.start + first, column] = begun & same & there.any(0)
        last = len(there) - 1 - there.flip(0).long().argmax(0)
        left = torch.where(there.any(0).unsqueeze(-1), after[one.start + last, column], left)
        begun = begun | there.any(0)
    if run.restart:
        found &= in_order(run.restart[state], reverse=reverse).isnan().all(-1)
    return found & valid


def joined(place: str, runs: Sequence[Run], call: int | None, purpose: str) -> Run:
    """One call of a place, or all of them along time. IndexError; ValueError if it was not called, or their batches differ in size."""
    if not runs:
        raise ValueError(f"{purpose} found that the model does not call {place or 'its cell'} on this input")
    if call is not None:
        return runs[inside(call, len(runs), f"a call of {place or 'the cell'}", purpose)]
    if len(sizes(runs)) > 1:
        raise ValueError(
            f"{purpose} found {len(runs)} calls of {place or 'the cell'}, with batches of {listed(sizes(runs))} sequences, which cannot be"
            f" joined along time: choose one, as in call={len(runs) - 1}"
        )
    return join(place, list(runs)) if len(runs) > 1 else runs[0]


def listed(several: Sequence[object]) -> str:
    """As in "1, 2 and 3"."""
    *rest, last = map(str, several)
    return f"{', '.join(rest)} and {last}" if rest else last
