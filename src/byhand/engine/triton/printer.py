"""What both kernels of a cell have in common, line by line. source.py says what the names in the text mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from byhand.engine.triton.statements import Constants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from byhand.cells import Cell
    from byhand.engine.triton.blocks import Axis, Plan
    from byhand.ir.partition import Partition
    from byhand.ir.program import Program

OPTIONS = ("ROWS", "RAGGED", "CUTS", "REVERSE", "KEEP", "LOW", "PREC", "FAST", "ACC")


class Printer(NamedTuple):
    """What the text is made from."""

    cell: Cell
    parts: Partition
    axes: Plan

    @property
    def sources(self) -> list[int]:
        """The states that the recurrent product reads."""
        return [self.cell.state.index(name) for name in self.cell.sources]

    @property
    def again(self) -> Program:
        """What the derivative is made from, out of the pre-activations."""
        count = len(self.parts.preactivations)
        return self.parts.forward.only({f"k.{place}": self.parts.forward.results[f"k.{place}"] for place in range(count)})

    @property
    def read_again(self) -> list[int]:
        """The states whose values before a step the derivative, or the sites, are made from."""
        reads = self.parts.backward.reads() | self.parts.recompute.reads()
        return [place for place, name in enumerate(self.cell.state) if f"s.{name}" in reads]

    @property
    def separate(self) -> dict[int, int]:
        """The pre-activations that are recurrent products alone, with their gates."""
        return {slot: gate for gate, slot in enumerate(self.parts.of_recurrent) if slot not in self.parts.of_input}

    @property
    def vectors(self) -> int:
        """How many parameters are vectors; the others are masks."""
        return len(self.cell.vectors)

    def axis(self, state: int) -> Axis:
        """The axis of a state: the first may be projected."""
        return self.axes.outputs if state == 0 and self.axes.outputs is not None else self.axes.units

    def read_width(self, count: int) -> str:
        """How many values the recurrent product reads of the first `count` of its states."""
        return " + ".join(self.axis(state).letter for state in self.sources[:count]) or "0"

    # Lines of both kernels.

    def head(self, name: str, pointers: Iterable[str], sizes: str) -> Iterator[str]:
        masks = [f"{kind}_{place}" for place in range(self.vectors, len(self.cell.parameters)) for kind in ("TIME", "ROW")]
        options = [f"{one}: tl.constexpr" for one in OPTIONS]
        yield '@triton.jit(do_not_specialize=["T", "B"])'
        yield f"def {name}({', '.join([*pointers, *masks, 'LENGTHS', 'CUT', *sizes.split(), *options])}):"

    def start(self, *programs: Program) -> Iterator[str]:
        yield from ("row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)", "has_row = row < B")
        for axis in self.axes:
            yield from () if axis is None else axis.lines()
        yield from Constants(programs).lines()
        units = self.axes.units
        for place in range(self.vectors):
            for j, (i, has) in enumerate(zip(units.named("i"), units.named("has"), strict=True)):
                yield f"p_{place}_{j} = tl.load(P_{place} + {i}, mask={has}, other=0.0).to(ACC)[None, :]"
        yield from ("if RAGGED:", "    length = tl.load(LENGTHS + row, mask=has_row, other=0)")
        if self.sources:
            yield f"WIDTH = {self.read_width(len(self.sources))}"

    def weights(self, *, transposed: bool) -> Iterator[str]:
        """w_GATE_STATE_I_J: from the block I of a state to the block J of a gate's units; transposed, for the way back."""
        units = self.axes.units
        for gate in range(len(self.cell.gates)):
            for place, state in enumerate(self.sources):
                axis = self.axis(state)
                for k, (of_k, has_k) in enumerate(zip(axis.named("i"), axis.named("has"), strict=True)):
                    for j, (of_j, has_j) in enumerate(zip(units.named("i"), units.named("has"), strict=True)):
                        row = f"({gate} * H + {of_j})", has_j
                        column = f"({self.read_width(place)} + {of_k})", has_k
                        yield f"w_{gate}_{state}_{k}_{j} = " + loaded("U", row, "WIDTH", column, transposed)
        if self.axes.outputs is not None:
            outputs = self.axes.outputs
            for k, (of_k, has_k) in enumerate(zip(outputs.named("i"), outputs.named("has"), strict=True)):
                for j, (of_j, has_j) in enumerate(zip(units.named("i"), units.named("has"), strict=True)):
                    yield f"w_p_{j}_{k} = " + loaded("W", (of_k, has_k), "H", (of_j, has_j), transposed)

    def masks(self) -> Iterator[str]:
        units = self.axes.units
        for place in range(self.vectors, len(self.cell.parameters)):
            for j, (i, m) in enumerate(zip(units.named("i"), units.named("m"), strict=True)):
                where = f"P_{place} + t * TIME_{place} + row[:, None] * ROW_{place} + {i}[None, :]"
                yield f"p_{place}_{j} = tl.load({where}, mask={m}, other=0.0).to(ACC)"

    def cut(self) -> Iterator[str]:
        """again: which sequences start again before the step t."""
        yield from ("if CUTS:", "    again = (tl.load(CUT + t * B + row, mask=has_row, other=0) != 0)[:, None]")

    def started_again(self, state: int) -> Iterator[str]:
        """A state before the step: that to start from, where a sequence starts again."""
        axis = self.axis(state)
        for j, (at, m) in enumerate(zip(axis.named("at"), axis.named("m"), strict=True)):
            start = f"tl.load(RESTART_{state} + {at}, mask={m} & again, other=0.0).to(ACC)"
            yield from ("if CUTS:", f"    s_{state}_{j} = tl.where(again, {start}, s_{state}_{j})")

    def given(self, j: int) -> dict[str, str]:
        """The names of a block's states and parameters in programs."""
        states = {f"s.{name}": f"s_{place}_{j}" for place, name in enumerate(self.cell.state)}
        return states | {f"p.{name}": f"p_{place}_{j}" for place, name in enumerate(self.cell.parameters)}

    def preactivation(self, slot: int, count: int, pointer: str, j: int) -> str:
        """Where a block of units of one pre-activation lies at the step t, in rows of `count` pre-activations."""
        i = self.axes.units.named("i")[j]
        return f"{pointer} + t * B * ({count} * H) + row[:, None] * ({count} * H) + ({slot} * H + {i})[None, :]"

    def rows(self, kind: str, state: int) -> list[str]:
        """A state, or its gradient, from a tensor (batch, width): block by block."""
        axis = self.axis(state)
        both = zip(axis.named("at"), axis.named("m"), strict=True)
        return [f"tl.load({kind}_{state} + {at}, mask={m}, other=0.0).to(ACC)" for at, m in both]


def names(kind: str, places: Iterable[int]) -> list[str]:
    return [f"{kind}_{place}" for place in places]


def indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def multiplied(sum: str, left: str, right: str) -> str:
    """Sum += left · right."""
    return f"{sum} = tl.dot({left}, {right}, {sum}, input_precision=PREC, out_dtype=ACC)"


def loaded(pointer: str, row: tuple[str, str], width: str, column: tuple[str, str], transposed: bool) -> str:
    """A block of a matrix with rows of `width`, each index with its mask; as it multiplies from the right, with rows as columns, or
    transposed as it lies in memory.
    """
    (rows, has_rows), (columns, has_columns) = row, column
    down, across = ("[:, None]", "[None, :]") if transposed else ("[None, :]", "[:, None]")
    where = f"{pointer} + {rows}{down} * {width} + {columns}{across}"
    return f"tl.load({where}, mask={has_rows}{down} & {has_columns}{across}, other=0.0)"
