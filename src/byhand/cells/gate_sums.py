"""Where a gate's sum stands in the graph of a step: W·x + U·h + b and whatever else goes into its activation function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from byhand.cells import graph as graphs
from byhand.cells.activations import FUNCTIONS
from byhand.cells.outside_modes import outside_modes

if TYPE_CHECKING:
    from torch import fx

    from byhand.cells.cell import Cell


def gate_sum(graph: fx.Graph, cell: Cell, gate: str) -> fx.Node:
    """The whole sum that a gate's part of W·x is a term of. ValueError if it goes into the step in another way."""
    inputs, sites = {str(node.target): node for node in graphs.placeholders(graph)}, set(graphs.sites(graph).values())
    node = inputs[f"x_{gate}"]
    while node not in sites and len(node.users) == 1 and graphs.is_call(next(iter(node.users)), graphs.ADDITIONS):
        node = next(iter(node.users))
    if not (cell.elementwise or cell.inner) or f"u_{gate}" in inputs.keys() - graphs.inputs_of(node):
        raise ValueError(f"gate {gate!r} does not go into its step as one sum")
    if node in graphs.states(graph):
        raise ValueError(f"gate {gate!r} is added to a state, without an activation function between")
    return node


@outside_modes
def site_of_gate(cell: Cell, gate: str) -> str:
    """The site that applies an activation function to a gate's sum, clipped or not. ValueError if there is none."""
    graph = graphs.record(cell)
    node = gate_sum(graph, cell, gate)
    while (following := reader(node)) is not None and following.target is torch.clamp:
        node = following
    found = next((site for site, one in graphs.sites(graph).items() if one is following and one.target in FUNCTIONS), None)
    if found is None:
        raise ValueError(f"the sum of gate {gate!r} does not go into one activation function with a name of its own")
    return found


def reader(node: fx.Node) -> fx.Node | None:
    """The one function that reads a node; None if there are several, or none."""
    readers = [one for one in node.users if one.op != "output"]
    return readers[0] if len(readers) == 1 else None
