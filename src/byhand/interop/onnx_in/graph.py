"""Graph: one graph of a file inside those around it: which name is a constant there, who makes it, and what each node reads."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator
from typing import Any

BODIES = {"If": ("then_branch", "else_branch"), "Loop": ("body",), "Scan": ("body",)}
STANDARD = ("", "ai.onnx")  # the domain of ONNX's own operators


class Graph:
    """A graph and its constants. around: the graph whose node it is the body of; None for the main one. types: name -> TypeProto, where
    the file says it.
    """

    def __init__(self, proto: Any, around: Graph | None = None) -> None:
        self.proto, self.around = proto, around
        self.types: ChainMap[str, Any] = ChainMap({}, *(around.types.maps if around is not None else ()))
        self.constants: dict[str, Any] = {one.name: one for one in proto.initializer}
        self.sparse: dict[str, Any] = {one.values.name: one for one in proto.sparse_initializer}
        self.makers: dict[str, Any] = {output: node for node in proto.node for output in node.output if output}
        self.inputs = [one.name for one in proto.input if one.name not in self.constants and one.name not in self.sparse]
        self.outputs = [one.name for one in proto.output]
        for value in (*proto.input, *proto.output, *proto.value_info):
            self.types[value.name] = value.type

    def home(self, name: str) -> Graph | None:
        """The graph, this one or one around it, in which the name is defined."""
        there = name in self.constants or name in self.sparse or name in self.makers or name in self.inputs
        return self if there else (self.around.home(name) if self.around is not None else None)

    def constant(self, name: str) -> Any | None:
        """The initializer of that name; None if it is none."""
        home = self.home(name)
        return None if home is None else home.constants.get(name) or home.sparse.get(name)

    def inner(self, body: Any) -> Graph:
        """The body of one of its nodes."""
        return Graph(body, self)


def attributes(node: Any) -> dict[str, Any]:
    """Attribute -> value, of those kinds that an operator's numbers and words have."""
    fields = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings"}
    return {one.name: getattr(one, fields[one.type]) for one in node.attribute if one.type in fields}


def subgraphs(node: Any) -> list[Any]:
    """All graphs in a node's attributes."""
    return [one for each in node.attribute for one in (*([each.g] if each.HasField("g") else []), *each.graphs)]


def bodies(node: Any) -> dict[str, Any]:
    """The graphs that the node's control flow runs, by their names: of If, Loop and Scan alone."""
    if node.domain not in STANDARD or node.op_type not in BODIES:
        return {}
    named = attributes(node)
    return {name: named[name] for name in BODIES[node.op_type] if name in named}


def reads(node: Any) -> Iterator[str]:
    """All names that a node needs from the graph that it is in, those read inside its bodies among them."""
    yield from filter(None, node.input)
    for body in subgraphs(node):
        yield from captured(body)


def captured(body: Any) -> set[str]:
    """What a body reads from outside."""
    own = {one.name for one in (*body.input, *body.initializer)} | {one.values.name for one in body.sparse_initializer}
    own |= {name for node in body.node for name in node.output}
    inside = {name for node in body.node for name in reads(node)} | {one.name for one in body.output}
    return inside - own
