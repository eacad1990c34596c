"""Plan: the order in which a graph is run: stretches of plain nodes by onnxruntime, recurrent nodes by byhand, and the control flow around
recurrent nodes step by step, so that what byhand computes, or an edit changes, is what all that follows gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from byhand.interop.onnx_in import flow
from byhand.interop.onnx_in.graph import Graph, bodies, reads
from byhand.interop.onnx_in.node import Node


@dataclass
class Stretch:
    """Plain nodes, for one session of onnxruntime. inputs: what it reads of what was computed before; outputs: what is read of it later.
    constants: the initializers that it reads.
    """

    nodes: list[Any]
    graph: Graph
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    constants: set[str] = field(default_factory=set)


@dataclass
class Recurrent:
    """A node that byhand computes."""

    node: Node
    proto: Any

    @property
    def outputs(self) -> list[str]:
        return list(self.proto.output)


@dataclass
class Flow:
    """An If, Loop or Scan with a recurrent node inside."""

    proto: Any
    bodies: dict[str, Plan]

    @property
    def outputs(self) -> list[str]:
        return list(self.proto.output)


Step = Stretch | Recurrent | Flow


@dataclass
class Plan:
    """The steps of a graph, in order."""

    graph: Graph
    steps: list[Step]


Finder = Callable[[Graph, Any], Node | None]  # the byhand node of a node of the file; None for a plain one


def plan_of(graph: Graph, find: Finder) -> Plan:
    """In as few stretches as the recurrent nodes allow. find: called once for each node, in the file's order."""
    special = [special_step(graph, node, find) for node in graph.proto.node]
    stages: dict[str, int] = {}  # name -> the first stretch that may read it
    plain: dict[int, list[Any]] = {}
    others: dict[int, list[Step]] = {}
    for node, step in zip(graph.proto.node, special, strict=True):
        stage = max((stages.get(name, 0) for name in reads(node)), default=0)
        if step is None:
            plain.setdefault(stage, []).append(node)
        else:
            others.setdefault(stage, []).append(step)
        stages |= dict.fromkeys(filter(None, node.output), stage + (step is not None))
    steps: list[Step] = []
    for stage in sorted(plain.keys() | others.keys()):
        steps += [Stretch(plain[stage], graph)] if stage in plain else []
        steps += others.get(stage, [])
    return Plan(graph, wanted(graph, steps))


def special_step(graph: Graph, node: Any, find: Finder) -> Step | None:
    """The step of a node that is none of a plain stretch."""
    recurrent = find(graph, node)
    if recurrent is not None:
        return Recurrent(recurrent, node)
    plans = {name: plan_of(graph.inner(body), find) for name, body in bodies(node).items()}
    if not any(holds_recurrent(plan) for plan in plans.values()):
        return None
    flow.check(node, bodies(node))
    return Flow(node, plans)


def holds_recurrent(plan: Plan) -> bool:
    return any(not isinstance(step, Stretch) for step in plan.steps)


def wanted(graph: Graph, steps: list[Step]) -> list[Step]:
    """The steps that something depends on, with what goes in and out of each stretch."""
    needed, kept = set(graph.outputs), []
    for step in reversed(steps):
        if not isinstance(step, Stretch):
            if needed & set(step.outputs):
                needed |= set(needs(step))
                kept.append(step)
            continue
        inside: set[str] = set()
        nodes, outputs = [], []
        for node in reversed(step.nodes):
            own = set(filter(None, node.output))
            if own & (needed | inside):
                outputs += [name for name in node.output if name in needed]
                inside |= set(reads(node))
                nodes.append(node)
        made = {name for node in nodes for name in node.output}
        step.nodes, step.outputs = nodes[::-1], outputs
        step.constants = {name for name in inside - made if graph.constant(name) is not None}
        step.inputs = sorted(inside - made - step.constants)
        needed |= set(step.inputs)
        kept += [step] if nodes else []
    return kept[::-1]


def needs(step: Recurrent | Flow) -> list[str]:
    """What a step reads when it runs; a recurrent node's weights are in its layers."""
    if isinstance(step, Flow):
        return list(reads(step.proto))
    return [name for at, name in enumerate(step.proto.input) if name and at not in (1, 2, 3, 7)]
