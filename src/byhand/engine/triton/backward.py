"""The backward kernel: the gradients by the states, carried through the steps in the other order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.engine.triton.printer import indented, multiplied, names
from byhand.engine.triton.statements import Constants, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from byhand.cells import Cell
    from byhand.engine.triton.printer import Printer


def backward(p: Printer) -> Iterator[str]:
    cell, parts, units = p.cell, p.parts, p.axes.units
    states, blocks, count = range(len(cell.state)), range(len(units.blocks)), len(parts.preactivations)
    pointers = ["A", "U", "W", *names("FIRST", states), *names("RESTART", states), *names("STATE", states), "BY_OUTPUT"]
    pointers += [*names("BY", states), *names("BY_RESTART", states), "BY_A", "BY_PROJECTED"]
    pointers += [*names("BY_P", range(p.vectors)), *names("P", range(len(cell.parameters)))]
    yield from p.head("backward", pointers, "T B H O")
    again = p.again
    back = parts.backward.only({one: value for one, value in parts.backward.results.items() if one not in mask_names(cell)})
    constants = Constants([again, back])
    body = [*p.start(again, back), *p.weights(transposed=True)]
    for state in states:
        body += [f"d_{state}_{j} = {one}" for j, one in enumerate(p.rows("BY", state))]
    body += ["if CUTS:"]
    body += [f"    f_{state}_{j} = {z}" for state in states for j, z in enumerate(p.axis(state).named("z"))]
    body += [f"q_{place}_{j} = {units.named('z')[j]}" for place in range(p.vectors) for j in blocks]
    body.append("for step in range(T):")
    loop = ["t = tl.cast(step if REVERSE else T - 1 - step, tl.int64)", "before = t + 1 if REVERSE else t - 1"]
    loop += ["if RAGGED:", "    live = (t < length)[:, None]", "    end = length", "else:", "    end = row * 0 + T"]
    loop += [
        "if REVERSE:",
        "    is_first = (before >= end)[:, None]",
        "else:",
        "    is_first = (row * 0 + before < 0)[:, None]",
    ]
    loop += p.cut()
    for state in p.read_again:
        for j, (at, m) in enumerate(zip(units.named("at"), units.named("m"), strict=True)):
            first = f"tl.load(FIRST_{state} + {at}, mask={m} & is_first, other=0.0).to(ACC)"
            later = f"tl.load(STATE_{state} + before * B * H + {at}, mask={m} & ~is_first, other=0.0).to(ACC)"
            loop.append(f"s_{state}_{j} = tl.where(is_first, {first}, {later})")
        loop += p.started_again(state)
    loop += [*by_output(p), *p.masks()]
    for j in blocks:
        for slot in range(count):
            where, m = p.preactivation(slot, count, "A", j), units.named("m")[j]
            loop.append(f"a_{slot}_{j} = tl.load({where}, mask={m}, other=0.0)")
        preactivations = {name: f"a_{slot}_{j}" for slot, name in enumerate(parts.preactivations)}
        saved = {f"k.{slot}": f"k_{slot}_{j}" for slot in range(count)}
        by = {f"d.{name}": f"{'g' if i == 0 else 'd'}_{i}_{j}" for i, name in enumerate(cell.state)}
        made = {name: f"da_{slot}_{j}" for slot, name in enumerate(parts.preactivations)}
        made |= {f"s.{name}": f"e_{i}_{j}" for i, name in enumerate(cell.state)}
        made |= {f"p.{name}": f"dp_{i}_{j}" for i, name in enumerate(cell.vectors)}
        loop += statements(again, preactivations | p.given(j), saved, constants, f"u{j}_")
        loop += statements(back, saved | p.given(j) | by, made, constants, f"v{j}_")
        loop += kept_where_there(p, j)
    loop += carried(p)
    body += indented(loop)
    for state in states:
        axis = p.axis(state)
        for j, (at, m) in enumerate(zip(axis.named("at"), axis.named("m"), strict=True)):
            body.append(f"tl.store(BY_{state} + {at}, d_{state}_{j}, mask={m})")
            body += ["if CUTS:", f"    tl.store(BY_RESTART_{state} + {at}, f_{state}_{j}, mask={m})"]
    for place in range(p.vectors):
        for j, (i, has) in enumerate(zip(units.named("i"), units.named("has"), strict=True)):
            body.append(f"tl.store(BY_P_{place} + tl.program_id(0) * H + {i}, tl.sum(q_{place}_{j}, axis=0), mask={has})")
    yield from indented(body)


def by_output(p: Printer) -> Iterator[str]:
    """g_0: the gradient by what the step gave as its output, before a projection if there is one."""
    axis, units = p.axis(0), p.axes.units
    yield "if KEEP:"  # there is a gradient by the outputs
    for j, (at, m) in enumerate(zip(axis.named("at"), axis.named("m"), strict=True)):
        yield from ("    if RAGGED:", f"        m = {m} & live", "    else:", f"        m = {m}")
        where = f"BY_OUTPUT + t * B * {axis.letter} + {at}"
        yield f"    d_0_{j} += tl.load({where}, mask=m, other=0.0).to(ACC)"
    if p.axes.outputs is None:
        yield from (f"g_0_{j} = d_0_{j}" for j in range(len(units.blocks)))
        return
    for k, (at, m, z) in enumerate(zip(axis.named("at"), axis.named("m"), axis.named("z"), strict=True)):
        yield from ("if RAGGED:", f"    y = tl.where(live, d_0_{k}, {z})", "else:", f"    y = d_0_{k}")
        yield f"tl.store(BY_PROJECTED + t * B * O + {at}, y, mask={m})"
        yield f"r_{k} = y.to(U.dtype.element_ty)"
    for j, z in enumerate(units.named("z")):
        yield f"g_0_{j} = {z}"
        yield from (multiplied(f"g_0_{j}", f"r_{k}", f"w_p_{j}_{k}") for k in range(len(axis.blocks)))


def kept_where_there(p: Printer, j: int) -> Iterator[str]:
    """Of a block's gradients those of units and steps that there are; those by pre-activations are written."""
    m, z, count = p.axes.units.named("m")[j], p.axes.units.named("z")[j], len(p.parts.preactivations)
    yield from ("if RAGGED:", f"    m = {m} & live", "else:", f"    m = {m}")
    for slot in range(count):
        yield f"da_{slot}_{j} = tl.where(m, da_{slot}_{j}, {z})"
        yield f"tl.store({p.preactivation(slot, count, 'BY_A', j)}, da_{slot}_{j}, mask={m})"
    yield from (f"q_{place}_{j} += tl.where(m, dp_{place}_{j}, {z})" for place in range(p.vectors))
    for state in range(len(p.cell.state)):
        if p.axis(state) is p.axes.units:
            yield f"e_{state}_{j} = tl.where(m, e_{state}_{j}, {z})"


def carried(p: Printer) -> Iterator[str]:
    """The gradients by the states before the step: through the step, and through the recurrent product."""
    if p.axes.outputs is not None:  # whose step does not read the output
        yield from (f"e_0_{k} = {z}" for k, z in enumerate(p.axes.outputs.named("z")))
    for state in range(len(p.cell.state)):
        yield "if RAGGED:"
        for j in range(len(p.axis(state).blocks)):
            yield f"    e_{state}_{j} = tl.where(live, e_{state}_{j}, d_{state}_{j})"
    for j in range(len(p.axes.units.blocks)) if p.sources and not p.cell.truncated else ():
        for gate, slot in enumerate(p.parts.of_recurrent):
            yield f"r = da_{slot}_{j}.to(U.dtype.element_ty)"
            for state in p.sources:
                for k in range(len(p.axis(state).blocks)):
                    yield multiplied(f"e_{state}_{k}", "r", f"w_{gate}_{state}_{k}_{j}")
    for state in range(len(p.cell.state)):
        yield "if CUTS:"  # of what a sequence starts again from: by nothing before it
        for j, z in enumerate(p.axis(state).named("z")):
            yield f"    f_{state}_{j} += tl.where(again, e_{state}_{j}, {z})"
            yield f"    e_{state}_{j} = tl.where(again, {z}, e_{state}_{j})"
        yield from (f"d_{state}_{j} = e_{state}_{j}" for j in range(len(p.axis(state).blocks)))


def mask_names(cell: Cell) -> frozenset[str]:
    """Parameters of which no gradient is wanted."""
    return frozenset(f"p.{name}" for name in cell.parameters[len(cell.vectors) :])
