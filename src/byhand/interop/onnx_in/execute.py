"""Running a plan: values by name in scopes, sessions of onnxruntime for plain stretches, byhand for recurrent nodes.

Values are numpy's arrays, as onnxruntime takes and gives them; a sequence is a list of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from byhand.errors import LoadError
from byhand.interop.onnx_in import flow
from byhand.interop.onnx_in.graph import Graph
from byhand.interop.onnx_in.node import Given, Node
from byhand.interop.onnx_in.operator import STATES
from byhand.interop.onnx_in.plan import Plan, Recurrent, Stretch
from byhand.interop.onnx_in.runtime import first_line, onnx, refusals, session, values_of
from byhand.interop.onnx_in.values import array, tensor

Listener = Callable[[Node, Given, tuple[Tensor, ...]], None]


class Scope:
    """The values of one run of a graph; names that are not among them are looked up around it."""

    def __init__(self, graph: Graph, values: dict[str, Any], around: Scope | None = None) -> None:
        self.graph, self.values, self.around = graph, values, around

    def value(self, name: str) -> Any:
        """LoadError for a name that has no value."""
        if name in self.values:
            return self.values[name]
        found = self.graph.constants.get(name)
        if found is not None:
            self.values[name] = onnx().numpy_helper.to_array(found)
            return self.values[name]
        if self.around is None:
            raise LoadError(f"the model has no value {name!r}")
        return self.around.value(name)


class Executor:
    """Runs plans of one model. model: the file's, for its opsets. listen: hears every recurrent node."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.sessions: dict[int, tuple[Stretch, Any]] = {}
        self.listen: Listener | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Executor:
        return self  # sessions hold no weights of recurrent nodes, and are not copied

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "sessions": {}, "listen": None}

    def run(self, plan: Plan, values: dict[str, Any], around: Scope | None = None) -> list[Any]:
        """The values of the graph's outputs. values: of its inputs. LoadError for a part that onnxruntime does not load, RuntimeError for
        one that it does not run.
        """
        scope = Scope(plan.graph, values, around)
        for step in plan.steps:
            if isinstance(step, Stretch):
                scope.values |= self.stretch(step, scope)
            elif isinstance(step, Recurrent):
                made = self.recurrent(step, scope)
                scope.values |= {name: value for name, value in zip(step.outputs, made, strict=False) if name}
            else:
                made = flow.RUN[step.proto.op_type](self, step, scope)
                scope.values |= {name: value for name, value in zip(step.outputs, made, strict=True) if name}
        return [scope.value(name) for name in plan.graph.outputs]

    def stretch(self, step: Stretch, scope: Scope) -> dict[str, Any]:
        feeds = {name: scope.value(name) for name in step.inputs}
        known = self.sessions.get(id(step))
        if known is None:
            try:
                known = (step, session(self.part(step, feeds)))
            except refusals() as problem:
                raise LoadError(f"onnxruntime does not load a part of this model: {first_line(problem)}") from problem
            self.sessions[id(step)] = known
        try:
            return values_of(known[1], feeds)
        except refusals() as problem:
            raise RuntimeError(f"onnxruntime could not run a part of this model: {first_line(problem)}") from problem

    def part(self, step: Stretch, feeds: dict[str, Any]) -> Any:
        """The stretch as a model by itself."""
        package, graph = onnx(), step.graph
        inputs = [package.helper.make_value_info(name, self.type_of(name, value, graph)) for name, value in feeds.items()]
        outputs = [package.ValueInfoProto(name=name) for name in step.outputs]
        constants = [graph.constant(name) for name in sorted(step.constants)]
        dense = [one for one in constants if hasattr(one, "dims") and not hasattr(one, "values")]
        sparse = [one for one in constants if hasattr(one, "values")]
        made = package.helper.make_graph(step.nodes, "stretch", inputs, outputs, dense, sparse_initializer=sparse)
        return package.helper.make_model(made, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)

    def type_of(self, name: str, value: Any, graph: Graph) -> Any:
        """What the file says, else the value's own type. LoadError for an empty sequence of which nothing is known."""
        helper, said = onnx().helper, graph.types.get(name)
        if hasattr(value, "dtype"):
            return helper.make_tensor_type_proto(element_type(value), None)
        if said is not None and said.WhichOneof("value") not in (None, "tensor_type"):
            return said
        if isinstance(value, list) and value:
            return helper.make_sequence_type_proto(helper.make_tensor_type_proto(element_type(value[0]), None))
        raise LoadError(f"the type of {name} is not known: expected a tensor, or a sequence whose type the file says")

    def recurrent(self, step: Recurrent, scope: Scope) -> list[Any]:
        """Y, Y_h and Y_c of byhand."""
        names = dict(enumerate(step.proto.input))
        lengths, *initial = (tensor(scope.value(names[at])) if names.get(at) else None for at in (4, 5, 6))
        given = Given(tensor(scope.value(names[0])), lengths, tuple(initial[: len(STATES[step.node.operator.kind])]))
        made = step.node.run(given)
        if self.listen is not None:
            self.listen(step.node, given, made)
        return [array(one) for one in made]


def element_type(array: Any) -> int:
    """ONNX's number of an array's type."""
    if array.dtype.kind in "OUS":
        return onnx().TensorProto.STRING
    return onnx().helper.np_dtype_to_tensor_dtype(array.dtype)
