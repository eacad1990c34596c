"""What is timed: FlashRNN's shapes, fastrnns', and ours, as layers, most important first.

FlashRNN (Pöppel, Beck, Hochreiter 2024): flashrnn/speed_experiments/kernel_speed_benchmark.py, its nn.LSTM: 16 sequences of 1,024 steps at
six widths; 2 to 256 of them, and 256 to 2,048 steps, at 64 and 768 units. fastrnns: pytorch/benchmarks/fastrnns/bench.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from byhand import cells
from byhand.benchmarks.cases import Case, Shape
from tools.gpu.machine import INTERPRETED

ORDER = ("tf32", "bfloat16", "float32", "float16")
KINDS: dict[str, dict[str, Any]] = {
    "packed": {},
    "projection": {},
    "bidirectional": {"bidirectional": True},
    "2 layers": {"num_layers": 2},
}
CELLS = ("peephole", "gru", "slstm", "cifg")
WIDTHS, BATCHES, TIMES = (16, 32, 64, 128, 256, 768), (2, 8, 16, 32, 64, 128, 256), (256, 512, 1024, 2048)


class Unit(NamedTuple):
    """What is timed together, in one process, in turn. loops: the reference loop and torch.compile's, too, which take seconds."""

    grid: str
    case: Case
    precision: str
    level: int
    loops: bool = False

    def __str__(self) -> str:
        return f"{self.grid} / {self.case.name} / {self.precision}"


def every_unit() -> list[Unit]:
    """Most important first: in each level one shape after the other, in all number types."""
    return sorted(small() if INTERPRETED else [*flashrnn(), *fastrnns(), *ours()], key=lambda one: one.level)


def layer(shape: Shape, kind: str = "", cell: str = "lstm") -> Case:
    """A case of the bench: the name says all."""
    options = {"proj_size": shape.hidden // 2} if kind == "projection" else KINDS.get(kind, {})
    words = [str(shape), *([kind] if kind else []), *([cell] if cell != "lstm" else [])]
    return Case(" ".join(words), shape, options, packed=kind == "packed", cell=getattr(cells, cell))


def in_all(grid: str, case: Case, level: int, *, loops: bool = False, order: tuple[str, ...] = ORDER) -> Iterator[Unit]:
    yield from (Unit(grid, case, one, level, loops and one == "tf32") for one in order)


def flashrnn() -> Iterator[Unit]:
    for width in (768, 64, 256, 128, 32, 16):
        level = 0 if width in (64, 768) else 1
        yield from in_all("flashrnn", layer(Shape(1024, 16, width, width)), level, loops=True)
    for width in (768, 64):
        for batch in (one for one in BATCHES if one != 16):
            level = 1 if batch in (2, 64, 256) else 2
            yield from in_all("flashrnn", layer(Shape(1024, batch, width, width)), level)
        for time in (one for one in TIMES if one != 1024):
            yield from in_all("flashrnn", layer(Shape(time, 16, width, width)), 2)


def fastrnns() -> Iterator[Unit]:
    yield from in_all("fastrnns", layer(Shape(100, 64, 512, 512)), 0, loops=True)


def ours() -> Iterator[Unit]:
    """What cuDNN is thought to be slow at, and what it has no kernel for."""
    middle, large = Shape(100, 32, 128, 128), Shape(100, 64, 512, 512)
    for cell in CELLS:
        for shape in (Shape(1024, 16, 64, 64), large):
            yield from in_all("byhand", layer(shape, cell=cell), 0 if cell == "peephole" else 1, order=("tf32", "bfloat16"))
    for shape in (middle, large):
        for kind in KINDS:
            yield from in_all("byhand", layer(shape, kind), 1, order=("tf32", "bfloat16"))
    for hidden in (96, 192, 200, 384, 1024):
        yield from in_all("byhand", layer(Shape(256, 32, hidden, hidden)), 1, order=("tf32", "bfloat16"))
    for shape in (Shape(20, 8, 16, 16), Shape(100, 1, 64, 64), Shape(100, 1, 512, 512), middle):
        yield from in_all("byhand", layer(shape), 1, loops=shape.time == 20, order=("tf32", "bfloat16", "float32", "float64"))
    for batch in (1, 8, 64, 256):
        for hidden in (32, 96, 128, 256, 512, 1024):
            yield from in_all("byhand", layer(Shape(256, batch, hidden, hidden)), 2, order=("tf32", "bfloat16"))


def small() -> Iterator[Unit]:
    """For the interpreter: one of each thing that the others do."""
    yield from in_all("flashrnn", layer(Shape(2, 2, 3, 5)), 0, loops=True, order=("tf32", "bfloat16"))
    yield from in_all("byhand", layer(Shape(2, 2, 3, 5), cell="peephole"), 0, order=("tf32",))
    for kind in KINDS:
        yield from in_all("byhand", layer(Shape(4 if kind == "packed" else 2, 2, 3, 4), kind), 1, order=("float64",))
