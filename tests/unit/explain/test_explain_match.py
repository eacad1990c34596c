"""match: equals a search by hand through all windows of all steps; reads a stream; says what is wrong with a span."""

from __future__ import annotations

import random
import weakref
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import pytest
import torch
from torch import Tensor

from byhand import LSTM, Trace, explain, record
from byhand.errors import UnknownSiteError
from byhand.explain import Match, Span, same_units
from byhand.trace.run import Run


def trace_of(values: Tensor, valid: Tensor | None = None) -> Trace:
    """A trace whose h is this."""
    valid = torch.ones(values.shape[:2], dtype=torch.bool) if valid is None else valid
    initial = {"h": torch.zeros(values.shape[1:]), "c": torch.zeros(values.shape[1:])}
    return Trace({"l0": [Run("lstm", torch.zeros(*values.shape[:2], 1), valid, initial, {"h": values})]})


def noise(generator: torch.Generator, time: int, batch: int, hidden: int, stay: int = 3) -> Tensor:
    """On and off, a few steps each."""
    few = torch.rand(-(-time // stay) + 1, batch, hidden, generator=generator)
    return few.repeat_interleave(stay, 0)[:time] + 0.2 * torch.rand(time, batch, hidden, generator=generator) - 0.3


def by_hand(traces: list[Trace], units: tuple[int, ...], span: Span, length: int) -> list[Match]:
    """All places, from what is written at the top of same_units, a window at a time."""
    found, size = [], span.steps[1] - span.steps[0]
    for index, trace in enumerate(traces):
        values, valid = trace["l0.h"], trace.valid("l0")
        for batch in range(values.shape[1]):
            end = int(valid[:, batch].sum())
            on = [{u for u, v in enumerate(values[t, batch].tolist()) if v > span.threshold} for t in range(end)]
            q = [set.intersection(set(units), *on[t : t + length]) for t in range(end - length + 1)]
            rows: list[tuple[bool, Match]] = []  # whether it touches the one before
            at, touches = 0, False
            for shared, several in groupby(q):
                start, stop = at, at + len(list(several)) + length - 1
                at = stop - length + 1
                if not shared:
                    touches = False
                    continue
                before = on[start - 1] if span.before and start else set()
                after = on[stop] if span.after and stop < end else set()
                others = set.intersection(*on[start:stop]) - set(units)
                rows.append((touches, Match(index, batch, (start, stop), tuple(sorted(shared - before - after)), len(others))))
                touches = True
            for number, (touching, one) in enumerate(rows):
                beside = [rows[number - 1][1]] if touching else []
                beside += [rows[number + 1][1]] if number + 1 < len(rows) and rows[number + 1][0] else []
                if one.units and all(key(one, size) < key(other, size) for other in beside):
                    found.append(one)
    return sorted(found, key=lambda one: key(one, size))


def key(one: Match, size: int) -> tuple[int, ...]:
    return (-len(one.units), one.others, abs(one.steps[1] - one.steps[0] - size), one.trace, one.batch, one.steps[0])


@pytest.mark.parametrize(("before", "after"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("length", [None, 1, 2])
def test_equals_a_search_by_hand(monkeypatch: pytest.MonkeyPatch, before: bool, after: bool, length: int | None) -> None:
    monkeypatch.setattr(same_units, "AT_ONCE", 500)  # several pieces a trace
    seen = empty = 0
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        traces = [trace_of(noise(generator, time, batch, 6)) for time, batch in ((40, 3), (1, 2), (60, 1), (25, 5))]
        lengths = torch.tensor([25, 7, 13, 1, 20])
        traces[3] = trace_of(traces[3]["l0.h"], torch.arange(25)[:, None] < lengths)
        start = random.Random(seed).randrange(30)
        span = Span((start, start + 3), batch=seed % 3, threshold=0.25, before=before, after=after)
        try:
            got = explain.match(traces[0], span, iter(traces), length=length, most=10_000)
        except ValueError:  # none is on in all of this span
            empty += 1
            continue
        every = by_hand(traces, got.units, span, length or 3)
        other = [one for one in every if not (one.trace == 0 and one.batch == span.batch and overlap(one, span))]
        assert list(got.places) == other
        assert (got.traces, got.steps) == (4, 40 * 3 + 2 + 60 + 66)
        few = explain.match(traces[0], span, traces, length=length, most=7)
        assert few.places == got.places[:7]
        seen += len(other)
    assert seen > 50
    assert empty < 35


def overlap(one: Match, span: Span) -> bool:
    return one.steps[0] < span.steps[1] and one.steps[1] > span.steps[0]


def test_a_stream_is_let_go() -> None:
    """Never more than two traces are alive."""
    alive: list[weakref.ref[Trace]] = []
    most = 0

    def stream() -> Iterator[Trace]:
        nonlocal most
        for seed in range(8):
            made = trace_of(noise(torch.Generator().manual_seed(seed), 50, 2, 4))
            alive.append(weakref.ref(made))
            most = max(most, sum(one() is not None for one in alive))
            yield made
            del made

    own = trace_of(torch.ones(5, 1, 4))
    found = explain.match(own, (1, 4), stream())
    assert found.traces == 8
    assert most <= 2


def test_of_a_layer_and_printed() -> None:
    torch.manual_seed(0)
    lstm = LSTM(3, 8)
    with record(lstm, ["*.h", "*.c"]) as trace:
        lstm(torch.randn(200, 2, 3))
    span = Span((50, 53), batch=1, site="c", threshold=0.1)
    found = explain.match(trace, span, trace)
    assert found.name == "l0.c"
    assert found.places
    values = trace["l0.c"]
    for one in found.places:
        there = values[slice(*one.steps), one.batch] > 0.1
        assert there[:, list(one.units)].all()
        assert int(there.all(0).sum()) == len(one.units) + one.others
    lines = str(found).splitlines()
    assert len(lines) == 2 + len(found.places)
    assert "400 steps of 1 traces" in lines[0]


def test_progress_counts_traces() -> None:
    traces = [trace_of(torch.ones(5, 1, 2)) for _ in range(3)]
    told: list[tuple[int, int | None]] = []
    explain.match(traces[0], (1, 3), traces, progress=lambda done, total: told.append((done, total)))
    explain.match(traces[0], (1, 3), iter(traces), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3), (1, None), (2, None), (3, None)]


def test_what_it_refuses() -> None:
    trace = trace_of(torch.full((6, 2, 3), 0.5))
    good = Span((1, 4))
    with pytest.raises(ValueError, match=r"found no unit of l0\.h above 0\.9 .*; the best stays above 0\.5"):
        explain.match(trace, replace(good, threshold=0.9), trace)
    with pytest.raises(ValueError, match="want units off beside it"):
        explain.match(trace, replace(good, before=True), trace)
    with pytest.raises(IndexError, match=r"inside \(0, 6\)"):
        explain.match(trace, (4, 9), trace)
    with pytest.raises(IndexError, match="a sequence from 0 to 1"):
        explain.match(trace, replace(good, batch=2), trace)
    with pytest.raises(UnknownSiteError, match=r"l0\.h"):
        explain.match(trace, replace(good, site="q"), trace)
    with pytest.raises(TypeError, match=r"explain\.Span\(\(first"):
        explain.match(trace, 3, trace)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a Trace, got a Tensor"):
        explain.match(trace, good, [torch.zeros(3)])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"expected 3 units of l0\.h in trace 1, got 4"):
        explain.match(trace, good, [trace, trace_of(torch.ones(6, 2, 4))])
    with pytest.raises(ValueError, match="length of at least 1, got 0"):
        explain.match(trace, good, trace, length=0)
    with pytest.raises(TypeError, match="most as a whole number"):
        explain.match(trace, good, trace, most=True)
