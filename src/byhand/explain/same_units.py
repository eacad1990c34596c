"""Places where units of a span are on: of many sequences at once, in tables of bounded size.

    on_t(u) = value_t(u) > threshold
    Q_t = {u of the span : on in all of t, …, t + length − 1}

A place is a longest row of neighbouring t with one and the same Q ≠ ∅: all steps from the first t to the last t + length − 1, in which
all of its Q are on. Where units have to be off before or after it, the others leave its Q. Neighbouring rows overlap: of two, the
one that ranks better is a place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from byhand.explain.matches import Span

    Found = tuple[int, tuple[int, int], tuple[int, ...], int]  # batch, steps, units, others

AT_ONCE = 2**22  # numbers in the greatest table


class Places(NamedTuple):
    """start and stop: steps. shared: which of the span's units. others: how many units besides."""

    start: Int[Tensor, " places"]
    stop: Int[Tensor, " places"]
    shared: Bool[Tensor, "places units"]
    others: Int[Tensor, " places"]

    def ranked(self, size: int) -> Int[Tensor, " places"]:
        """The rank of each: 0 is the best. Equal ones in order of time."""
        order = torch.arange(len(self.start))
        for key in ((self.stop - self.start - size).abs(), self.others, -self.shared.sum(1)):
            order = order[key[order].argsort(stable=True)]
        return torch.empty_like(order).scatter_(0, order, torch.arange(len(order)))

    def only(self, which: Tensor) -> Places:
        return Places(*(one[which] for one in self))


def best_places(
    values: Float[Tensor, "time batch hidden"],
    units: list[int],
    span: Span,
    length: int,
    least: int,
    most: int,
    *,
    without_span: bool,
) -> Iterator[Found]:
    """The best places of a trace that share at least so many units, at most so many of each piece of it."""
    time, batch, hidden = values.shape
    many = max(1, AT_ONCE // ((time + 1) * hidden))
    first, last = span.steps
    for begin in range(0, batch, many):
        on = values[:, begin : begin + many].transpose(0, 1) > span.threshold
        apart = torch.nn.functional.pad(on, (0, 0, 0, 1))  # a step between two sequences at which all are off
        found = places(apart.flatten(0, 1), units, length, before=span.before, after=span.after, size=last - first)
        at = found.start // (time + 1)
        wanted = found.shared.sum(1) >= least
        if without_span:
            start, stop = found.start - at * (time + 1), found.stop - at * (time + 1)
            wanted &= ~((at + begin == span.batch % batch) & (start < last) & (stop > first))
        found = found.only(wanted)
        found = found.only(found.ranked(last - first).argsort()[:most])
        for start, stop, shared, others in zip(*(one.tolist() for one in found), strict=True):
            item = start // (time + 1)
            steps = start - item * (time + 1), stop - item * (time + 1)
            yield begin + item, steps, tuple(unit for unit, on in zip(units, shared, strict=True) if on), others


def places(on: Bool[Tensor, "steps hidden"], units: list[int], length: int, *, before: bool, after: bool, size: int) -> Places:
    """All places of steps in a row, the last of which has nothing on."""
    steps = torch.arange(len(on), dtype=torch.int32)[:, None]
    since = steps - torch.where(on, -1, steps).cummax(0).values  # for how many steps a unit has been on
    # Q_t = {u of the span : on in all of t, …, t + length − 1}, at its last step
    whole = since[:, units] >= length
    new = torch.ones(len(on), dtype=torch.bool)
    new[1:] = (whole[1:] != whole[:-1]).any(1)
    ends = new.nonzero().flatten()
    first, last = ends, torch.cat([ends[1:], torch.tensor([len(on)])]) - 1
    there = whole[first].any(1)
    first, last = first[there], last[there]
    shared = whole[first]
    if before:
        shared &= since[first][:, units] == length
    if after:
        shared &= ~on[last + 1][:, units]
    start, stop = first - length + 1, last + 1
    rest = torch.ones(on.shape[1], dtype=torch.bool)
    rest[units] = False
    others = (since[last][:, rest] >= (stop - start)[:, None]).sum(1)
    found = Places(start, stop, shared, others)
    return found.only(peaks(first, last, found.ranked(size)) & shared.any(1))


def peaks(first: Tensor, last: Tensor, rank: Int[Tensor, " places"]) -> Bool[Tensor, " places"]:
    """Those that rank better than both neighbours, where they have any: rows that begin where the one before has ended."""
    best = torch.ones_like(rank, dtype=torch.bool)
    touch = first[1:] == last[:-1] + 1
    best[1:] &= ~touch | (rank[1:] < rank[:-1])
    best[:-1] &= ~touch | (rank[:-1] < rank[1:])
    return best
