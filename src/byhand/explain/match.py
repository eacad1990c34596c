"""Match: the other places of a data set where the units of a chosen span are on, as LSTMVis selects and matches.

Places are ranked by how many of the span's units they share, the most first; then by how few other units are on in all their
steps; then by how near in length they are to the span. What a place is: see same_units.

Strobelt, Gehrmann, Pfister & Rush, LSTMVis: A Tool for Visual Analysis of Hidden State Dynamics in Recurrent Neural Networks, IEEE
TVCG 24(1), 2018. There any range is a candidate; here a place has at least so many steps, so that data are read once.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sized
from contextlib import nullcontext
from numbers import Real
from typing import TYPE_CHECKING

import torch

from byhand.explain.lookup import checked, inside, name_of, place_of
from byhand.explain.matches import Match, Matches, Span
from byhand.explain.progress import progress as shown
from byhand.explain.same_units import best_places
from byhand.trace import Trace

if TYPE_CHECKING:
    from torch import Tensor

    Key = tuple[int, int, int, int, int, int]  # the greatest first: shared, others, length; then the earliest


def match(
    trace: Trace,
    span: Span | tuple[int, int],
    traces: Trace | Iterable[Trace],
    *,
    length: int | None = None,
    most: int = 50,
    progress: Callable[[int, int | None], None] | None = None,
) -> Matches:
    """Find the other places of a data set where the units of a span are on.

    Traces are read one by one and let go, so that a generator of them may give more than memory holds; record with
    sites=["*.h"] to make them small. If `trace` is itself one of them, places that overlap the span are left out.

    Args:
        trace: the recorded run with the span.
        span: byhand.explain.Span(steps, ...); or its steps alone, (first, one after the last), of layer 0.
        traces: where to look: recorded runs with the same layer, or one.
        length: the fewest steps of a place; as many as the span has if not given.
        most: how many places are kept.
        progress: a function that gets how many traces are done, and of how many: None where that is not known. If not given, what takes
            longer than two seconds says so on stderr.

    Returns:
        The best places, the best first.

    Raises:
        TypeError: `trace` or one of `traces` is no Trace, or an argument is of the wrong type.
        ValueError: no unit is on in the span; nothing was recorded; or a layer has another number of units.
        UnknownSiteError: there is no such layer or site.
        IndexError: there is no such sequence, or the steps are not inside.
        LookupError: the calls of the layer differ in batch size.
    """
    own = checked(trace, "match")
    span = read(span)
    name = name_of(place := place_of(own, span.layer, "match"), span.site)
    units, hidden = units_of(own[name].detach().cpu(), name, span)
    size = span.steps[1] - span.steps[0]
    length = size if length is None else counted("length", length)
    kept: list[tuple[Key, Match]] = []
    total = 1 if isinstance(traces, Trace) else len(traces) if isinstance(traces, Sized) else None
    done = steps = 0
    room = counted("most", most)
    with shown("match", "traces") if progress is None else nullcontext(progress) as tell:
        for one in [traces] if isinstance(traces, Trace) else traces:
            joined, same = checked(one, "match"), one is trace
            values = joined[name].detach().cpu()
            if values.shape[-1] != hidden:
                raise ValueError(f"match expected {hidden} units of {name} in trace {done}, got {values.shape[-1]}")
            least = kept[0][0][0] if len(kept) == room else 1
            for found in best_places(values, units, span, length, least, room, without_span=same):
                here = Match(done, *found)
                key = key_of(here, size)
                if len(kept) < room:
                    heapq.heappush(kept, (key, here))
                elif key > kept[0][0]:
                    heapq.heapreplace(kept, (key, here))
            steps += int(joined.valid(place).sum())
            done += 1
            tell(done, total)
    return Matches(name, tuple(units), tuple(found for _, found in sorted(kept, reverse=True)), done, steps)


def key_of(found: Match, size: int) -> Key:
    start, stop = found.steps
    return len(found.units), -found.others, -abs(stop - start - size), -found.trace, -found.batch, -start


def read(span: Span | tuple[int, int]) -> Span:
    """The span, checked in itself. TypeError."""
    span = span if isinstance(span, Span) else Span(span)
    steps = span.steps
    whole = isinstance(steps, tuple) and len(steps) == 2 and all(isinstance(one, int) for one in steps)
    if not whole:
        raise TypeError(f"match expected a span as explain.Span((first, one after the last)), got steps {steps!r}")
    if not isinstance(span.threshold, Real) or span.threshold != span.threshold:
        raise TypeError(f"match expected a number as threshold, got {span.threshold!r}")
    return span


def units_of(values: Tensor, name: str, span: Span) -> tuple[list[int], int]:
    """The units that are on in the whole span, and how many units there are. IndexError, ValueError."""
    (start, stop), (time, batch, hidden) = span.steps, values.shape
    if not 0 <= start < stop <= time:
        raise IndexError(f"match expected steps inside (0, {time}), got {span.steps}")
    one = values[:, inside(span.batch, batch, "a sequence", "match")]
    on = one > span.threshold
    found = on[start:stop].all(0)
    if span.before and start > 0:
        found &= ~on[start - 1]
    if span.after and stop < time:
        found &= ~on[stop]
    units = found.nonzero().flatten().tolist()
    if not units:
        if span.before or span.after:
            hint = "; before= and after= want units off beside it"
        else:
            hint = f"; the best stays above {float(one[start:stop].amin(0).nan_to_num(nan=-torch.inf).max()):.3g}"
        raise ValueError(
            f"match found no unit of {name} above {span.threshold:g} in all of steps {start} to {stop - 1}{hint}: choose a shorter"
            f" span, or a lower threshold, as in explain.Span({span.steps}, threshold=0.1)"
        )
    return units, hidden


def counted(what: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"match expected {what} as a whole number, got {value!r}")
    if value < 1:
        raise ValueError(f"match expected {what} of at least 1, got {value}")
    return value
