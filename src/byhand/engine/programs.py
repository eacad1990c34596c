"""What a fast engine makes of a cell: three programs, and what of a step is kept for its derivative."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from byhand.engine.program import Program, Value, renamed
from byhand.engine.stored import joint
from byhand.engine.tracing import UntraceableError

if TYPE_CHECKING:
    from byhand.cells import Cell


class Programs(NamedTuple):
    """All of a cell that a fast engine computes, unit by unit.

    A slot is what the matrix products give to one step: "a.i" is x.i + u.i where the step only reads their sum, else "x.n" and
    "u.n" are slots of their own. Of each slot one value is kept for the derivative, "k.NUMBER": the slot itself, or what is made
    of it alone if that will do, such as i = σ(a.i). States before the step are "s.c", its vectors and masks "p.NAME", the
    gradients by the new states "d.c".

    x_slots, u_slots: for each gate, where its part of W·x and of U·h goes.
    forward: slots, s, p -> the new states "h", "c", and "k.0", …
    backward: k, s, p, d -> gradients "a.i" by slots, "s.c" by states, "p.NAME" by vectors and masks.
    sites: k, s, p -> all that a step computes, by name. again: the same out of the slots, s, p.
    """

    slots: tuple[str, ...]
    x_slots: tuple[int, ...]
    u_slots: tuple[int, ...]
    forward: Program
    backward: Program
    sites: Program
    again: Program


@cache
def programs(cell: Cell) -> Programs:
    """Raises UntraceableError."""
    if not cell.elementwise:
        raise UntraceableError(f"cell {cell.name!r} is not elementwise: a unit's values depend on other units")
    whole = joint(cell)
    slots = [slot for gate in cell.gates for slot in slots_of(cell, whole, gate)]
    slots.sort(key=lambda slot: slot.startswith("u."))  # those of W·x first, in the order of the gates
    whole = fuse(cell, whole, slots)
    x_slots = tuple(next(slots.index(f"{kind}.{gate}") for kind in "ax" if f"{kind}.{gate}" in slots) for gate in cell.gates)
    u_slots = tuple(
        next(slots.index(f"{kind}.{gate}") for kind in "au" if f"{kind}.{gate}" in slots) for gate in cell.gates if cell.sources
    )
    states = {name: whole.results[f"n.{name}"] for name in cell.state}
    kept = keep(whole, slots, cell)
    names = {str(value): f"k.{place}" for place, value in enumerate(kept)}
    grads = gradients(cell, whole, slots)
    backward = renamed(whole.only(grads, names), names)
    sites = renamed(whole.only({name: whole.results[f"site.{name}"] for name in cell.sites}, names), names)
    saved = {f"k.{place}": value for place, value in enumerate(kept)}
    again = whole.only({name: whole.results[f"site.{name}"] for name in cell.sites})
    return Programs(tuple(slots), x_slots, u_slots, whole.only(states | saved), backward, sites, again)


def slots_of(cell: Cell, whole: Program, gate: str) -> list[str]:
    """One slot if W·x and U·h are only ever read as their sum, else two; one if there is no U·h."""
    if not cell.sources:
        return [f"x.{gate}"]
    x, u = whole.users(f"x.{gate}"), whole.users(f"u.{gate}")
    read_directly = {f"x.{gate}", f"u.{gate}"} & set(whole.results.values())
    summed = len(x) == 1 and x == u and x[0].function == "add"
    return [f"a.{gate}"] if summed and not read_directly else [f"x.{gate}", f"u.{gate}"]


def fuse(cell: Cell, whole: Program, slots: list[str]) -> Program:
    """With the sums x + u as inputs, where they are slots."""
    sums = {whole.users(f"x.{gate}")[0].name: f"a.{gate}" for gate in cell.gates if f"a.{gate}" in slots}
    lines = tuple(line for line in whole.lines if line.name not in sums)
    others = (name for name in whole.inputs if name[:2] not in ("x.", "u."))
    return renamed(Program((*slots, *others), lines, whole.results), sums)


def gradients(cell: Cell, whole: Program, slots: list[str]) -> dict[str, Value]:
    """The results of the derivative, by what they are the gradients of."""
    kind = {"a": "x", "x": "x", "u": "u"}
    by_slots = {slot: whole.results[f"grad.{kind[slot[0]]}.{slot[2:]}"] for slot in slots}
    by_states = {f"s.{name}": whole.results[f"grad.s.{name}"] for name in cell.state}
    return by_slots | by_states | {f"p.{name}": whole.results[f"grad.p.{name}"] for name in cell.parameters}


def keep(whole: Program, slots: list[str], cell: Cell) -> list[str]:
    """For each slot the last value made of it alone from which the derivative can be had without the slot."""
    states = {name: whole.results[f"n.{name}"] for name in cell.state}
    forward, grads = whole.only(states), gradients(cell, whole, slots)
    sites = {name: whole.results[f"site.{name}"] for name in cell.sites}
    kept: list[str] = []
    for slot in slots:
        chain = [slot]
        while len(users := forward.users(chain[-1])) == 1 and chain[-1] not in states.values():
            chain.append(users[0].name)
        others = [one for one in slots if one != slot]
        enough = (
            value
            for value in reversed(chain)
            if slot == value or slot not in whole.only(grads | sites, [value, *others]).reads()
        )
        kept.append(next(value for value in enough if value not in kept))
    return kept
