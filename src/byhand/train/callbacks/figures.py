"""What a trace looks like in a training's log."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from byhand.explain import saturation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from byhand.tasks.task import Form, Sequences
    from byhand.trace import Trace


FIRST = 1.0  # seconds that pictures are taken to need before any was drawn: matplotlib is imported then


class Budget:
    """The time that pictures may take, as a share of the time since the training began.

    Args:
        share: of that time; infinite: whatever they take.
    """

    def __init__(self, share: float = math.inf) -> None:
        self.share, self.began = share, time.monotonic()
        self.spent, self.needed = 0.0, FIRST

    def allows(self) -> bool:
        """Whether pictures that need as long as the last ones did are within the share."""
        return math.isinf(self.share) or self.spent + self.needed <= self.share * (time.monotonic() - self.began)

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Within, pictures are drawn."""
        start = time.monotonic()
        yield
        self.needed = time.monotonic() - start
        self.spent += self.needed


def is_due(time: int) -> bool:
    """At the times 0, 1, 2, 4, 8, 16, ...: as a training slows down, so do its pictures."""
    return time & (time - 1) == 0


def pictures(trace: Trace, characters: str | None) -> Iterator[tuple[str, Figure]]:
    """Names and figures: gates and memories of every layer, for the first sequence, and how often all gates are shut and open."""
    from byhand import plots  # noqa: PLC0415 (matplotlib is loaded when the first picture is drawn)

    gates = saturation(trace)
    for place in trace.places:
        if any(name.rpartition(".")[0] == place for name in gates):
            yield f"gates/{place}", plots.gates(trace, place, characters=characters)
        yield f"memories/{place}", plots.memories(trace, place, characters=characters)
    if gates:
        yield "saturation", plots.saturation(gates)


def characters_of(form: Form, batch: Sequences) -> str | None:
    """What the first sequence says, where the task is made of characters; other ones of its text as a replacement mark."""
    if not form.symbols or not form.alphabet:
        return None
    known = dict(enumerate(form.alphabet))
    return "".join(known.get(symbol, "\ufffd") for symbol in batch.input[:, 0].tolist())
