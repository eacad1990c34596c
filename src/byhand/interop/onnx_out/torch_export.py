"""torch.onnx.export of a model whose byhand layers are one node each, byhand::Layer, which is filled in afterwards.

By the exporter that records with torch.jit.trace (dynamo=False): it keeps times and batches free in both layouts, and packed sequences;
torch's other one freezes the length of a time-first nn.LSTM (torch 2.13). Packing and unpacking are nodes of byhand's, too, since torch
can write them around its own layers only.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from byhand.interop.onnx_out.nodes import load
from byhand.nn import LSTM, export

DOMAIN = "byhand"
_modules: ContextVar[list[nn.Module]] = ContextVar("modules")  # those that were met, by the number that their node has
_exporting = threading.RLock()  # the exporter's registry belongs to the process

library = torch.library.Library(DOMAIN, "FRAGMENT")
library.define("onnx_layer(Tensor input, Tensor[] rest, int states, str last, int rank, int number) -> Tensor[]")


@torch.library.impl(library, "onnx_layer", "CompositeExplicitAutograd")
def _run(input: Tensor, rest: list[Tensor], states: int, last: str, rank: int, number: int) -> list[Tensor]:
    """The layer itself. rest: states, then what `last` names: packed (the sizes of batches), reset or lengths; rank: the input's dimensions."""
    module: Any = _modules.get()[number]
    hx: Any = None if not states else rest[0] if states == 1 else tuple(rest[:states])
    if not isinstance(module, LSTM):
        made = module.run(input, hx)
        return [one.clone() for one in ([made] if isinstance(made, Tensor) else made)]
    if last == "lengths":
        output, after = run_lengths(module.run, input, rest[-1], hx, batch_first=module.batch_first)
    else:
        given = PackedSequence(input, rest[-1]) if last == "packed" else input
        output, after = module.run(given, hx, rest[-1] if last == "reset" else None)
    output = output.data if last == "packed" else output
    return [one.clone() for one in (output, *([after] if isinstance(after, Tensor) else after))]


def run_lengths(run: Callable[..., Any], input: Tensor, lengths: Tensor, hx: Any, *, batch_first: bool) -> tuple[Tensor, Any]:
    """A layer on sequences of these lengths; its output is padded with zeros to the input's length."""
    packed = pack_padded_sequence(input, lengths.cpu(), batch_first=batch_first, enforce_sorted=False)
    output, last = run(packed, hx, None)
    steps = input.shape[1 if batch_first else 0]
    return pad_packed_sequence(output, batch_first=batch_first, total_length=steps)[0], last


def recorded(module: Any, input: Tensor | PackedSequence, hx: Any, reset: Tensor | None, lengths: Tensor | None = None) -> Any:
    """What a layer gives, as a node of the recorded model; what byhand.nn.export asks in place of its own answer."""
    packed = input if isinstance(input, PackedSequence) else None
    if packed is not None and reset is not None:
        raise ValueError("export_onnx expected reset=... beside padded input, got a PackedSequence: hand the layer the padded input")
    states = [] if hx is None else [hx] if isinstance(hx, Tensor) else list(hx)
    if packed is not None and packed.sorted_indices is not None:
        states = [one.index_select(1, packed.sorted_indices) for one in states]
    data = input if packed is None else packed.data
    further = {"packed": None if packed is None else packed.batch_sizes, "reset": reset, "lengths": lengths}
    last = next((name for name, value in further.items() if value is not None), "")
    rest = [*states, *(value for value in further.values() if value is not None)]
    made = torch.ops.byhand.onnx_layer(data, rest, len(states), last, data.dim(), numbered(module))
    if not isinstance(module, LSTM):
        return made[0] if len(made) == 1 else tuple(made)
    output, *after = made
    if packed is not None:
        output = PackedSequence(output, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        if packed.unsorted_indices is not None:
            after = [one.index_select(1, packed.unsorted_indices) for one in after]
    return output, after[0] if len(after) == 1 else tuple(after)


def numbered(module: nn.Module) -> int:
    found = _modules.get()
    if module not in found:
        found.append(module)
    return found.index(module)


def layer_symbol(g: Any, input: Any, rest: Any, states: Any, last: Any, rank: Any, number: Any) -> Any:
    """The node, with the ranks of its outputs, which those after it need."""
    from torch.onnx import symbolic_helper  # noqa: PLC0415 (it loads the exporter)

    given = symbolic_helper._unpack_list(rest)
    counts = {"states": states, "rank": rank, "number": number}
    known: dict[str, Any] = {f"{name}_i": int(symbolic_helper._maybe_get_const(value, "i")) for name, value in counts.items()}
    known["last_s"] = symbolic_helper._maybe_get_const(last, "s")
    module: Any = _modules.get()[known["number_i"]]
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
    from torch.onnx import symbolic_helper  # noqa: PLC0415

    first = int(symbolic_helper._maybe_get_const(batch_first, "b"))
    data, sizes = g.op(f"{DOMAIN}::Pack", input, lengths, batch_first_i=first, outputs=2)
    data.setType(input.type().with_sizes([None, *(symbolic_helper._get_tensor_sizes(input) or [None] * 3)[2:]]))
    sizes.setType(lengths.type().with_sizes([None]))
    return data, sizes


def unpack_symbol(g: Any, data: Any, sizes: Any, batch_first: Any, padding_value: Any, total_length: Any) -> Any:
    from torch.onnx import symbolic_helper  # noqa: PLC0415

    first = int(symbolic_helper._maybe_get_const(batch_first, "b"))
    value = float(symbolic_helper._maybe_get_const(padding_value, "f"))
    options = {"batch_first_i": first, "value_f": value}
    padded, lengths = g.op(f"{DOMAIN}::Unpack", data, sizes, total_length, **options, outputs=2)
    padded.setType(data.type().with_sizes([None, None, *(symbolic_helper._get_tensor_sizes(data) or [None] * 2)[1:]]))
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
    with _exporting:
        for name, symbol in SYMBOLS.items():
            torch.onnx.register_custom_op_symbolic(name, symbol, opset)
        try:
            yield
        finally:
            for name in SYMBOLS:
                torch.onnx.unregister_custom_op_symbolic(name, opset)


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
    kept, recorder = _modules.set(found), export.recorder.set(recorded)
    try:
        with symbols(opset), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's age, of sizes that were compared: the file is compared with the model
            torch.onnx.export(
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
        _modules.reset(kept)
    return load("onnx").load_from_string(file.getvalue()), found
