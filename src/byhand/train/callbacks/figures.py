"""What a trace looks like in a training's log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from byhand.explain import saturation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from byhand.tasks.task import Form, Sequences
    from byhand.trace import Trace


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
