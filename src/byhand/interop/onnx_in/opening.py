"""What is found in a file: its recurrent nodes as byhand's, and why others are left to the runtime."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from byhand.interop.onnx_in.constants import constant
from byhand.interop.onnx_in.graph import STANDARD, Graph, attributes, bodies, subgraphs
from byhand.interop.onnx_in.layers import parts_of
from byhand.interop.onnx_in.node import Node
from byhand.interop.onnx_in.operator import DEFAULTS, UnfitError, operator_of
from byhand.interop.onnx_in.plan import Plan, plan_of

RECURRENT = re.compile("(LSTM|GRU|RNN)", re.IGNORECASE)
WEIGHTS = {"W": 1, "R": 2, "B": 3, "P": 7}  # where each stands among a node's inputs


@dataclass
class Finding:
    """Nodes by name; and title -> why it is left to the runtime. taken: names that no layer may have."""

    model: Any
    taken: set[str]
    nodes: dict[str, Node] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def find(self, graph: Graph, proto: Any) -> Node | None:
        """The byhand node of a node of the file; None for all others, with the reason where it is a recurrent one."""
        if proto.domain in STANDARD and proto.op_type in DEFAULTS:
            title = self.title(proto)
            try:
                node = self.made(graph, proto, title)
            except UnfitError as problem:
                self.left[title] = str(problem)
                return None
            self.nodes[node.name] = node
            return node
        if RECURRENT.search(proto.op_type):
            self.left[self.title(proto)] = f"it is {proto.domain}.{proto.op_type}, none of ONNX's own operators"
        self.leave(proto)
        return None

    def leave(self, proto: Any) -> None:
        """Say of what runs inside another operator than If, Loop and Scan that it is left; and inside a Scan of the first form."""
        inside = subgraphs(proto) if not bodies(proto) else []
        for body in inside:
            for node in body.node:
                if node.domain in STANDARD and node.op_type in DEFAULTS:
                    self.left[self.title(node)] = (
                        f"it is in the body of {proto.op_type}, which byhand does not run step by step"
                    )
                self.leave(node)

    def title(self, proto: Any) -> str:
        """The file's own name of a node, or one by its first output."""
        return proto.name or f"{proto.op_type} of {next(filter(None, proto.output), '?')}"

    def made(self, graph: Graph, proto: Any, title: str) -> Node:
        operator = operator_of(proto.op_type, attributes(proto))
        names = dict(enumerate(proto.input))
        weights: dict[str, Tensor] = {
            name: constant(graph, names[at], self.model)
            for name, at in WEIGHTS.items()
            if names.get(at) and (name != "P" or proto.op_type == "LSTM")
        }
        if not names.get(0):
            raise UnfitError("it has no input X")
        if not {"W", "R"} <= weights.keys():
            raise UnfitError("it has no weights W and R")
        return Node(self.name_for(proto), title, operator, parts_of(operator, weights), weights)

    def name_for(self, proto: Any) -> str:
        """A name for a module and for sites: letters, digits and underscores of the node's own, and no other's."""
        plain = re.sub(r"[^0-9A-Za-z]+", "_", proto.name).strip("_") or proto.op_type.lower()
        name, number = plain, 1
        while name in self.nodes or name in self.taken:
            number += 1
            name = f"{plain}_{number}"
        return name


def opened(model: Any, taken: set[str]) -> tuple[Plan, Finding]:
    """The plan of a model, and what was found in it."""
    finding = Finding(model, taken)
    plan = plan_of(Graph(model.graph), finding.find)
    return plan, finding
