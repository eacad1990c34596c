"""Which of three kinds of kernel runs a layer on the GPU: a checked-in table says which, and what does not fit goes one tier down.

**Every entry of TABLE is an estimate, from counted instructions and the sizes of memories. No GPU has measured one of them**: `make gpu`,
on a machine with a GPU, measures and proposes others. Nothing is tuned while a program runs.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.engine.triton import limits
from byhand.engine.triton.kernel import product_precision, sizes_of
from byhand.engine.triton.limits import Chip, chip_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from byhand.engine.call import Call


class Tier(Enum):
    """How a layer's steps are laid out on a GPU, the fastest first where they fit.

    resident: a program runs a few sequences through all steps and all units, with the weights on its chip; none waits for another.
    cooperative: a program runs a block of sequences and a block of units through all steps; those of a block of sequences meet after
        each step, so that all have to be on the GPU at once.
    stepwise: the same programs, one launch a step.
    """

    resident = "resident"
    cooperative = "cooperative"
    stepwise = "stepwise"


class Entry(NamedTuple):
    """One row of the table: for layers in this number type, of up to so many units and sequences, on GPUs of at least this compute
    capability and with at least so many processors. None: any number of them.
    """

    number: str
    units: int | None
    batch: int | None
    capability: tuple[int, int]
    processors: int
    tier: Tier


class Choice(NamedTuple):
    """The tier that runs a call, None if none does, and why."""

    tier: Tier | None
    why: str


NUMBERS = ("float64", "float32", "tf32", "bfloat16", "float16")
ANY, OLDEST = None, (8, 0)
TABLE = (  # the first entry that a call fits; estimated, not measured
    Entry("float64", 96, ANY, OLDEST, 1, Tier.resident),
    Entry("float64", 1024, ANY, OLDEST, 64, Tier.cooperative),
    Entry("float32", 128, ANY, OLDEST, 1, Tier.resident),
    Entry("float32", 1024, ANY, OLDEST, 64, Tier.cooperative),
    Entry("tf32", 128, ANY, OLDEST, 1, Tier.resident),
    Entry("tf32", 1024, ANY, OLDEST, 64, Tier.cooperative),
    Entry("bfloat16", 128, ANY, OLDEST, 1, Tier.resident),
    Entry("bfloat16", 1024, ANY, OLDEST, 64, Tier.cooperative),
    Entry("float16", 128, ANY, OLDEST, 1, Tier.resident),
    Entry("float16", 1024, ANY, OLDEST, 64, Tier.cooperative),
    *(Entry(number, ANY, ANY, OLDEST, 1, Tier.stepwise) for number in NUMBERS),
)
FITS = {Tier.resident: limits.refuses, Tier.cooperative: limits.refuses_at_once, Tier.stepwise: limits.refuses_sliced}
BUILT = tuple(FITS)
_only: list[Tier] = []
_distrusted: dict[tuple[torch.device, torch.dtype, Tier], str] = {}


def choose(call: Call) -> Choice:
    """The tier for a call: the table's, or the next one down that it fits."""
    hidden, projected = sizes_of(call)
    units, batch = max(hidden, projected or 0), call.input.shape[1]
    number, chip = number_of(call.input.dtype, units), chip_of(call.input.device)
    if _only:
        reason = misfit(call, _only[-1])
        return Choice(None, reason) if reason else Choice(_only[-1], "no other is allowed here")
    first = look_up(number, units, batch, chip)
    reasons: list[str] = []
    for tier in list(Tier)[list(Tier).index(first) :]:
        reason = misfit(call, tier)
        if reason is None:
            by_table = f"the table's for {units} units and {batch} sequences in {number}"
            return Choice(tier, f"not {'; not '.join(reasons)}" if reasons else by_table)
        reasons.append(f"{tier.value}: {reason}")
    return Choice(None, "; ".join(reasons))


def look_up(number: str, units: int, batch: int, chip: Chip) -> Tier:
    """What the table says, whether it fits or not."""
    for entry in TABLE:
        large_enough = entry.capability <= chip.capability and entry.processors <= chip.processors
        few_enough = (entry.units is None or units <= entry.units) and (entry.batch is None or batch <= entry.batch)
        if entry.number == number and large_enough and few_enough:
            return entry.tier
    return Tier.stepwise


def misfit(call: Call, tier: Tier) -> str | None:
    """Why this tier cannot run a call, or None."""
    distrusted = _distrusted.get((call.input.device, call.input.dtype, tier))
    return distrusted or FITS[tier](call)


def number_of(dtype: torch.dtype, units: int) -> str:
    """A number type by the name that the table has for it: float32 is "tf32" where its products are."""
    return "tf32" if product_precision(dtype, units) == "tf32" else str(dtype).removeprefix("torch.")


@contextmanager
def only(tier: Tier) -> Iterator[None]:
    """Inside the block this tier runs every call, or the engine refuses it: for checks. It holds for the whole process, as autograd runs
    backward in threads of its own.
    """
    _only.append(tier)
    try:
        yield
    finally:
        _only.pop()


def distrust(device: torch.device, dtype: torch.dtype, tier: Tier, reason: str) -> None:
    """Choose this tier no more, on this device and in this number type."""
    _distrusted[device, dtype, tier] = reason
