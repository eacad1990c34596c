"""A step as a graph: where each site is computed, and how a step is changed there.

The graph is what torch.fx records when the step runs on stand-ins for tensors. Edits, ablations and the engines' shortcuts are
rewritings of it, so the equations stay where they are: in the cell.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import fx
from torch.fx.proxy import GraphAppendingTracer

from byhand.cells.outside_modes import outside_modes

if TYPE_CHECKING:
    from byhand.cells.cell import Cell

ADDITIONS = (operator.add, torch.add)
PRODUCTS = (operator.mul, torch.mul)


class Compiled(NamedTuple):
    """A step ready to run: run(*x, *u, *s, *p[, edit]) -> (new state, sites). fused: x already holds x + u, there is no u."""

    run: Callable[..., tuple[tuple[Any, ...], dict[str, Any]]]
    fused: bool


def record(cell: Cell) -> fx.Graph:
    """The graph of a step; inputs are named x_GATE, u_GATE, s_STATE, p_PARAMETER. TypeError if the step decides by values, or does
    what a graph does not show.
    """
    graph = fx.Graph()
    tracer = GraphAppendingTracer(graph)

    def inputs(kind: str, names: tuple[str, ...]) -> tuple[fx.Proxy, ...]:
        return tuple(fx.Proxy(graph.placeholder(f"{kind}_{name}"), tracer) for name in names)

    x, u = inputs("x", cell.gates), inputs("u", cell.gates if cell.sources else ())
    try:
        made = cell.apply(x, u, inputs("s", cell.state), inputs("p", cell.parameters))
    except Exception as problem:  # a step may do anything with a stand-in for a tensor
        raise TypeError(
            f"the step of cell {cell.name!r} decides by the values of its tensors, or asks of them what only a tensor can answer, so"
            f" it can run and be recorded but not be rewritten; write torch.where(condition, a, b) in place of if: {problem}"
        ) from problem
    graph.output(tracer.create_arg((tuple(made[0]), dict(made[1]))))
    part_aliases(graph, cell.state)
    try:
        same = agrees(cell, compile_graph(graph))
    except Exception as problem:  # it holds a tensor from outside, which no graph can name, or has no derivative
        raise TypeError(
            f"the step of cell {cell.name!r} reads a tensor that is not among its arguments, or has no derivative, so it can run and be"
            f" recorded but not be rewritten; make it a vector or write a number: {problem}"
        ) from problem
    if not same:
        raise TypeError(
            f"the step of cell {cell.name!r} does what its graph does not show (a torch.no_grad() block, an autograd.Function, a value"
            " kept from call to call), so it can run and be recorded but not be rewritten; use tensor operations and x.detach()"
        )
    return graph


def part_aliases(graph: fx.Graph, state: tuple[str, ...]) -> None:
    """Give every site a node of its own: of two names for one value, the later follows from the earlier."""
    output = graph.output_node()
    values: tuple[fx.Node, ...] = output.args[0][0]  # type: ignore[index, assignment]
    taken: set[fx.Node] = set()
    own: dict[str, fx.Node] = {}
    for site, node in sites(graph).items():
        own[site] = node
        if node in taken:
            with graph.inserting_before(output):
                own[site] = graph.call_function(alias, (node,))
        taken.add(node)
    values = tuple(own.get(name, value) for name, value in zip(state, values, strict=True))
    output.args = ((values, own),)


def alias(value: torch.Tensor) -> torch.Tensor:
    """The same value under another name, with a gradient of its own."""
    return value.view_as(value)


def agrees(cell: Cell, run: Callable[..., Any]) -> bool:
    """Whether a recorded step gives the values and gradients of the step itself, on random arguments."""
    generator = torch.Generator().manual_seed(0)

    def some(names: tuple[str, ...]) -> tuple[torch.Tensor, ...]:
        return tuple(torch.randn(2, 3, generator=generator, dtype=torch.float64).requires_grad_() for _ in names)

    parts = some(cell.gates), some(cell.gates if cell.sources else ()), some(cell.state), some(cell.parameters)
    given = [value for part in parts for value in part]
    found = []
    with torch.enable_grad():
        for state, sites in (cell.apply(*parts), run(*given)):
            values = [*state, *sites.values()]
            loss = torch.stack([value.sum() * (k + 1) for k, value in enumerate(values)]).sum()
            grads = torch.autograd.grad(loss, given, allow_unused=True) if loss.requires_grad else ()
            found.append([*values, *(torch.zeros(2, 3) if grad is None else grad for grad in grads)])
    return len(found[0]) == len(found[1]) and all(
        a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=0, equal_nan=True) for a, b in zip(*found, strict=True)
    )


def copy(graph: fx.Graph) -> fx.Graph:
    new = fx.Graph()
    new.output(new.graph_copy(graph, {}))
    return new


def sites(graph: fx.Graph) -> dict[str, fx.Node]:
    """The node that computes each site."""
    return graph.output_node().args[0][1]  # type: ignore[index, return-value]


def states(graph: fx.Graph) -> tuple[fx.Node, ...]:
    """The nodes that compute the new states."""
    return graph.output_node().args[0][0]  # type: ignore[index, return-value]


def drop_site(graph: fx.Graph, site: str) -> None:
    output = graph.output_node()
    output.args = ((output.args[0][0], {name: node for name, node in sites(graph).items() if name != site}),)  # type: ignore[index]


def rename_site(graph: fx.Graph, site: str, new: str) -> None:
    output = graph.output_node()
    named = {new if name == site else name: node for name, node in sites(graph).items()}
    output.args = ((output.args[0][0], named),)  # type: ignore[index]


def pass_through(graph: fx.Graph, node: fx.Node, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Let whatever reads a node read a function of it; the node is among the arguments."""
    following = placeholders(graph)[-1] if node.op == "placeholder" else node
    with graph.inserting_after(following):
        new = graph.call_function(function, arguments)
    node.replace_all_uses_with(new, delete_user_cb=lambda user: user is not new)


def inputs_of(node: fx.Node) -> set[str]:
    """The names of the inputs that a node is computed from."""
    seen: set[fx.Node] = set()
    todo = [node]
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo.extend(one.all_input_nodes)
    return {str(one.target) for one in seen if one.op == "placeholder"}


def placeholders(graph: fx.Graph) -> list[fx.Node]:
    return [node for node in graph.nodes if node.op == "placeholder"]


def is_call(node: fx.Node, functions: tuple[Callable[..., Any], ...]) -> bool:
    return node.op == "call_function" and node.target in functions and len(node.args) == 2 and not node.kwargs


def fuse(graph: fx.Graph, gates: Collection[str]) -> bool:
    """Where x_g and u_g are only ever read as their sum, let x_g stand for it and drop u_g; only if that holds for all gates."""
    named = {str(node.target): node for node in placeholders(graph)}
    if any(f"u_{gate}" not in named for gate in gates):
        return False
    pairs = [(named[f"x_{gate}"], named[f"u_{gate}"]) for gate in gates]
    for x, u in pairs:
        readers = list(x.users)
        if readers != list(u.users) or any(not is_call(one, ADDITIONS) or set(one.args) != {x, u} for one in readers):
            return False
    for x, u in pairs:
        for addition in list(x.users):
            addition.replace_all_uses_with(x)
            graph.erase_node(addition)
        graph.erase_node(u)
    return True


def edited(edit: Callable[[str, Any], Any], site: str, value: Any) -> Any:
    return edit(site, value)


def splice(graph: fx.Graph, names: Collection[str]) -> None:
    """Send every named site through a further input, edit(site, value), before anything that follows from it reads it."""
    body = next(node for node in graph.nodes if node.op != "placeholder")
    with graph.inserting_before(body):
        edit = graph.placeholder("edit")
    for site in names:
        node = sites(graph)[site]
        pass_through(graph, node, edited, (edit, site, node))


def compile_graph(graph: fx.Graph) -> Callable[..., Any]:
    graph.lint()
    return fx.GraphModule(torch.nn.Module(), graph).forward


@outside_modes
def compiled(cell: Cell, names: frozenset[str] = frozenset(), *, sites: bool = True) -> Compiled:
    """The step of a cell, with edits at these sites; without sites it gives none of them. TypeError if it has edits and cannot be
    rewritten.
    """
    try:
        graph = record(cell)
    except TypeError:
        if names:
            raise
        return Compiled(as_it_is(cell), fused=False)
    fused = fuse(graph, cell.gates)
    if names:
        splice(graph, [site for site in cell.sites if site in names])
    if not sites:
        graph.output_node().args = ((graph.output_node().args[0][0], {}),)  # type: ignore[index]
        graph.eliminate_dead_code()
    return Compiled(compile_graph(graph), fused)


def as_it_is(cell: Cell) -> Callable[..., Any]:
    sizes = (len(cell.gates), len(cell.gates) if cell.sources else 0, len(cell.state), len(cell.parameters))

    def run(*values: Any) -> Any:
        parts, start = [], 0
        for size in sizes:
            parts.append(values[start : start + size])
            start += size
        return cell.apply(*parts)

    return run
