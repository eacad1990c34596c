"""The step back of the kernels in slices: the product of the step after it first, then the derivative of the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.engine.triton.backward import by_output, kept_where_there, mask_names
from byhand.engine.triton.printer import indented, multiplied
from byhand.engine.triton.slices import pointers, repeated
from byhand.engine.triton.statements import Constants, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from byhand.engine.triton.slices import SlicedPrinter

AT_STEP = (
    "t = tl.cast(step if REVERSE else T - 1 - step, tl.int64)",
    "before = t + 1 if REVERSE else t - 1",
    "after = t - 1 if REVERSE else t + 1",
)
LIVE = (
    "if RAGGED:",
    "    live = (t < length)[:, None]",
    "    end = length",
    "else:",
    "    end = row * 0 + T",
    "if REVERSE:",
    "    is_first = (before >= end)[:, None]",
    "else:",
    "    is_first = (row * 0 + before < 0)[:, None]",
)


def backward(p: SlicedPrinter) -> Iterator[str]:
    base = p.base
    cell, parts, units = base.cell, base.parts, base.axes.units
    count, projected = len(parts.preactivations), base.axes.outputs is not None
    ((i, at, has, m, z),) = zip(*(units.named(kind) for kind in ("i", "at", "has", "m", "z")), strict=True)
    states = range(1 if projected else 0, len(cell.state))  # by a projected output: another kernel
    yield from p.head("backward", pointers(base)["backward"])
    again = base.again
    back = parts.backward.only({one: value for one, value in parts.backward.results.items() if one not in mask_names(cell)})
    constants = Constants([again, back])
    body = [*base.start(again, back), *(f"q_{place}_0 = {z}" for place in range(base.vectors))]
    loop = [*AT_STEP, *(f"d_{state}_0 = tl.load(BY_{state} + {at}, mask={m}, other=0.0)" for state in states)]
    loop += products(p, [state for state in base.sources if state in states])
    step = [*LIVE]
    for state in base.read_again:
        first = f"tl.load(FIRST_{state} + {at}, mask={m} & is_first, other=0.0).to(ACC)"
        later = f"tl.load(STATE_{state} + before * B * H + {at}, mask={m} & ~is_first, other=0.0)"
        step.append(f"s_{state}_0 = tl.where(is_first, {first}, {later})")
    step += [*(by_projected(p) if projected else by_output(base)), *base.masks()]
    for slot in range(count):
        step.append(f"a_{slot}_0 = tl.load({base.preactivation(slot, count, 'A', 0)}, mask={m}, other=0.0)")
    preactivations = {name: f"a_{slot}_0" for slot, name in enumerate(parts.preactivations)}
    saved = {f"k.{slot}": f"k_{slot}_0" for slot in range(count)}
    by = {f"d.{name}": f"{'g' if place == 0 else 'd'}_{place}_0" for place, name in enumerate(cell.state)}
    made = {name: f"da_{slot}_0" for slot, name in enumerate(parts.preactivations)}
    made |= {f"s.{name}": f"e_{place}_0" for place, name in enumerate(cell.state)}
    made |= {f"p.{name}": f"dp_{place}_0" for place, name in enumerate(cell.vectors)}
    step += statements(again, preactivations | base.given(0), saved, constants, "u_")
    step += statements(back, saved | base.given(0) | by, made, constants, "v_")
    step += kept_where_there(base, 0)
    for state in states:
        step += ["if RAGGED:", f"    e_{state}_0 = tl.where(live, e_{state}_0, d_{state}_0)", f"d_{state}_0 = e_{state}_0"]
    loop += ["if step < T:", *indented(step)]
    loop += [f"tl.store(BY_{state} + {at}, d_{state}_0, mask={m})" for state in states]
    body += repeated(loop, "T + 1")
    for place in range(base.vectors):
        where = f"BY_P_{place} + tl.program_id(0) * H + {i}"
        body.append(f"tl.store({where}, tl.load({where}, mask={has}, other=0.0) + tl.sum(q_{place}_0, axis=0), mask={has})")
    yield from indented(body)


def backward_output(p: SlicedPrinter) -> Iterator[str]:
    """The gradient by the projected output: a launch before that of the step. No step reads that output itself."""
    base, axis = p.base, p.base.axes.outputs
    assert axis is not None
    ((at, m, z),) = zip(*(axis.named(kind) for kind in ("at", "m", "z")), strict=True)
    yield from p.head("backward_output", pointers(base)["backward"])
    loop = [*AT_STEP, f"d_0_0 = tl.load(BY_0 + {at}, mask={m}, other=0.0)", *products(p, [0])]
    step = [*LIVE[:2], "if KEEP:", "    if RAGGED:", f"        m = {m} & live", "    else:", f"        m = {m}"]
    step.append(f"    d_0_0 += tl.load(BY_OUTPUT + t * B * O + {at}, mask=m, other=0.0).to(ACC)")
    step += ["if RAGGED:", f"    y = tl.where(live, d_0_0, {z})", f"    d_0_0 = tl.where(live, {z}, d_0_0)"]
    step += ["else:", "    y = d_0_0", f"    d_0_0 = {z}", f"tl.store(BY_PROJECTED + t * B * O + {at}, y, mask={m})"]
    loop += ["if step < T:", *indented(step), f"tl.store(BY_0 + {at}, d_0_0, mask={m})"]
    yield from indented([*base.start(), *repeated(loop, "T + 1")])


def by_projected(p: SlicedPrinter) -> Iterator[str]:
    """g_0: the gradient by the step's own output, before the projection."""
    units = p.base.axes.units
    i, has, z = (units.named(kind)[0] for kind in ("i", "has", "z"))
    where = "BY_PROJECTED + t * B * O + row[:, None] * O + i_k[None, :]"
    product = [f"r = tl.load({where}, mask=has_row[:, None] & has_k[None, :], other=0.0).to(OWN)"]
    product.append(f"w = tl.load(W + i_k[:, None] * H + {i}[None, :], mask=has_k[:, None] & {has}[None, :], other=0.0)")
    yield from (f"g_0_0 = {z}", *p.summed("O", [*product, multiplied("g_0_0", "r", "w")]))


def products(p: SlicedPrinter, states: list[int]) -> Iterator[str]:
    """What the step after this one gives back through the recurrent product."""
    base, count = p.base, len(p.base.parts.preactivations)
    if not states or base.cell.truncated:
        return
    lines = []
    for gate, slot in enumerate(base.parts.of_recurrent):
        where = f"BY_A + after * B * ({count} * H) + row[:, None] * ({count} * H) + ({slot} * H + i_k)[None, :]"
        read = f'tl.load({where}, mask=has_row[:, None] & has_k[None, :], other=0.0, cache_modifier=".cg")'
        lines.append(f"r = {read}.to(OWN)")
        for state in states:
            axis, place = base.axis(state), base.sources.index(state)
            i, has = axis.named("i")[0], axis.named("has")[0]
            weight = f"U + ({gate} * H + i_k)[:, None] * WIDTH + ({base.read_width(place)} + {i})[None, :]"
            lines.append(f"w = tl.load({weight}, mask=has_k[:, None] & {has}[None, :], other=0.0)")
            lines.append(multiplied(f"d_{state}_0", "r", "w"))
    yield from ("if step > 0:", *indented(p.summed("H", lines)))
