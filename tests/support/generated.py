"""The generated tasks, made small, and what their tests share."""

import re
from collections.abc import Callable
from typing import Any

import torch

from byhand.tasks import (
    Adding,
    AnBn,
    ContinualReber,
    CopyMemory,
    EmbeddedReber,
    Multiplication,
    Parity,
    Sequences,
    Task,
    TemporalOrder,
    Timing,
)

TASKS: dict[str, Callable[..., Task]] = {
    "Adding": lambda **options: Adding(20, **options),
    "Multiplication": lambda **options: Multiplication(20, **options),
    "TemporalOrder 6a": lambda **options: TemporalOrder("6a", 30, **options),
    "TemporalOrder 6b": lambda **options: TemporalOrder("6b", 30, **options),
    "EmbeddedReber": EmbeddedReber,
    "ContinualReber": lambda **options: ContinualReber(25, **options),
    "CopyMemory": lambda **options: CopyMemory(7, **options),
    "AnBn": AnBn,
    "AnBnCn": lambda **options: AnBn(3, test_least=2, test_most=9, **options),
    "Parity running": Parity,
    "Timing": lambda **options: Timing(3, 6, **options),
    "Parity final": lambda **options: Parity(running=False, **options),
}
REBER = "BTSXPVE"


def same(one: Sequences, other: Sequences) -> bool:
    pairs = zip(one, other, strict=True)
    return all(a is b is None or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)


def lengths(batch: Sequences) -> list[int]:
    return [len(batch.input)] * batch.input.shape[1] if batch.lengths is None else batch.lengths.tolist()


def columns(batch: Sequences) -> list[list[Any]]:
    """What each sequence reads, in plain Python."""
    return [batch.input[:length, sequence].tolist() for sequence, length in enumerate(lengths(batch))]


def answers(batch: Sequences) -> list[list[int]]:
    """What each sequence of a task with an answer at every step is asked for."""
    return [batch.target[:length, sequence].tolist() for sequence, length in enumerate(lengths(batch))]


BOTTOM = "(?:T*VPX)*T*V(?:V|PS)"  # from the lower branch of a Reber string on
INNER = f"B(?:P{BOTTOM}|TS*X(?:S|X{BOTTOM}))E"
EMBEDDED = re.compile(f"B(?:T{INNER}T|P{INNER}P)E")


def streams(batches: list[Sequences]) -> list[str]:
    """What each stream reads, as letters, and the symbol after it."""
    numbers = torch.cat([*(batch.input for batch in batches), batches[-1].target[-1:]])
    return ["".join(REBER[number] for number in column) for column in numbers.T.tolist()]


def split(stream: str) -> list[str]:
    """A stream's strings; the last may be cut off."""
    found = EMBEDDED.findall(stream)
    rest = stream[sum(map(len, found)) :]
    assert stream == "".join(found) + rest
    return [*found, rest]
