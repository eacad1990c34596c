"""Memories that are added to: what of a state a step keeps and what it writes, read off the cell's own equations.

    s′ = keep ⊙ s + write

where keep and write are made of values that the trace holds: sites and other states. For the LSTM c′ = f ⊙ c + i ⊙ g this gives
keep = f, write = i ⊙ g; for the GRU h′ = (1 − z) ⊙ n + z ⊙ h it gives z and (1 − z) ⊙ n. Nothing here knows a cell by its name. The
graph of the step is followed from the new state back to the old one; a site on the way that depends on the old state otherwise
than linearly, as a gate with a peephole does, is taken as the number that the trace holds for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import fx
from torch.fx.node import map_arg

from byhand.cells import graph as graphs
from byhand.cells.outside_modes import outside_modes
from byhand.errors import NotAdditiveError

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.cells import Cell

    Number = Tensor | float


class MissingError(NotAdditiveError):
    """Something that a step reads and no trace holds."""


class Linear(NamedTuple):
    """keep ⊙ s + write; None is an absent 0."""

    keep: Number | None
    write: Number | None


Values = Callable[
    [str, str], "Number"
]  # kind and name -> value; kinds: site, s (a state before the step), p (a mask or vector)


def linear(cell: Cell, state: str, values: Values) -> Linear:
    """The state after a step in terms of the state before it. NotAdditiveError; TypeError if the step cannot be read."""
    graph = recorded(cell)
    goal = graphs.sites(graph)[state]
    return Follower(cell, state, values, {node: name for name, node in graphs.sites(graph).items() if node is not goal}).of(
        goal
    )


@outside_modes
def recorded(cell: Cell) -> fx.Graph:
    try:
        return graphs.record(cell)
    except TypeError as problem:
        raise NotAdditiveError(f"what cell {cell.name!r} keeps cannot be read off its step: {problem}") from problem


class Follower:
    """Goes through a step's graph from a value back to the state before."""

    def __init__(self, cell: Cell, state: str, values: Values, sites: Mapping[fx.Node, str]) -> None:
        self.cell, self.state, self.values, self.sites = cell, state, values, sites
        self.found: dict[fx.Node, Linear] = {}

    def of(self, node: fx.Node) -> Linear:
        if node not in self.found:
            self.found[node] = self.at_site(node) if node in self.sites else self.made(node)
        return self.found[node]

    def at_site(self, node: fx.Node) -> Linear:
        """A site is followed only if it is itself linear in the state; else its value is in the trace."""
        try:
            form = self.made(node)
        except NotAdditiveError:
            form = Linear(None, None)
        return form if form.keep is not None else Linear(None, self.values("site", self.sites[node]))

    def made(self, node: fx.Node) -> Linear:
        if node.op == "placeholder":
            return self.given(*str(node.target).split("_", 1))
        parts = {one: self.of(one) for one in node.all_input_nodes}
        if any(part.keep is not None for part in parts.values()):
            return self.ruled(node)
        arguments, options = map_arg((node.args, node.kwargs), lambda one: 0.0 if (w := parts[one].write) is None else w)
        return Linear(None, applied(node, arguments, options))

    def given(self, kind: str, name: str) -> Linear:
        if kind in ("x", "u"):
            raise MissingError(f"it depends on the pre-activation of {name} directly: give that a site of its own")
        if (kind, name) == ("s", self.state):
            return Linear(1.0, None)
        return Linear(None, self.values(kind, name))

    def ruled(self, node: fx.Node) -> Linear:
        name = str(getattr(node.target, "__name__", node.target))
        rule = None if node.kwargs else RULES.get(name)
        if rule is None:
            raise NotAdditiveError(f"it goes through {name}, which is no sum and no product")
        arguments: tuple[Any, ...] = node.args
        return rule(*(self.of(one) if isinstance(one, fx.Node) else Linear(None, one) for one in arguments))


def applied(node: fx.Node, arguments: Any, options: Any) -> Any:
    if node.op == "call_method":
        return getattr(arguments[0], str(node.target))(*arguments[1:], **options)
    assert callable(node.target)
    return node.target(*arguments, **options)


def plus(a: Number | None, b: Number | None) -> Number | None:
    return b if a is None else a if b is None else a + b


def scaled(a: Number | None, factor: Number) -> Number | None:
    return None if a is None else a * factor


def add(a: Linear, b: Linear) -> Linear:
    return Linear(plus(a.keep, b.keep), plus(a.write, b.write))


def negative(a: Linear) -> Linear:
    return Linear(scaled(a.keep, -1), scaled(a.write, -1))


def times(a: Linear, b: Linear) -> Linear:
    if a.keep is not None and b.keep is not None:
        raise NotAdditiveError("it is multiplied by itself")
    a, b = (a, b) if b.keep is None else (b, a)
    factor = 0.0 if b.write is None else b.write
    return Linear(scaled(a.keep, factor), scaled(a.write, factor))


def over(a: Linear, b: Linear) -> Linear:
    if b.keep is not None:
        raise NotAdditiveError("something is divided by it")
    return times(a, Linear(None, 1 / (0.0 if b.write is None else b.write)))


def same(a: Linear) -> Linear:
    return a


RULES: dict[str, Callable[..., Linear]] = {
    **dict.fromkeys(("add", "iadd"), add),
    **dict.fromkeys(("sub", "isub", "subtract"), lambda a, b: add(a, negative(b))),
    "rsub": lambda a, b: add(b, negative(a)),
    **dict.fromkeys(("mul", "imul", "multiply"), times),
    **dict.fromkeys(("truediv", "div", "divide", "true_divide"), over),
    **dict.fromkeys(("neg", "negative"), negative),
    **dict.fromkeys(("alias", "clone", "pos"), same),
    "addcmul": lambda a, b, c: add(a, times(b, c)),
    "lerp": lambda a, b, weight: add(a, times(weight, add(b, negative(a)))),
}


@outside_modes
def additive_states(cell: Cell) -> tuple[str, ...]:
    """The states that keep a part of themselves and are added to, the long memory c first. Empty if there is none."""
    found = [state for state in cell.state if why_not(cell, state) is None]
    return tuple(sorted(found, key=lambda name: name != "c"))


@outside_modes
def why_not(cell: Cell, state: str) -> str | None:
    """Why a state is not additive; None if it is."""
    replaced = "it is replaced at every step, nothing of it is kept"
    try:
        if not reads_itself(cell, state):
            return replaced
        keep = linear(cell, state, lambda kind, name: any_value(cell, kind, name)).keep
    except NotAdditiveError as problem:
        return str(problem)
    return replaced if keep is None else None


def reads_itself(cell: Cell, state: str) -> bool:
    """Whether the new state depends on the old one otherwise than through the recurrent product."""
    graph = recorded(cell)
    open_, seen = [graphs.sites(graph)[state]], set[fx.Node]()
    while open_:
        node = open_.pop()
        if node not in seen:
            seen.add(node)
            open_ += node.all_input_nodes
    return any(node.op == "placeholder" and node.target == f"s_{state}" for node in seen)


@outside_modes
def direct_sites(cell: Cell) -> tuple[str, ...]:
    """The sites that are made of pre-activations without another site in between: gates, candidates, and a plain RNN's state."""
    graph = recorded(cell)
    names = {node: name for name, node in graphs.sites(graph).items()}
    direct: set[fx.Node] = set()
    for node in graph.nodes:
        own = node.op == "placeholder" and str(node.target).startswith(("x_", "u_"))
        if own or any(one in direct and one not in names for one in node.all_input_nodes):
            direct.add(node)
    return tuple(name for node, name in names.items() if node in direct)


def any_value(cell: Cell, kind: str, name: str) -> Tensor:
    if kind == "p" and name in cell.vectors:
        raise MissingError(
            f"it depends on the vector {name} directly, which no trace holds: give the product a site of its own"
        )
    return torch.full((2, 3), 0.5, dtype=torch.float64)
