"""Steps made from other steps: the change that turns a cell into an ablated or regularised one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import fx

from byhand.cells import graph as graphs
from byhand.cells.cell import Cell, Noise
from byhand.cells.outside_modes import outside_modes

ACTIVATIONS = (torch.tanh, torch.sigmoid, torch.relu)


@dataclass(frozen=True)
class Rewritten:
    """The step of `cell` with one site changed.

    how: "one" holds the site at 1 and drops whatever was only needed to compute it; "bypass" leaves out the activation function
    that the site applies; "times NAME" multiplies it by the mask p.NAME.
    """

    cell: Cell
    site: str
    how: str

    def __call__(self, x: Any, u: Any, s: Any, p: Any) -> Any:
        run, wanted = runner(self)
        given = {"x": x, "u": u, "s": s, "p": p}
        return run(*(getattr(given[kind], name) for kind, name in wanted))


@outside_modes
def rewritten_graph(step: Rewritten) -> fx.Graph:
    graph = graphs.copy(graphs.record(step.cell))
    node = graphs.sites(graph)[step.site]
    if step.how == "one":
        put_one(graph, node, step.site)
    elif step.how == "bypass":
        inner = activated(step.cell, step.site, node)
        if inner in graphs.sites(graph).values():  # it has a name of its own
            graphs.drop_site(graph, step.site)
        node.replace_all_uses_with(inner)
    else:
        multiply_by(graph, node, step.how.removeprefix("times "))
    graph.eliminate_dead_code()
    for node in graphs.placeholders(graph):
        if not node.users:
            graph.erase_node(node)
    return graph


def activated(cell: Cell, site: str, node: fx.Node) -> fx.Node:
    """What the site's activation function is applied to. ValueError if the site is not one function of one value."""
    if node.op == "call_function" and node.target in ACTIVATIONS and isinstance(node.args[0], fx.Node):
        return node.args[0]
    raise ValueError(
        f"site {site!r} of cell {cell.name!r} is not one activation function of one value, so none can be left out"
    )


def put_one(graph: fx.Graph, node: fx.Node, site: str) -> None:
    graphs.drop_site(graph, site)
    for user in list(node.users):
        if not graphs.is_call(user, graphs.PRODUCTS):
            raise ValueError(f"site {site!r} is not used as a factor alone, so it cannot be held at 1 and left out")
        (other,) = [one for one in user.args if one is not node]
        user.replace_all_uses_with(other)  # type: ignore[arg-type]


def multiply_by(graph: fx.Graph, node: fx.Node, mask: str) -> None:
    body = next(one for one in graph.nodes if one.op != "placeholder")
    with graph.inserting_before(body):
        factor = graph.placeholder(f"p_{mask}")
    with graph.inserting_after(factor if node.op == "placeholder" else node):
        product = graph.call_function(graphs.PRODUCTS[0], (factor, node))
    node.replace_all_uses_with(product, delete_user_cb=lambda user: user is not product)


@outside_modes
def runner(step: Rewritten) -> tuple[Callable[..., Any], tuple[tuple[str, str], ...]]:
    graph = rewritten_graph(step)
    wanted = tuple(tuple(str(node.target).split("_", 1)) for node in graphs.placeholders(graph))
    return graphs.compile_graph(graph), wanted  # type: ignore[return-value]


def hold_at_one(cell: Cell, site: str, name: str, cite: str) -> Cell:
    """`cell` with a site held at 1, named NAME(CELL), without the gates and vectors that nothing reads any more. ValueError."""
    return _changed(cell, site, "one", name, cite)


def bypass(cell: Cell, site: str, name: str, cite: str) -> Cell:
    """`cell` without the activation function of a site, named NAME(CELL). ValueError."""
    return _changed(cell, site, "bypass", name, cite)


def multiply(cell: Cell, site: str, noise: Noise, name: str, cite: str) -> Cell:
    """`cell` with a site multiplied by a random mask, under that name."""
    step = Rewritten(cell, site, f"times {noise.name}")
    return replace(cell, name=name, step=step, noise=(*cell.noise, noise), cite=f"{cite}; {cell.cite}")


def _changed(cell: Cell, site: str, how: Literal["one", "bypass"], name: str, cite: str) -> Cell:
    require_site(cell, site, name)
    step = Rewritten(cell, site, how)
    try:
        left = {str(node.target) for node in graphs.placeholders(rewritten_graph(step))}
    except ValueError as problem:
        raise ValueError(f"{name} cannot be made of {cell.name!r}: {problem}") from None
    gates = tuple(gate for gate in cell.gates if f"x_{gate}" in left)
    return replace(
        cell,
        name=f"{name}({cell.name})",
        step=step,
        gates=gates,
        vectors=keep(cell.vectors, lambda vector: f"p_{vector}" in left),
        recurrent=keep(cell.recurrent, gates.__contains__) if isinstance(cell.recurrent, Mapping) else cell.recurrent,
        shared=keep(cell.shared, {*gates, *cell.state}.__contains__),
        cite=f"{cite}; {cell.cite}",
    )


def require_site(cell: Cell, site: str, name: str) -> None:
    if not isinstance(cell, Cell):
        raise TypeError(f"{name} expected a cell, got {cell!r}: write {name}(cells.lstm)")
    if site not in cell.sites:
        raise ValueError(f"{name} expected a cell with a site {site!r}, got {cell.name!r}, which has {', '.join(cell.sites)}")


def keep(names: Any, wanted: Callable[[str], bool]) -> Any:
    """The wanted part of a tuple or mapping."""
    if isinstance(names, Mapping):
        return {name: value for name, value in names.items() if wanted(name)}
    return tuple(filter(wanted, names))
