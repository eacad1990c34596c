"""What the tests of byhand.export_onnx share: a written file in onnxruntime beside the module, at sizes that the export did not check."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from byhand import LSTM, export_onnx
from byhand.interop.parity import difference

SIZES = [(4, 1), (4, 6), (11, 1), (11, 6)]  # (time, batch)


def randomised(layer: Any, scale: float = 0.5) -> Any:
    """The layer with all parameters random: gains, biases and vectors, too, which all start alike in some cells."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return layer.eval()


def flat(value: Any) -> list[Tensor]:
    """The tensors in a module's answer, in order."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value
    return [tensor for part in parts for tensor in flat(part)]


def run_file(file: Path, feeds: Mapping[str, Tensor]) -> list[Tensor]:
    """The outputs, by onnxruntime."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(one) for one in session.run(None, {name: value.numpy() for name, value in feeds.items()})]


def worst(
    file: Path, module: nn.Module, given: Callable[[int, int], Mapping[str, Tensor]], call: Callable[..., Any] | None = None
) -> float:
    """The greatest difference at SIZES. given(time, batch): the inputs by name; call: the module as a function of them."""
    found = 0.0
    for time, batch in SIZES:
        feeds = given(time, batch)
        with torch.no_grad():
            ours = flat((call or module)(**feeds))
        theirs = run_file(file, feeds)
        assert len(ours) == len(theirs)
        found = max([found, *(difference(a, b) for a, b in zip(ours, theirs, strict=True))])
    return found


def lengths_for(time: int, batch: int) -> Tensor:
    """Lengths from 1 to all, out of order."""
    return torch.tensor([max(1, (time * (1 + 5 * k)) % (time + 1)) for k in range(batch - 1)] + [time])


def layer_given(layer: LSTM, time: int, batch: int, *, lengths: bool, states: bool) -> dict[str, Tensor]:
    """Inputs for a layer alone."""
    dtype = layer.weight_ih_l0.dtype
    sizes = (batch, time) if layer.batch_first else (time, batch)
    found = {"input": torch.randn(*sizes, layer.input_size, dtype=dtype)}
    if lengths:
        found["lengths"] = lengths_for(time, batch)
    for index, name in enumerate(layer.cell.state if states else ()):
        width = layer.proj_size if layer.proj_size and index == 0 else layer.hidden_size
        found[f"{name}_0"] = torch.randn(len(layer.sublayers), batch, width, dtype=dtype)
    return found


def layer_call(layer: LSTM) -> Callable[..., Any]:
    """A layer alone as its file is called: by torch's own packing where there are lengths."""

    def call(input: Tensor, lengths: Tensor | None = None, **states: Tensor) -> Any:
        first = tuple(states.values()) or None
        hx: Any = first[0] if first and len(first) == 1 else first
        if lengths is None:
            return layer(input, hx)
        packed = pack_padded_sequence(input, lengths, batch_first=layer.batch_first, enforce_sorted=False)
        output, last = layer(packed, hx)
        steps = input.shape[1 if layer.batch_first else 0]
        return pad_packed_sequence(output, batch_first=layer.batch_first, total_length=steps)[0], last

    return call


def assert_layer_exports(
    layer: LSTM, file: Path, limit: float = 1e-5, *, lengths: bool = False, states: bool = False, **options: Any
) -> onnx.ModelProto:
    """Write a layer alone, and hold the file against it. The model that was written."""
    export_onnx(layer, file, lengths=lengths or None, states=states, **options)
    difference_there = worst(
        file,
        layer,
        lambda time, batch: layer_given(layer, time, batch, lengths=lengths, states=states),
        layer_call(layer.eval()),
    )
    assert difference_there <= limit, difference_there
    return onnx.load(file)


def kinds(model: onnx.ModelProto) -> Sequence[str]:
    """The operators of the graph, in order."""
    return [node.op_type for node in model.graph.node]
