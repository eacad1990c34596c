"""A layer as one operator of torch's, byhand::onnx_layer, while a model is recorded: it runs the layer, and is a node of the recording."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from byhand.nn import LSTM

DOMAIN = "byhand"
modules: ContextVar[list[nn.Module]] = ContextVar("modules")  # those that were met, by the number that their node has

library = torch.library.Library(DOMAIN, "FRAGMENT")
library.define("onnx_layer(Tensor input, Tensor[] rest, int states, str last, int rank, int number) -> Tensor[]")


@torch.library.impl(library, "onnx_layer", "CompositeExplicitAutograd")
def _run(input: Tensor, rest: list[Tensor], states: int, last: str, rank: int, number: int) -> list[Tensor]:
    """The layer itself. rest: states, then what `last` names: packed (the sizes of batches), reset or lengths. rank: the
    dimensions of the input.
    """
    module: Any = modules.get()[number]
    hx: Any = None if not states else rest[0] if states == 1 else tuple(rest[:states])
    if not isinstance(module, LSTM):
        new = module.run(input, hx)
        return [one.clone() for one in ([new] if isinstance(new, Tensor) else new)]
    if last == "lengths":
        made: tuple[Any, Any] = run_lengths(module.run, input, rest[-1], hx, batch_first=module.batch_first)
    else:
        given = PackedSequence(input, rest[-1]) if last == "packed" else input
        made = module.run(given, hx, rest[-1] if last == "reset" else None)
    output, after = made
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
        raise ValueError(
            "export_onnx expected reset=... beside padded input, got a PackedSequence: hand the layer the padded input"
        )
    states = [] if hx is None else [hx] if isinstance(hx, Tensor) else list(hx)
    if packed is not None and packed.sorted_indices is not None:
        states = [one.index_select(1, packed.sorted_indices) for one in states]
    data: Tensor = input if packed is None else packed.data  # type: ignore[assignment]
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
    found = modules.get()
    if module not in found:
        found.append(module)
    return found.index(module)
