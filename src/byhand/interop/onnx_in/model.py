"""open_onnx: a whole ONNX model, with every LSTM, GRU and RNN in it as a byhand layer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from byhand.engine.observe import unwatched
from byhand.errors import LoadError
from byhand.interop.onnx_in.certificate import Comparison, compare_outputs, report
from byhand.interop.onnx_in.execute import Executor
from byhand.interop.onnx_in.given import Input, inputs_of, read_inputs
from byhand.interop.onnx_in.opening import opened
from byhand.interop.onnx_in.reading import read_model
from byhand.interop.onnx_in.runtime import MODEL_BYTES
from byhand.interop.onnx_in.values import given_out
from byhand.nn import LSTM
from byhand.trace.record import record

if TYPE_CHECKING:
    from byhand.interop.parity import ParityReport
    from byhand.trace import Trace


class OnnxModel(nn.Module):
    """An ONNX model whose recurrent nodes are byhand layers; onnxruntime runs the rest, on the CPU. Made by byhand.open_onnx.

    record, edit, explain, plots and explore take it as any module: sites are called NODE.l0.f, NODE.l0.reverse.c. What an edit, or a
    changed weight of a layer, changes is what all later nodes get. No gradient goes through onnxruntime.

    Args:
        title: what it is called in reports.
        proto: a model that is checked.

    Raises:
        LoadError: no LSTM, GRU or RNN in it can be a byhand layer.
    """

    refuses_frozen = "it runs its layers node by node: freeze one of model.layers by itself"

    def __init__(self, title: str, proto: Any) -> None:
        super().__init__()
        self.title = title
        try:
            plan, finding = opened(proto, {*dir(self), "title"})
        except LoadError as problem:
            raise LoadError(f"{title}: {problem}") from problem
        if not finding.nodes:
            why = "".join(f"; {name}: {reason}" for name, reason in finding.left.items()) or ", and this one has none"
            raise LoadError(f"{title}: expected an LSTM, GRU or RNN of ONNX's own operators{why}")
        self._plan, self._nodes, self._left = plan, finding.nodes, finding.left
        self._executor = Executor(proto)
        self._inputs = inputs_of(proto.graph, plan.graph.inputs)
        self._last: dict[str, Any] | None = None
        self._certificate: ParityReport | None = None
        self._versions: list[tuple[Tensor, int]] = []  # the inputs of the last run, and how often each had been written to
        for name, node in finding.nodes.items():
            for part in node.parts:
                self.add_module(layer_name(name, part.directions, len(node.parts)), part.layer)
        self.eval()

    @property
    def layers(self) -> dict[str, LSTM]:
        """Name -> layer, in the file's order; the name is that of the sites, before ".l0". A node whose directions have different cells
        has two, NODE_forward and NODE_reverse.
        """
        return {name: module for name, module in self._modules.items() if isinstance(module, LSTM)}

    @property
    def titles(self) -> dict[str, str]:
        """Name of a layer -> what the file calls its node."""
        return {
            layer_name(name, part.directions, len(node.parts)): node.title
            for name, node in self._nodes.items()
            for part in node.parts
        }

    @property
    def left(self) -> dict[str, str]:
        """Recurrent nodes that onnxruntime runs, and why."""
        return dict(self._left)

    @property
    def inputs(self) -> list[Input]:
        """The inputs that the model takes: name, number type, sizes."""
        return list(self._inputs)

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs."""
        return list(self._plan.graph.outputs)

    def forward(self, /, *inputs: Any, **named: Any) -> dict[str, Any]:
        """Run the model.

        Args:
            *inputs: tensors or arrays in the file's order; or one mapping of them by name.
            **named: inputs by name.

        Returns:
            Output name -> tensor; an array where it is text, a list where it is a sequence.

        Raises:
            TypeError: an input is of another type; the message says which inputs there are.
            ValueError: an input is missing, not known, or of other sizes than the file or a node says.
            LoadError: onnxruntime does not load a part of the model.
            RuntimeError: onnxruntime does not run a part of it.
        """
        feeds = read_inputs(self._inputs, inputs, named)
        self._last, self._certificate = feeds, None
        self._versions = [(one, one._version) for one in tensors_in((inputs, named))]
        made = self._executor.run(self._plan, dict(feeds))
        return dict(zip(self.outputs, given_out(made, feeds.values()), strict=True))

    def run(self, /, *inputs: Any, **named: Any) -> tuple[dict[str, Any], Trace]:
        """Run the model, and record every value of every layer.

        Args:
            *inputs: as in a call of the model.
            **named: as in a call of the model.

        Returns:
            The outputs by name, and the trace.

        Raises:
            TypeError: as a call of the model.
            ValueError: as a call of the model.
            LoadError: as a call of the model.
            RuntimeError: as a call of the model.
        """
        with record(self) as trace:
            outputs = self(*inputs, **named)
        return outputs, trace

    @property
    def certificate(self) -> ParityReport:
        """How far byhand is from onnxruntime on the input of the last run: Y, Y_h and Y_c of every node on its true input, and the outputs.

        What onnxruntime is known to compute otherwise than the operator's text is named in the notes. Computed when it is first read
        after a run, without the edits that are open. RuntimeError before the first run, if its input was written over since, or if
        onnxruntime refuses a node; ValueError if no recurrent node ran.
        """
        if self._last is None:
            raise RuntimeError("model.certificate expected a run before it: model.run(inputs)")
        if self._certificate is None:
            if any(one._version != version for one, version in self._versions):
                raise RuntimeError(
                    "model.certificate expected the input of the last run, which was written over since: run it again"
                )
            with unwatched():
                self._certificate = self._certify(self._last)
        return self._certificate

    def _certify(self, feeds: dict[str, Any]) -> ParityReport:
        comparison = Comparison()
        self._executor.listen = comparison.hear
        try:
            made = self._executor.run(self._plan, dict(feeds))
        finally:
            self._executor.listen = None
        compare_outputs(comparison, self._executor.model, self.outputs, made, feeds)
        return report(comparison, self.title)

    def extra_repr(self) -> str:
        """Inputs, outputs, and what is left to the runtime."""
        lines = [f"inputs: {'; '.join(map(str, self._inputs))}", f"outputs: {', '.join(self.outputs)}"]
        return "\n".join([*lines, *(f"left: {name}: {why}" for name, why in self._left.items())])


def layer_name(node: str, directions: tuple[int, ...], parts: int) -> str:
    """Of a node's one layer, the node's name; of two, with the direction."""
    return node if parts == 1 else f"{node}_{'reverse' if directions[0] else 'forward'}"


def tensors_in(given: Any) -> Iterator[Tensor]:
    """All tensors in tuples, lists and mappings."""
    if isinstance(given, Tensor):
        if not given.is_inference():  # which has no version
            yield given
    elif isinstance(given, tuple | list):
        for one in given:
            yield from tensors_in(one)
    elif isinstance(given, Mapping):
        yield from tensors_in(list(given.values()))


def open_onnx(file: str | os.PathLike[str], *, most: int = MODEL_BYTES) -> OnnxModel:
    """Open a whole ONNX model: every LSTM, GRU and RNN in it becomes a byhand layer, onnxruntime runs the rest.

    Nodes inside If, Loop and Scan are among them. A node has everything that the operator's text gives it: directions, sequence_lens,
    first states, peepholes, clip, input_forget, activations with alpha and beta, linear_before_reset and layout. A node that cannot be a
    byhand layer, such as one whose weights are computed from the input, is run by onnxruntime: model.left says why.

    Args:
        file: the model. It is read without running code; numbers in other files have to lie in its folder.
        most: the most bytes that the file and those numbers may have together.

    Returns:
        The model: model.run(inputs) gives outputs and a trace, model.layers the layers, model.certificate the differences to onnxruntime.

    Raises:
        LoadError: a file that is missing, damaged, larger, no ONNX model, or without a recurrent node that byhand can be.
        ModuleNotFoundError: onnx or onnxruntime is not installed.
    """
    return OnnxModel(Path(file).name, read_model(file, most))
