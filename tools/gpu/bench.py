"""One unit of the bench: who takes part, whether they agree, and how long each takes by the GPU's own clock."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache, partial

import torch
from torch import Tensor

import byhand
from byhand.benchmarks import timing
from byhand.benchmarks.agreement import tensors
from byhand.benchmarks.contenders import Contender, Given, contender
from byhand.benchmarks.cuda import computed_in
from byhand.benchmarks.results import Row, rows
from byhand.benchmarks.timing import Round, Rounds
from tools.gpu.contenders import contenders, layers, same_cell
from tools.gpu.machine import DEVICE, INTERPRETED
from tools.gpu.pool import Answer
from tools.gpu.shapes import Unit, every_unit

LIMITS = Rounds(1, 1) if INTERPRETED else Rounds(3, 9)
SECONDS = 0.5  # of one quantity, after which no further round begins
# Of the size of what is right, by norm: below it nobody is asked how far nn.LSTM is off.
LEAST = {"float64": 1e-9, "float32": 1e-4, "tf32": 1e-2, "bfloat16": 1e-1, "float16": 2e-2}
FURTHER = 4  # times as far off as nn.LSTM one may be


@cache
def by_name() -> dict[str, Unit]:
    return {str(unit): unit for unit in every_unit()}


def answer(name: str) -> Answer:
    """Time one unit. Its rows are those of byhand bench; the quantity "error" is how far off a contender is, of the size of what is
    right.
    """
    unit = by_name()[name]
    with computed_in("tf32" if unit.precision == "tf32" else "ieee"):
        found, notes = contenders(unit)
        agreeing, off, wrong = agreed(unit, found)
        made = list(error_rows(unit, off, {one.name: one.engine for one in found}))
        for quantity in ("forward", "training"):
            taken: list[Round] = []
            timing.measure(agreeing, quantity, DEVICE, LIMITS, taken, SECONDS)
            made += rows(unit.grid, unit.case.name, quantity, agreeing, taken)
        made += rows(unit.grid, unit.case.name, "memory", agreeing, [{one.name: peak(one) for one in agreeing}])
    made = [row._replace(precision=unit.precision) for row in made]
    return {"ok": not wrong, "said": "; ".join([*wrong, in_words(made), *notes]), "rows": [list(row) for row in made]}


def agreed(unit: Unit, found: Sequence[Contender]) -> tuple[list[Contender], dict[str, float], list[str]]:
    """Those whose results are right, how far off each is, and what is wrong with the others. Torch's own layer, which is first, is only
    timed where it is of another cell.
    """
    right, off, wrong = exact(unit), dict[str, float](), list[str]()
    agreeing = [] if same_cell(unit) else [found[0]]
    for one in found if same_cell(unit) else found[1:]:
        try:
            off[one.name] = distance(answers(one), right)
        except torch.OutOfMemoryError:
            raise
        except Exception as problem:  # noqa: BLE001 (of a compiler or a launch: the others can still be timed)
            wrong.append(f"{one.name}: {type(problem).__name__}: {(str(problem).strip().splitlines() or [''])[0][:200]}")
            continue
        allowed = max(FURTHER * off.get(found[0].name, 0.0), LEAST[unit.precision])
        if off[one.name] <= allowed:  # false of NaN
            agreeing.append(one)
        else:
            wrong.append(f"{one.name} is {off[one.name]:.1e} off, {allowed:.1e} allowed")
    return agreeing, off, wrong


def warm(name: str) -> Answer:
    """Compile what a unit needs, before the clock: Triton keeps it on the disk, for the process that measures."""
    unit = by_name()[name]
    shape = unit.case.shape
    short = unit.case._replace(shape=shape._replace(time=min(shape.time, 4)))  # kernels are the same for every length
    with computed_in("tf32" if unit.precision == "tf32" else "ieee"):
        for one in contenders(unit._replace(case=short, loops=False))[0]:
            answers(one)
            with one.scope("forward"):
                one.calls["forward"]()
    return {"ok": True, "said": ""}


def exact(unit: Unit) -> list[Tensor]:
    """What is right: in float64, of the numbers as they are in the unit's own number type."""
    theirs, _, task = layers(unit)
    x = task.x.to(torch.float64) if isinstance(task.x, Tensor) else task.x._replace(data=task.x.data.double())
    data = x if isinstance(x, Tensor) else x.data
    data = data.detach().requires_grad_()
    x = data if isinstance(x, Tensor) else x._replace(data=data)
    double = contender("float64", deepcopy(theirs).double(), Given(x, task.pull.double()))
    if not same_cell(unit):
        double = double._replace(around=partial(byhand.use_engine, "reference"))
    return answers(double)


def answers(one: Contender) -> list[Tensor]:
    """Outputs, last states, gradients."""
    with one.scope("training"):
        return [value.detach().double().flatten() for value in tensors(one.calls["training"]())]


def distance(found: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """The largest difference of any tensor, by norm, of the size of what is right."""
    each = [(one - other).norm() / other.norm().clamp(min=1e-6) for one, other in zip(found, right, strict=True)]
    return float(torch.stack(each).max())  # NaN if one is


def peak(one: Contender) -> float:
    """The most bytes that a step of training holds, above what was there before."""
    if DEVICE == "cpu":
        return timing.peak_memory(one)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with one.scope("memory"):
        one.calls["training"]()
    torch.cuda.synchronize()
    return float(max(1, torch.cuda.max_memory_allocated() - before))


def error_rows(unit: Unit, off: dict[str, float], engines: dict[str, str]) -> Iterator[Row]:
    """How far off each is; "faster" is how many times less than nn.LSTM, or than the first that is of the same cell."""
    baseline = next(iter(off), "")
    for name, one in off.items():
        words = "error", name, baseline, engines[name], unit.precision, ""
        yield Row(unit.grid, unit.case.name, *words, 1, one, one, one, off[baseline] / max(one, 1e-30), None)


def in_words(made: Sequence[Row]) -> str:
    """What training takes, in a line."""
    found = [row for row in made if row.quantity == "training"]
    if not found:
        return "nothing is timed"
    times = statistics.median(row.median for row in found if row.contender == row.baseline)
    others = ", ".join(f"{row.contender} {row.faster:.3g}x" for row in found if row.contender != row.baseline)
    return f"training {found[0].contender} {times:.3g} ms; {others}"
