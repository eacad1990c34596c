"""The step forward of the kernels in slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.engine.triton.forward import stored
from byhand.engine.triton.printer import indented, multiplied
from byhand.engine.triton.slices import pointers, repeated
from byhand.engine.triton.statements import Constants, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from byhand.engine.triton.slices import SlicedPrinter

AT_STEP = (
    "t = tl.cast(T - 1 - step if REVERSE else step, tl.int64)",
    "half = tl.cast(step % 2, tl.int64)",
)


def forward(p: SlicedPrinter) -> Iterator[str]:
    base = p.base
    cell, parts, units = base.cell, base.parts, base.axes.units
    ((at, m, z),) = zip(*(units.named(kind) for kind in ("at", "m", "z")), strict=True)
    states = range(0 if base.axes.outputs is None else 1, len(cell.state))  # a projected output is another kernel's
    yield from p.head("forward", pointers(base)["forward"])
    program = parts.forward.only({name: parts.forward.results[name] for name in cell.state})
    constants = Constants([program])
    body = list(base.start(program))
    for slot, gate in base.separate.items():
        i, has = units.named("i")[0], units.named("has")[0]
        body.append(f"b_{slot}_0 = tl.load(BIAS + {gate} * H + {i}, mask={has}, other=0.0).to(ACC)[None, :]")
    loop = [*AT_STEP]
    for slot in range(len(parts.preactivations)):
        where = base.preactivation(slot, len(cell.gates), "X", 0)
        loop.append(
            f"a_{slot}_0 = " + (f"b_{slot}_0 + {z}" if slot in base.separate else f"tl.load({where}, mask={m}, other=0.0)")
        )
    loop += [f"s_{state}_0 = {carried(p, state, at, m)}" for state in states]
    loop += [*products(p), *base.masks()]
    preactivations = {name: f"a_{slot}_0" for slot, name in enumerate(parts.preactivations)}
    new = {name: f"n_{place}_0" for place, name in enumerate(cell.state)}
    loop += statements(program, preactivations | base.given(0), new, constants, "v_")
    loop += [f"n_{state}_0 = tl.where({m}, n_{state}_0, {z})" for state in range(len(cell.state))]
    if base.axes.outputs is not None:
        loop.append(f"tl.store(UNPROJECTED + (t if KEEP else t * 0) * B * H + {at}, n_0_0, mask={m})")
    yield from indented([*body, *repeated([*loop, *kept(p, states)], "T")])


def forward_output(p: SlicedPrinter) -> Iterator[str]:
    """The step's output, projected: a launch after that of the step."""
    base, axis = p.base, p.base.axes.outputs
    assert axis is not None
    ((i, at, has, m, z),) = zip(*(axis.named(kind) for kind in ("i", "at", "has", "m", "z")), strict=True)
    yield from p.head("forward_output", pointers(base)["forward"])
    loop = [*AT_STEP, f"n_0_0 = {z}"]
    where = "UNPROJECTED + (t if KEEP else t * 0) * B * H + row[:, None] * H + i_k[None, :]"
    product = [f"r = tl.load({where}, mask=has_row[:, None] & has_k[None, :], other=0.0).to(OWN)"]
    product.append(f"w = tl.load(W + {i}[None, :] * H + i_k[:, None], mask={has}[None, :] & has_k[:, None], other=0.0)")
    product.append(multiplied("n_0_0", "r", "w"))
    loop += [*p.summed("H", product), f"s_0_0 = {carried(p, 0, at, m)}"]
    yield from indented([*base.start(), *repeated([*loop, *kept(p, [0])], "T")])


def carried(p: SlicedPrinter, state: int, at: str, m: str) -> str:
    """A state before the step, at these places of one step's."""
    letter = p.base.axis(state).letter
    return f'tl.load(CARRY_{state} + half * B * {letter} + {at}, mask={m}, other=0.0, cache_modifier=".cg")'


def products(p: SlicedPrinter) -> Iterator[str]:
    """U·h, added to the pre-activations."""
    base = p.base
    i, has = base.axes.units.named("i")[0], base.axes.units.named("has")[0]
    for place, state in enumerate(base.sources):
        letter = base.axis(state).letter
        read = carried(p, state, f"row[:, None] * {letter} + i_k[None, :]", "has_row[:, None] & has_k[None, :]")
        lines = [f"r = {read}.to(OWN)"]
        for gate, slot in enumerate(base.parts.of_recurrent):
            where = f"U + ({gate} * H + {i})[None, :] * WIDTH + ({base.read_width(place)} + i_k)[:, None]"
            lines.append(f"w = tl.load({where}, mask={has}[None, :] & has_k[:, None], other=0.0)")
            lines.append(multiplied(f"a_{slot}_0", "r", "w"))
        yield from p.summed(letter, lines)


def kept(p: SlicedPrinter, states: range | list[int]) -> Iterator[str]:
    """The states after the step, those before it where a sequence has ended: for the next step, and in the histories."""
    yield from ("if RAGGED:", "    live = (t < length)[:, None]")
    yield from (f"    n_{state}_0 = tl.where(live, n_{state}_0, s_{state}_0)" for state in states)
    yield from stored(p.base, states)
    for state in states:
        axis = p.base.axis(state)
        at, m = axis.named("at")[0], axis.named("m")[0]
        yield f"tl.store(CARRY_{state} + (1 - half) * B * {axis.letter} + {at}, n_{state}_0, mask={m})"
