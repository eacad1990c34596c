"""The forward kernel: the states step by step, and what a derivative is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.engine.triton.printer import indented, multiplied, names
from byhand.engine.triton.statements import Constants, statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from byhand.engine.triton.printer import Printer


def forward(p: Printer) -> Iterator[str]:
    cell, parts, units = p.cell, p.parts, p.axes.units
    states, blocks = range(len(cell.state)), range(len(units.blocks))
    pointers = ["X", "U", "BIAS", "W", *names("FIRST", states), *names("RESTART", states), *names("LAST", states)]
    pointers += [*names("GIVEN", states), *names("STATE", states), "UNPROJECTED", *names("P", range(len(cell.parameters)))]
    yield from p.head("forward", pointers, "T B H O")
    program = parts.forward.only({name: parts.forward.results[name] for name in cell.state})
    constants = Constants([program])
    body = [*p.start(program), *p.weights(transposed=False)]
    for slot, gate in p.separate.items():
        for j in blocks:
            i, has = units.named("i")[j], units.named("has")[j]
            body.append(f"b_{slot}_{j} = tl.load(BIAS + {gate} * H + {i}, mask={has}, other=0.0).to(ACC)[None, :]")
    for state in states:
        body += [f"s_{state}_{j} = {one}" for j, one in enumerate(p.rows("FIRST", state))]
    body.append("for step in range(T):")
    loop = ["t = tl.cast(T - 1 - step if REVERSE else step, tl.int64)"]
    for slot in range(len(parts.preactivations)):
        for j in blocks:
            where, m = p.preactivation(slot, len(cell.gates), "X", j), units.named("m")[j]
            made = f"b_{slot}_{j} + {units.named('z')[j]}"
            loop.append(f"a_{slot}_{j} = " + (made if slot in p.separate else f"tl.load({where}, mask={m}, other=0.0)"))
    loop += [*p.cut(), *(line for state in states for line in p.started_again(state))]
    loop += products(p)
    loop += p.masks()
    for j in blocks:
        preactivations = {name: f"a_{slot}_{j}" for slot, name in enumerate(parts.preactivations)}
        new = {name: f"n_{place}_{j}" for place, name in enumerate(cell.state)}
        loop += statements(program, preactivations | p.given(j), new, constants, f"v{j}_")
    for state in states:
        loop += [f"n_{state}_{j} = tl.where({units.named('m')[j]}, n_{state}_{j}, {units.named('z')[j]})" for j in blocks]
    loop += [*projected(p), "if RAGGED:", "    live = (t < length)[:, None]"]
    for state in states:
        loop += [f"    n_{state}_{j} = tl.where(live, n_{state}_{j}, s_{state}_{j})" for j in range(len(p.axis(state).blocks))]
    loop += stored(p)
    for state in states:
        loop += [f"s_{state}_{j} = n_{state}_{j}" for j in range(len(p.axis(state).blocks))]
    body += indented(loop)
    for state in states:
        axis = p.axis(state)
        for j, (at, m) in enumerate(zip(axis.named("at"), axis.named("m"), strict=True)):
            body.append(f"tl.store(LAST_{state} + {at}, s_{state}_{j}, mask={m})")
    yield from indented(body)


def products(p: Printer) -> Iterator[str]:
    """U·h, added to the pre-activations."""
    for state in p.sources:
        for k in range(len(p.axis(state).blocks)):
            yield f"r = s_{state}_{k}.to(U.dtype.element_ty)"
            for gate, slot in enumerate(p.parts.of_recurrent):
                for j in range(len(p.axes.units.blocks)):
                    yield multiplied(f"a_{slot}_{j}", "r", f"w_{gate}_{state}_{k}_{j}")


def projected(p: Printer) -> Iterator[str]:
    """The output, made of the step's: n_0 becomes the projected one."""
    outputs, units = p.axes.outputs, p.axes.units
    if outputs is None:
        return
    for j, (at, m) in enumerate(zip(units.named("at"), units.named("m"), strict=True)):
        yield "if KEEP:"
        yield f"    tl.store(UNPROJECTED + t * B * H + {at}, n_0_{j}, mask={m})"
        yield f"r_{j} = n_0_{j}.to(U.dtype.element_ty)"
    for k, z in enumerate(outputs.named("z")):
        yield f"n_0_{k} = {z}"
        yield from (multiplied(f"n_0_{k}", f"r_{j}", f"w_p_{j}_{k}") for j in range(len(units.blocks)))


def stored(p: Printer, states: Iterable[int] | None = None) -> Iterator[str]:
    """The output, 0 where a sequence has ended; for a derivative, what the product reads, in the weights' number type, and what the
    step reads itself, in that of sums. states: of these alone.
    """
    for state in range(len(p.cell.state)) if states is None else states:
        axis = p.axis(state)
        for j, (at, m, z) in enumerate(zip(axis.named("at"), axis.named("m"), axis.named("z"), strict=True)):
            where = f"t * B * {axis.letter} + {at}"
            if state == 0:
                yield from ("if RAGGED:", f"    y = tl.where(live, n_0_{j}, {z})", "else:", f"    y = n_0_{j}")
                yield f"tl.store(GIVEN_0 + {where}, y, mask={m})"
            elif state in p.sources:
                yield from ("if KEEP:", f"    tl.store(GIVEN_{state} + {where}, n_{state}_{j}, mask={m})")
            if state in p.read_again:
                yield "if KEEP and LOW:" if state == 0 or state in p.sources else "if KEEP:"
                yield f"    tl.store(STATE_{state} + {where}, n_{state}_{j}, mask={m})"
