"""The certificate of a model: every recurrent node on its true input, byhand beside onnxruntime; and the outputs of the whole model.

A node is compared with a model of that one node, whose numbers for activations are written out and whose layout is 0, since onnxruntime
does not run layout 1, nor float64. What it is known to compute otherwise than the operator's text says is left out of the differences and
named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from byhand.interop.onnx_in.constants import RANDOM
from byhand.interop.onnx_in.graph import subgraphs
from byhand.interop.onnx_in.node import Given, Node
from byhand.interop.onnx_in.operator import DIRECTIONS, STATES
from byhand.interop.onnx_in.runtime import first_line, onnx, refusals, session, values_of
from byhand.interop.onnx_in.values import array, tensor
from byhand.interop.parity import ParityReport, difference, relative, scale_of, versions_of

TOLERANCE = 1e-5
OPSET = 14  # in which every attribute and input of these operators is, and which all versions of onnxruntime have


@dataclass
class Comparison:
    """Collects what differs, node by node. sessions: of single nodes."""

    values: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    known: bool = False  # whether anything was left out
    sessions: dict[str, Any] = field(default_factory=dict)

    def hear(self, node: Node, given: Given, made: tuple[Tensor, ...]) -> None:
        """Compare one call of a node. A node that is called again keeps its greatest differences."""
        ours = [one.float() for one in made]
        theirs = self.runtime(node, given)
        names = ("Y", "Y_h", "Y_c")[: len(made)]
        for name, one, other in zip(names, ours, theirs, strict=True):
            value = self.without_known(node, name, one, other, given)
            self.values[f"{node.name}.{name}"] = max(self.values.get(f"{node.name}.{name}", 0.0), value)
        for note in said_of(node):
            self.known = True
            self.note(note)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def compare(self, name: str, ours: Tensor, theirs: Tensor) -> float:
        """The greatest difference; of values beyond 1 relative to the greatest of them, and with a note."""
        if scale_of(theirs) > 1:
            self.note(f"{name}: relative to its greatest value")
        return relative(ours, theirs)

    def runtime(self, node: Node, given: Given) -> list[Tensor]:
        """What onnxruntime makes of the same numbers, laid out as the file has it. RuntimeError if it refuses them."""
        time_first = [
            None if one is None else swapped(one) if node.operator.batch_first else one for one in (given.x, *given.initial)
        ]
        x, *initial = time_first
        assert x is not None
        feeds = {"X": array(x.float())}
        if given.lengths is not None:
            feeds["lens"] = array(given.lengths.int())
        feeds |= {f"initial_{name}": array(one.float()) for name, one in zip("hc", initial, strict=False) if one is not None}
        try:
            one = self.sessions.get(node.name)
            if one is None or {each.name for each in one.get_inputs()} != feeds.keys():
                one = self.sessions[node.name] = session(single(node, feeds))
            made = values_of(one, feeds)
        except refusals() as problem:
            raise RuntimeError(f"onnxruntime does not run {node.title} by itself: {first_line(problem)}") from problem
        found = [tensor(made[name]) for name in ("Y", "Y_h", "Y_c") if name in made]
        if not node.operator.batch_first:
            return found
        return [found[0].permute(2, 0, 1, 3), *(one.transpose(0, 1) for one in found[1:])]

    def without_known(self, node: Node, name: str, ours: Tensor, theirs: Tensor, given: Given) -> float:
        """The difference; of last states, where sequences of length 0 alone differ, of all others, with a note."""
        title, batch = f"{node.name}.{name}", 0 if node.operator.batch_first else 1
        empty = torch.zeros(ours.shape[batch], dtype=torch.bool) if given.lengths is None or name == "Y" else given.lengths == 0
        if difference(ours, theirs) <= TOLERANCE or not bool(empty.any()):
            return self.compare(title, ours, theirs)
        there, rest = (
            [one.index_select(batch, which.nonzero().flatten()) for one in (ours, theirs)] for which in (empty, ~empty)
        )
        self.known = True
        self.note(
            f"{title} of sequences of length 0 is the first state, since no step is computed; onnxruntime gives"
            f" {'0' if not bool(there[1].any()) else 'something else'} (difference {difference(*there):.1e}, left out above)"
        )
        return self.compare(title, *rest)


def said_of(node: Node) -> list[str]:
    """What is known of onnxruntime and this node before it is run."""
    operator, dtype = node.operator, node.weights["W"].dtype
    found = [f"{node.name}: {one}; compared with alpha written out" for one in operator.differs]
    if operator.batch_first:
        found.append(f"{node.name}: onnxruntime refuses layout=1; compared in layout 0")
    if dtype == torch.float64:
        found.append(f"{node.name}: onnxruntime has no float64 for it; compared in float32")
    if dtype == torch.float16:
        found.append(f"{node.name}: its weights are float16; compared in float32")
    return found


def swapped(value: Tensor) -> Tensor:
    """The first two dimensions the other way round."""
    return value.transpose(0, 1).contiguous()


def single(node: Node, feeds: dict[str, Any]) -> Any:
    """A model of the one node: every number written out, layout 0, float32."""
    package, operator = onnx(), node.operator
    helper, float32, int32 = package.helper, package.TensorProto.FLOAT, package.TensorProto.INT32
    flat = [one for several in operator.activations for one in several]
    named: dict[str, Any] = {"hidden_size": node.hidden, "activations": [one.onnx[0] for one in flat]}
    named["direction"] = next(name for name, each in DIRECTIONS.items() if each == operator.directions)
    alpha, beta = ([number for one in flat for number in one.onnx[1][at : at + 1]] for at in (0, 1))
    named |= {name: value for name, value in (("activation_alpha", alpha), ("activation_beta", beta)) if value}
    named |= {"clip": operator.clip} if operator.clip is not None else {}
    named |= {"input_forget": 1} if operator.input_forget else {}
    named |= {"linear_before_reset": 1} if operator.linear_before_reset else {}
    given = {"lens": "lens", "initial_h": "initial_h", "initial_c": "initial_c"}
    order = ["X", "W", "R", "B", *given, "P"][: 8 if operator.kind == "LSTM" else 6]
    inputs = [name if name in feeds or name in node.weights else "" for name in order]
    outputs = ["Y", "Y_h", "Y_c"][: 1 + len(STATES[operator.kind])]
    constants = [
        helper.make_tensor(name, float32, value.shape, array(value.float().contiguous()).tobytes(), raw=True)
        for name, value in node.weights.items()
    ]
    kinds = {name: int32 if name == "lens" else float32 for name in feeds}
    graph = helper.make_graph(
        [helper.make_node(operator.kind, inputs, outputs, **named)],
        "node",
        [helper.make_value_info(name, helper.make_tensor_type_proto(kind, None)) for name, kind in kinds.items()],
        [package.ValueInfoProto(name=name) for name in outputs],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def compare_outputs(
    comparison: Comparison, model: Any, names: Sequence[str], ours: Sequence[Any], feeds: dict[str, Any]
) -> None:
    """The whole model's outputs, byhand's and onnxruntime's own; a note in their place where onnxruntime does not run the model, or draws
    random numbers. A value beyond 1 is compared relative to the greatest of its tensor.
    """
    random = sorted(random_in(model.graph))
    if random:
        comparison.note(f"the outputs are not compared: {', '.join(random)} draws random numbers")
        return
    if comparison.known:
        comparison.note("the outputs are not compared, since they follow from what is named above")
        return
    try:
        theirs = values_of(session(model), feeds)
    except refusals() as problem:
        comparison.note(f"the outputs are not compared: onnxruntime does not run the whole model ({first_line(problem)})")
        return
    for name, one in zip(names, ours, strict=True):
        if not hasattr(one, "dtype") or one.dtype.kind not in "fiub":
            comparison.note(f"output {name} is not compared: it is no tensor of numbers")
            continue
        comparison.values[f"output {name}"] = comparison.compare(f"output {name}", tensor(one), tensor(theirs[name]))


def random_in(graph: Any) -> set[str]:
    """The operators in a graph, and in those inside, that draw random numbers."""
    found = {node.op_type for node in graph.node if node.op_type in RANDOM and node.op_type != "Dropout"}
    return found.union(*(random_in(body) for node in graph.node for body in subgraphs(node)))


def report(comparison: Comparison, title: str) -> ParityReport:
    """ValueError if no recurrent node ran."""
    if not comparison.values:
        raise ValueError(f"model.certificate expected a recurrent node to run on this input of {title}, and none did")
    packages = versions_of(["onnx", "onnxruntime"])
    return ParityReport(f"{title} against onnxruntime", comparison.values, TOLERANCE, packages, tuple(comparison.notes))
