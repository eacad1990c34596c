"""What is measured, as values: shapes, the options that go with them, and the grid of shapes with its sample."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import torch

from byhand import cells
from byhand.cells import Cell


class Shape(NamedTuple):
    """Printed as TIMExBATCHxINPUTxHIDDEN."""

    time: int
    batch: int
    input: int
    hidden: int

    def __str__(self) -> str:
        return "x".join(map(str, self))


class Case(NamedTuple):
    """options: further arguments of the layer. against: what the case is compared with, where its suite leaves that open."""

    name: str
    shape: Shape
    options: Mapping[str, Any] = {}
    packed: bool = False
    cell: Cell = cells.lstm
    against: str = ""


class Limits(NamedTuple):
    """The most that training a measured shape may cost: seconds, at a speed in operations a second, and bytes of memory."""

    seconds: float
    speed: float
    memory: float

    def __str__(self) -> str:
        return f"{self.seconds:g} s at {self.speed / 1e9:g} GFLOP/s or {self.memory / 1e9:g} GB"

    def allow(self, shape: Shape) -> bool:
        return training_operations(shape) <= self.seconds * self.speed and training_bytes(shape) <= self.memory


def training_operations(shape: Shape) -> float:
    """Floating-point operations of the products of one step of training: forward, and twice as much backward."""
    return 3 * 2 * shape.time * shape.batch * 4 * shape.hidden * (shape.input + shape.hidden)


def training_bytes(shape: Shape) -> float:
    """About what training in float32 holds: the input with its gradient, some fourteen values a unit and step, weights thrice."""
    values = shape.time * shape.batch * (2 * shape.input + 14 * shape.hidden)
    return 4 * (values + 3 * 4 * shape.hidden * (shape.input + shape.hidden + 2))


TIMES, BATCHES, HIDDENS = (1, 16, 100, 1000), (1, 8, 32, 128), (1, 8, 16, 32, 64, 100, 128, 256, 512, 1024)
CPU_LIMITS, GPU_LIMITS = Limits(1.5, 100e9, 6e9), Limits(1.5, 20e12, 16e9)
EVERY_SHAPE = tuple(
    dict.fromkeys(
        Shape(time, batch, width, hidden)
        for time, batch, hidden in product(TIMES, BATCHES, HIDDENS)
        for width in (1, 64, hidden)  # hidden is 1 or 64 at times: once is enough
    )
)


def plain(*shapes: Shape) -> tuple[Case, ...]:
    return tuple(Case(str(shape), shape) for shape in shapes)


def grid(limits: Limits) -> tuple[Case, ...]:
    """Every shape that costs no more than that."""
    return plain(*filter(limits.allow, EVERY_SHAPE))


def left_out(limits: Limits) -> str:
    count = len(EVERY_SHAPE) - len(grid(limits))
    return f"{count} of {len(EVERY_SHAPE)} shapes are left out: a step of training would take more than {limits}"


def strata(shape: Shape) -> list[tuple[str, object]]:
    """The values of a shape's dimensions; an input as wide as hidden is one value, whatever its width."""
    width = "hidden" if shape.input == shape.hidden else shape.input
    return list(zip(Shape._fields, (shape.time, shape.batch, width, shape.hidden), strict=True))


def sampled(cases: Sequence[Case], count: int) -> list[Case]:
    """`count` of the cases, the same ones each time, with every value of every dimension about equally often: the next one is
    always the one whose values have been seen least. Ten are enough to see every value of the grid.
    """
    left, order = list(cases), {case: place for place, case in enumerate(case.name for case in cases)}
    random.Random(0).shuffle(left)
    kinds = Counter(name for name, _ in {value for case in cases for value in strata(case.shape)})
    seen: Counter[tuple[str, object]] = Counter()
    chosen: list[Case] = []
    while left and len(chosen) < count:
        least = min(left, key=lambda case: sum(seen[value] * kinds[value[0]] for value in strata(case.shape)))
        left.remove(least)
        chosen.append(least)
        seen.update(strata(least.shape))
    return sorted(chosen, key=lambda case: order[case.name])


STEP, SMALL, MIDDLE, LARGE = Shape(1, 1, 64, 64), Shape(20, 8, 16, 16), Shape(100, 32, 64, 64), Shape(100, 32, 128, 128)
KINDS: dict[str, dict[str, Any]] = {
    "1 layer": {},
    "batch_first": {"batch_first": True},
    "2 layers": {"num_layers": 2},
    "bidirectional": {"bidirectional": True},
    "projection": {"proj_size": 2},  # half of hidden
    "packed": {},
    "float64": {"dtype": torch.float64},
    "bfloat16": {"dtype": torch.bfloat16},
}


def kind(shape: Shape, name: str) -> Case:
    options = KINDS[name]
    if "proj_size" in options:
        options = {"proj_size": shape.hidden // 2}
    return Case(f"{shape} {name}", shape, options, packed=name == "packed")


LAYERS = (
    *plain(STEP, Shape(4, 1, 1, 1), Shape(4, 32, 64, 64), SMALL, Shape(784, 16, 1, 32), Shape(100, 1, 64, 64), MIDDLE, LARGE),
    *plain(Shape(100, 64, 256, 256), Shape(200, 16, 512, 512), Shape(50, 128, 512, 512), Shape(30, 64, 1024, 1024)),
    *(kind(MIDDLE, name) for name in ("2 layers", "bidirectional", "projection", "packed", "float64")),
)
EVERY_KIND = tuple(kind(shape, name) for shape in (MIDDLE, LARGE, SMALL, STEP) for name in KINDS)
STEPS = plain(*(Shape(1, batch, width, width) for batch in (1, 8) for width in (16, 64, 256)))
ABLATIONS = (
    cells.no_input_gate,
    cells.no_forget_gate,
    cells.no_output_gate,
    cells.no_input_activation,
    cells.no_output_activation,
)
CELLS = (
    *(cell for cell in vars(cells).values() if isinstance(cell, Cell) and cell.elementwise and cell is not cells.lstm),
    *(ablate(cells.lstm) for ablate in ABLATIONS),
    cells.full_gate_recurrence(cells.lstm),
    cells.zoneout(cells.lstm, c=0.1, h=0.1),
    cells.recurrent_dropout(cells.lstm, 0.1),
)
EVERY_CELL = tuple(
    Case(f"{shape} {cell}{' of torch' * (against == 'nn.GRU')}", shape, cell=cell, against=against)
    for shape in (MIDDLE, LARGE)
    for cell, against in (*((cell, "lstm") for cell in CELLS), (cells.gru, "nn.GRU"))
)
ENGINES = plain(*(Shape(100, batch, width, width) for batch in (8, 32) for width in (8, 16, 32, 64)))
FROZEN = plain(
    *(SMALL, STEP, Shape(100, 1, 64, 64), MIDDLE, Shape(1000, 1, 128, 128), Shape(100, 8, 128, 128)),
    *(Shape(100, 1, 512, 512), Shape(100, 32, 256, 256), Shape(100, 1, 1024, 1024)),
)
COMPILED = plain(SMALL, Shape(20, 32, 64, 64), Shape(20, 32, 128, 128), MIDDLE)
