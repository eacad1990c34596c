"""How a model and the layer in it were called: what the page's Python text needs to do the same again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from byhand.explain.execution import taken
from byhand.nn import LSTM


class Given(NamedTuple):
    """What a layer was handed: its input, its first states or None, and whether sequences start again in it."""

    layer: LSTM
    input: Tensor | PackedSequence
    states: Any
    reset: bool


@contextmanager
def listening(layer: LSTM | None) -> Iterator[list[Given]]:
    """A list of the layer's calls inside the block."""
    calls: list[Given] = []
    if layer is None:
        yield calls
        return

    def hear(module: LSTM, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        found = dict(zip(("input", "hx"), given, strict=False)) | dict(named)
        calls.append(Given(module, found["input"], found.get("hx"), found.get("reset") is not None))

    with layer.register_forward_pre_hook(hear, with_kwargs=True):
        yield calls


@contextmanager
def head_inputs(model: Any, head: Any) -> Iterator[list[Tensor]]:
    """What the head is handed inside the block, where it is a module of the model's."""
    heard: list[Tensor] = []
    if not isinstance(head, nn.Module) or not isinstance(model, nn.Module):
        yield heard
        return

    def hear(module: nn.Module, given: tuple[Any, ...]) -> None:
        if given and isinstance(given[0], Tensor):
            heard.append(given[0].detach())

    with head.register_forward_pre_hook(hear):
        yield heard


def call_document(model: nn.Module, x: Any, lengths: Any, given: Given | None) -> dict[str, Any]:
    """For the page, which writes Python text. given: None where the model does not have just one layer stack, or hides its calls.

    around: None if the layer itself was called; else how the model around it takes x. packed, batched, batch_first: of the layer's
    input. lengths: of a padded x that has to be packed first. states: whether first states were given. random: whether the
    model draws anything at random while it is trained.
    """
    if given is None:
        unknown = {"packed": False, "batched": True, "batch_first": False, "lengths": None, "states": False}
        return {"around": taken(model, x), **unknown, "random": True}
    layer, packed = given.layer, isinstance(given.input, PackedSequence)
    return {
        "around": None if model is layer else taken(model, x),
        "packed": packed,
        "batched": isinstance(given.input, PackedSequence) or given.input.dim() == 3,
        "batch_first": layer.batch_first and (not packed or lengths is not None),
        "lengths": None if lengths is None else torch.as_tensor(lengths).tolist(),
        "states": given.states is not None,
        "random": model is not layer or bool(layer.dropout or layer.cell.noise),
    }
