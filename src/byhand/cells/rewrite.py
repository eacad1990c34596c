"""Steps made from other steps: the change that turns a cell into an ablated, regularised or otherwise derived one.

A change is a value with one function, change(graph, cell), which alters a copy of the recorded step and raises ValueError where it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import fx

from byhand.cells import graph as graphs
from byhand.cells.activations import FUNCTIONS
from byhand.cells.cell import Cell, Noise
from byhand.cells.outside_modes import outside_modes


class Change(Protocol):
    """What is done to the graph of a cell's step."""

    def __call__(self, graph: fx.Graph, cell: Cell) -> None: ...


@dataclass(frozen=True)
class Rewritten:
    """The step of `cell` after a change; what was only needed for what is gone is dropped."""

    cell: Cell
    change: Change

    def __call__(self, x: Any, u: Any, s: Any, p: Any) -> Any:
        run, wanted = runner(self)
        given = {"x": x, "u": u, "s": s, "p": p}
        return run(*(getattr(given[kind], name) for kind, name in wanted))


@dataclass(frozen=True)
class HoldAtOne:
    """Hold a site at 1."""

    site: str

    def __call__(self, graph: fx.Graph, cell: Cell) -> None:
        node = graphs.sites(graph)[self.site]
        graphs.drop_site(graph, self.site)
        for user in list(node.users):
            if not graphs.is_call(user, graphs.PRODUCTS):
                raise ValueError(f"site {self.site!r} is not used as a factor alone, so it cannot be held at 1 and left out")
            (other,) = [one for one in user.args if one is not node]
            user.replace_all_uses_with(other)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Bypass:
    """Leave out the activation function that a site applies."""

    site: str

    def __call__(self, graph: fx.Graph, cell: Cell) -> None:
        node = graphs.sites(graph)[self.site]
        inner = activated(cell, self.site, node)
        if inner in graphs.sites(graph).values():  # it has a name of its own
            graphs.drop_site(graph, self.site)
        node.replace_all_uses_with(inner)


@dataclass(frozen=True)
class Multiply:
    """Multiply a site by the mask p.NAME."""

    site: str
    mask: str

    def __call__(self, graph: fx.Graph, cell: Cell) -> None:
        node = graphs.sites(graph)[self.site]
        body = next(one for one in graph.nodes if one.op != "placeholder")
        with graph.inserting_before(body):
            factor = graph.placeholder(f"p_{self.mask}")
        graphs.pass_through(graph, node, graphs.PRODUCTS[0], (factor, node))


@outside_modes
def rewritten_graph(step: Rewritten) -> fx.Graph:
    graph = graphs.copy(graphs.record(step.cell))
    step.change(graph, step.cell)
    graph.eliminate_dead_code()
    for node in graphs.placeholders(graph):
        if not node.users:
            graph.erase_node(node)
    return graph


def activated(cell: Cell, site: str, node: fx.Node) -> fx.Node:
    """What the site's activation function is applied to. ValueError if the site is not one function of one value."""
    if node.op == "call_function" and node.target in FUNCTIONS and isinstance(node.args[0], fx.Node):
        return node.args[0]
    raise ValueError(
        f"site {site!r} of cell {cell.name!r} is not one activation function of one value, so none can be left out or replaced"
    )


@outside_modes
def runner(step: Rewritten) -> tuple[Callable[..., Any], tuple[tuple[str, str], ...]]:
    graph = rewritten_graph(step)
    wanted = tuple(tuple(str(node.target).split("_", 1)) for node in graphs.placeholders(graph))
    return graphs.compile_graph(graph), wanted  # type: ignore[return-value]


def hold_at_one(cell: Cell, site: str, name: str, cite: str) -> Cell:
    """`cell` with a site held at 1, named NAME(CELL), without the gates and vectors that nothing reads any more. ValueError."""
    require_site(cell, site, name)
    return changed(cell, HoldAtOne(site), f"{name}({cell.name})", cite)


def bypass(cell: Cell, site: str, name: str, cite: str) -> Cell:
    """`cell` without the activation function of a site, named NAME(CELL). ValueError."""
    require_site(cell, site, name)
    return changed(cell, Bypass(site), f"{name}({cell.name})", cite)


def multiply(cell: Cell, site: str, noise: Noise, name: str, cite: str) -> Cell:
    """`cell` with a site multiplied by a random mask, under that name."""
    step = Rewritten(cell, Multiply(site, noise.name))
    return replace(cell, name=name, step=step, noise=(*cell.noise, noise), cite=cited(cite, cell))


def changed(cell: Cell, change: Change, name: str, cite: str = "") -> Cell:
    """`cell` after a change, under that name, without the gates and vectors that nothing reads any more.

    Raises:
        ValueError: the change cannot be made of this cell.
    """
    step = Rewritten(cell, change)
    try:
        left = {str(node.target) for node in graphs.placeholders(rewritten_graph(step))}
    except (ValueError, TypeError) as problem:
        raise ValueError(f"{name.partition('(')[0]} cannot be made of {cell.name!r}: {problem}") from None
    gates = tuple(gate for gate in cell.gates if f"x_{gate}" in left)
    return replace(
        cell,
        name=name,
        step=step,
        gates=gates,
        vectors=keep(cell.vectors, lambda vector: f"p_{vector}" in left),
        recurrent=keep(cell.recurrent, gates.__contains__) if isinstance(cell.recurrent, Mapping) else cell.recurrent,
        shared=keep(cell.shared, {*gates, *cell.state}.__contains__),
        cite=cited(cite, cell),
    )


def cited(cite: str, cell: Cell) -> str:
    """The sources of a cell that was made from another."""
    return "; ".join(filter(None, (cite, cell.cite)))


def require_cell(cell: Cell, name: str) -> None:
    if not isinstance(cell, Cell):
        raise TypeError(f"{name} expected a cell, got {cell!r}: write {name}(cells.lstm)")


def require_site(cell: Cell, site: str, name: str) -> None:
    require_cell(cell, name)
    if site not in cell.sites:
        raise ValueError(f"{name} expected a cell with a site {site!r}, got {cell.name!r}, which has {', '.join(cell.sites)}")


def keep(names: Any, wanted: Callable[[str], bool]) -> Any:
    """The wanted part of a tuple or mapping."""
    if isinstance(names, Mapping):
        return {name: value for name, value in names.items() if wanted(name)}
    return tuple(filter(wanted, names))
