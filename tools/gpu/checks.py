"""Every cell in every number type and tier, beside the reference engine in float64 on the CPU: values, and gradients by name."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from byhand import cells
from byhand.benchmarks.cuda import computed_in
from byhand.cells import Cell
from byhand.engine import aten, precision, reference
from byhand.engine.call import Call
from byhand.engine.triton import engine, tiers
from byhand.testing.check_engine import named
from byhand.testing.engine_cases import CELLS, call_of
from tools.gpu.calls import PRECISIONS, Errors, allowed, cast, each, errors, ragged
from tools.gpu.machine import INTERPRETED
from tools.gpu.pool import Answer

DOUBLE, CPU = torch.float64, torch.device("cpu")
SIZES = (2, 3, 2, 6) if INTERPRETED else (7, 19, 5, 34)  # time, batch, input, hidden: three programs, two blocks of units
WIDE = 0 if INTERPRETED else 200  # units that no resident program holds
UNPROVEN = "its kernels"  # as byhand.engine.triton.proof begins
THRICE = 72  # units above which float32 is multiplied by three products of tf32
FIRST = ("lstm", "gru", "peephole")
VARIANTS = ("plain", "reverse", "ragged", "ragged, reverse", "projection", "projection, ragged, reverse", "no biases", "wide")
ALWAYS = ("plain", "ragged, reverse", "projection")  # in every number type; the others, which change no product, in float64


class Check(NamedTuple):
    """tier: or "aten". level: 0 is most important."""

    tier: str
    cell: str
    precision: str
    variant: str

    def __str__(self) -> str:
        return " / ".join(self)

    @property
    def level(self) -> int:
        if self.cell in FIRST and self.variant in ("plain", "ragged, reverse"):
            return 0
        return 1 if self.precision == "float64" or self.variant == "plain" else 2


@cache
def every_cell() -> dict[str, Cell]:
    """The elementwise ones, by name."""
    made = [cell for cell in CELLS if cell.elementwise] + [cells.recurrent_dropout(cells.lstm, 0.2)]
    return {cell.name: cell for cell in made}


def every_check() -> list[Check]:
    """Most important first."""
    made = [one for tier in tiers.BUILT for one in of_tier(tier.value)] + list(of_aten())
    return sorted(made, key=lambda one: one.level)


def of_tier(tier: str) -> Iterator[Check]:
    for label in PRECISIONS:
        for name, cell in every_cell().items():
            for variant in VARIANTS:
                if variant not in ALWAYS and label != "float64":
                    continue
                if (cell.reads_its_output and "projection" in variant) or (variant == "wide" and not WIDE):
                    continue
                yield Check(tier, name, label, variant)


def of_aten() -> Iterator[Check]:
    """What torch's own kernels, cuDNN, make of the cells that they have."""
    for label in ("float64", "float32", "tf32"):
        for cell in aten.KERNELS:
            for variant in ("plain", "reverse", "ragged", "ragged, reverse", "projection", "no biases"):
                if variant != "projection" or cell == cells.lstm:
                    yield Check("aten", cell.name, label, variant)


def call(check: Check) -> Call:
    """In float64 on the CPU: the same numbers in every process."""
    torch.manual_seed(zlib.crc32(str(check).encode()))
    time, batch, width, hidden = SIZES
    if check.variant == "wide":
        hidden = WIDE
    elif check.precision == "tf32x3":
        hidden = THRICE
    cell, projected = every_cell()[check.cell], 3 * hidden // 4 if "projection" in check.variant else 0
    made = call_of(cell, (time, batch, width, hidden), DOUBLE, CPU, bias=check.variant != "no biases", proj_size=projected)
    if "ragged" in check.variant:
        return ragged(made, reverse="reverse" in check.variant)
    return made._replace(reverse="reverse" in check.variant)


def answer(name: str) -> Answer:
    """Hold one check: "ok" is None where the engine refuses the call."""
    check = Check(*name.split(" / ", 3))
    asked = cast(call(check), PRECISIONS[check.precision])
    exact = cast(asked, DOUBLE)
    right = named(exact, reference.run(exact))
    theirs = errors(named(asked, reference.run(asked)), right)
    with computed_in("tf32" if check.precision == "tf32" else "ieee"):
        found = found_by(check, cast(asked, asked.input.dtype, "cpu" if INTERPRETED else "cuda"))
    if isinstance(found, str):
        broken = UNPROVEN in found
        return {"ok": False if broken else None, "said": found, "leaves": broken and not INTERPRETED}
    limits, ours = allowed(check.precision, theirs), errors(found, right)
    more = []
    for value, off in each(found, right).items():
        limit = limits.gradients if value.startswith("gradient") else limits.values
        if not off <= limit:  # NaN is more than anything
            more.append(f"{value} {off:.1e} off, {limit:.1e} allowed")
    numbers = {"ours": ours, "theirs": theirs, "allowed": limits}
    return {"ok": not more, "said": "; ".join(more) or in_words(ours), "numbers": numbers}


def found_by(check: Check, call: Call) -> dict[str, Tensor] | str:
    """What the engine gives, or why it refuses."""
    if check.tier == "aten":
        return aten.refuses(call) or {name: one.cpu() for name, one in named(call, aten.run(call)).items()}
    with tiers.only(tiers.Tier(check.tier)), precision.exactly(call.input.device.type):
        reason = engine.refuses(call)
        if reason is not None:
            return reason
        return {name: one.cpu() for name, one in named(call, engine.run(call)).items()}


def in_words(off: Errors) -> str:
    return f"values {off.values:.1e}, gradients {off.gradients:.1e} off"
