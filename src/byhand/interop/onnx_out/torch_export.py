"""torch.onnx.export of a model whose byhand layers are one node each, byhand::Layer, which is filled in afterwards.

By the exporter that records with torch.jit.trace (dynamo=False): it keeps times and batches free in both layouts, and packed sequences;
torch's other one freezes the length of a time-first nn.LSTM (torch 2.13). Packing and unpacking are nodes of byhand's, too, since torch
can write them around its own layers only.
"""

from __future__ import annotations

import importlib
import io
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from byhand.interop.onnx_out.nodes import load
from byhand.interop.onnx_out.recorded import DOMAIN, modules, recorded
from byhand.nn import LSTM, export

_exporting = threading.RLock()  # the exporter's registry belongs to the process


def symbolic_helper() -> Any:
    """What torch's exporter has for those who add to it; loaded late, since it loads the exporter."""
    return importlib.import_module("torch.onnx.symbolic_helper")


def layer_symbol(g: Any, input: Any, rest: Any, states: Any, last: Any, rank: Any, number: Any) -> Any:
    """The node, with the ranks of its outputs, which those after it need."""
    helper = symbolic_helper()
    given = helper._unpack_list(rest)
    counts = {"states": states, "rank": rank, "number": number}
    known: dict[str, Any] = {f"{name}_i": int(helper._maybe_get_const(value, "i")) for name, value in counts.items()}
    known["last_s"] = helper._maybe_get_const(last, "s")
    module: Any = modules.get()[known["number_i"]]
    shapes = output_shapes(module, known["rank_i"], packed=known["last_s"] == "packed")
    made = g.op(f"{DOMAIN}::Layer", input, *given, **known, outputs=len(shapes))
    for one, shape in zip([made] if len(shapes) == 1 else made, shapes, strict=True):
        one.setType(input.type().with_sizes(shape))
    return g.op("prim::ListConstruct", *([made] if len(shapes) == 1 else made))


def output_shapes(module: Any, rank: int, *, packed: bool) -> list[list[int | None]]:
    """The shapes of outputs and states for an input of this many dimensions; None where they are free."""
    free: list[int | None] = [None] * (rank - 1)
    if not isinstance(module, LSTM):
        return [[*free, module.hidden_size] for _ in module.cell.state]
    width = (module.proj_size or module.hidden_size) * (2 if module.bidirectional else 1)
    batched = packed or rank == 3
    widths = [module.proj_size or module.hidden_size, *[module.hidden_size] * (len(module.cell.state) - 1)]
    states = [[len(module.sublayers), *([None] if batched else []), one] for one in widths]
    return [[*free, width], *states]


def pack_symbol(g: Any, input: Any, lengths: Any, batch_first: Any) -> Any:
    helper = symbolic_helper()
    first = int(helper._maybe_get_const(batch_first, "b"))
    data, sizes = g.op(f"{DOMAIN}::Pack", input, lengths, batch_first_i=first, outputs=2)
    data.setType(input.type().with_sizes([None, *(helper._get_tensor_sizes(input) or [None] * 3)[2:]]))
    sizes.setType(lengths.type().with_sizes([None]))
    return data, sizes


def unpack_symbol(g: Any, data: Any, sizes: Any, batch_first: Any, padding_value: Any, total_length: Any) -> Any:
    helper = symbolic_helper()
    first = int(helper._maybe_get_const(batch_first, "b"))
    value = float(helper._maybe_get_const(padding_value, "f"))
    options = {"batch_first_i": first, "value_f": value}
    padded, lengths = g.op(f"{DOMAIN}::Unpack", data, sizes, total_length, **options, outputs=2)
    padded.setType(data.type().with_sizes([None, None, *(helper._get_tensor_sizes(data) or [None] * 2)[1:]]))
    lengths.setType(sizes.type().with_sizes([None]))
    return padded, lengths


SYMBOLS = {
    f"{DOMAIN}::onnx_layer": layer_symbol,
    "aten::_pack_padded_sequence": pack_symbol,
    "aten::_pad_packed_sequence": unpack_symbol,
}


@contextmanager
def symbols(opset: int) -> Iterator[None]:
    """The exporter knows what stands for layers and for packing inside the block, in all threads."""
    onnx: Any = torch.onnx
    with _exporting:
        for name, symbol in SYMBOLS.items():
            onnx.register_custom_op_symbolic(name, symbol, opset)
        try:
            yield
        finally:
            for name in SYMBOLS:
                onnx.unregister_custom_op_symbolic(name, opset)


def exported(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
    opset: int,
) -> tuple[Any, list[nn.Module]]:
    """The model as ONNX with nodes of byhand's, and the layers that these stand for, by their number."""
    load("onnx")
    file, found = io.BytesIO(), list[nn.Module]()
    kept, recorder = modules.set(found), export.recorder.set(recorded)
    try:
        with symbols(opset), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of the exporter's age, of sizes that were compared: the file is compared with the model
            write: Any = torch.onnx.export
            write(
                module,
                arguments,
                file,
                dynamo=False,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes={name: dict(free) for name, free in axes.items() if free},
                opset_version=opset,
            )
    finally:
        export.recorder.reset(recorder)
        modules.reset(kept)
    return load("onnx").load_from_string(file.getvalue()), found
