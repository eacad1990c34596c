"""A cell's program in parts: what runs forward, what runs backward, what gives the sites; and what is saved in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from byhand.cells.outside_modes import outside_modes
from byhand.ir.program import Program, Value, renamed
from byhand.ir.store import program_of

if TYPE_CHECKING:
    from byhand.cells import Cell


class Partition(NamedTuple):
    """All of a cell that a fast engine computes, unit by unit.

    A pre-activation is what the matrix products give to one step: "a.i" is x.i + u.i where the step only reads their sum, else
    "x.n" and "u.n" are two. Of each, one value is saved for the derivative, "k.NUMBER": the pre-activation itself, or what is made
    of it alone if that will do, such as i = σ(a.i). States before the step are "s.c", its vectors and masks "p.NAME", the gradients
    by the new states "d.c".

    of_input, of_recurrent: for each gate, the index of the pre-activation that its part of W·x, and of U·h, goes to.
    forward: pre-activations, s, p -> the new states "h", "c", and "k.0", …
    backward: k, s, p, d -> gradients "a.i" by pre-activations, "s.c" by states, "p.NAME" by vectors and masks.
    sites: k, s, p -> all that a step computes, by name. recompute: the same out of the pre-activations, s, p.
    """

    preactivations: tuple[str, ...]
    of_input: tuple[int, ...]
    of_recurrent: tuple[int, ...]
    forward: Program
    backward: Program
    sites: Program
    recompute: Program


@outside_modes
def partition(cell: Cell) -> Partition:
    """The parts of byhand.ir.program_of(cell). Raises UntraceableError."""
    whole = program_of(cell)
    names = [name for gate in cell.gates for name in preactivations_of(cell, whole, gate)]
    names.sort(key=lambda name: name.startswith("u."))  # those of W·x first, in the order of the gates
    whole = fuse(cell, whole, names)
    of_input = tuple(next(names.index(f"{kind}.{gate}") for kind in "ax" if f"{kind}.{gate}" in names) for gate in cell.gates)
    of_recurrent = tuple(
        next(names.index(f"{kind}.{gate}") for kind in "au" if f"{kind}.{gate}" in names) for gate in cell.gates if cell.sources
    )
    states = {name: whole.results[f"n.{name}"] for name in cell.state}
    sites = {name: whole.results[f"site.{name}"] for name in cell.sites}
    saved = {f"k.{place}": value for place, value in enumerate(saved_values(whole, names, cell))}
    given = {str(value): name for name, value in saved.items()}
    return Partition(
        tuple(names),
        of_input,
        of_recurrent,
        forward=whole.only(states | saved),
        backward=renamed(whole.only(gradients(cell, whole, names), given), given),
        sites=renamed(whole.only(sites, given), given),
        recompute=whole.only(sites),
    )


def preactivations_of(cell: Cell, whole: Program, gate: str) -> list[str]:
    """One preactivation if W·x and U·h are only ever read as their sum, else two; one if there is no U·h."""
    if not cell.sources:
        return [f"x.{gate}"]
    x, u = whole.users(f"x.{gate}"), whole.users(f"u.{gate}")
    read_directly = {f"x.{gate}", f"u.{gate}"} & set(whole.results.values())
    summed = len(x) == 1 and x == u and x[0].function == "add"
    return [f"a.{gate}"] if summed and not read_directly else [f"x.{gate}", f"u.{gate}"]


def fuse(cell: Cell, whole: Program, preactivations: list[str]) -> Program:
    """With the sums x + u as inputs, where they are preactivations."""
    sums = {whole.users(f"x.{gate}")[0].name: f"a.{gate}" for gate in cell.gates if f"a.{gate}" in preactivations}
    lines = tuple(line for line in whole.lines if line.name not in sums)
    others = (name for name in whole.inputs if name[:2] not in ("x.", "u."))
    return renamed(Program((*preactivations, *others), lines, whole.results), sums)


def gradients(cell: Cell, whole: Program, preactivations: list[str]) -> dict[str, Value]:
    """The results of the derivative, by what they are the gradients of."""
    kind = {"a": "x", "x": "x", "u": "u"}
    by_preactivations = {one: whole.results[f"grad.{kind[one[0]]}.{one[2:]}"] for one in preactivations}
    by_states = {f"s.{name}": whole.results[f"grad.s.{name}"] for name in cell.state}
    return by_preactivations | by_states | {f"p.{name}": whole.results[f"grad.p.{name}"] for name in cell.parameters}


def saved_values(whole: Program, preactivations: list[str], cell: Cell) -> list[str]:
    """For each preactivation the last value made of it alone from which the derivative can be had without the preactivation."""
    states = {name: whole.results[f"n.{name}"] for name in cell.state}
    forward, grads = whole.only(states), gradients(cell, whole, preactivations)
    sites = {name: whole.results[f"site.{name}"] for name in cell.sites}
    found: list[str] = []
    for name in preactivations:
        chain = [name]
        while len(users := forward.users(chain[-1])) == 1 and chain[-1] not in states.values():
            chain.append(users[0].name)
        others = [one for one in preactivations if one != name]
        enough = (
            value
            for value in reversed(chain)
            if name == value or name not in whole.only(grads | sites, [value, *others]).reads()
        )
        found.append(next(value for value in enough if value not in found))
    return found
