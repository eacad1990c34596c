"""What match takes and gives: a span of steps, and the places where its units are on as well."""

from __future__ import annotations

from dataclasses import dataclass

THRESHOLD = 0.3  # LSTMVis's


@dataclass(frozen=True)
class Span:
    """Steps of a layer, and what counts as on in them.

    Attributes:
        steps: (first, one after the last).
        layer: its number, or a name as in "l1.reverse".
        batch: which of its sequences.
        site: which of its values; "c" is the long memory.
        threshold: values above this are on.
        before: whether units count only if they are off just before, here and in other places.
        after: whether they count only if they are off just after. Before the first step and after the last one all are off.
    """

    steps: tuple[int, int]
    layer: int | str = 0
    batch: int = 0
    site: str = "h"
    threshold: float = THRESHOLD
    before: bool = False
    after: bool = False


@dataclass(frozen=True)
class Match:
    """A place where units of the span are on.

    Attributes:
        trace: which of the traces, from 0.
        batch: which of its sequences.
        steps: (first, one after the last).
        units: those of the span that are on in all these steps.
        others: how many other units are.
    """

    trace: int
    batch: int
    steps: tuple[int, int]
    units: tuple[int, ...]
    others: int


@dataclass(frozen=True)
class Matches:
    """The best places, the best first; printed, a table.

    Attributes:
        name: the layer and site, as in "l0.h".
        units: of the span, those that are on in it.
        places: where they are on as well.
        traces: how many traces were read.
        steps: how many steps they had, all sequences together.
    """

    name: str
    units: tuple[int, ...]
    places: tuple[Match, ...]
    traces: int
    steps: int

    def __str__(self) -> str:
        many = f"{len(self.units)} unit{'s' * (len(self.units) != 1)}"
        head = f"{self.name}: {many} on in the span ({', '.join(map(str, self.units))}); {self.steps:,} steps of {self.traces:,} traces"
        lines = [head, f"{'trace':>7}  {'batch':>5}  {'steps':>17}  {'shared':>6}  {'others':>6}"]
        for one in self.places:
            steps = f"{one.steps[0]} to {one.steps[1] - 1}"
            lines.append(f"{one.trace:7}  {one.batch:5}  {steps:>17}  {len(one.units):6}  {one.others:6}")
        return "\n".join(lines)
