"""The parts of the document that describe layers, their weights, the head on top, and the weights of earlier epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from byhand.explorer.document.packing import packed, size
from byhand.nn import parameters
from byhand.nn.layout import dense, shapes

SQUASHINGS = ("none", "softmax", "sigmoid")  # what the page can put the outputs of a head through

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.engine.call import Weights
    from byhand.explorer.document.recording import Recording
    from byhand.nn import LSTM
    from byhand.nn.snapshots import Snapshots

Document = dict[str, Any]


def layer_documents(recording: Recording, *, with_weights: bool) -> list[Document]:
    """Every layer and direction."""
    found = []
    levels = list(dict.fromkeys(map(level_of, recording.places)))
    for number, name in enumerate(recording.places):
        place, lstm, run = recording.place(name), recording.lstm, recording.trace.run(name)
        widths = {
            site: steps.shape[-1] if isinstance(steps, Tensor) else steps[0].shape[-1] for site, steps in run.sites.items()
        }
        output = recording.cell.state[0] if recording.cell is not None else "h"
        known = lstm is not None and place is not None
        hidden = lstm.hidden_size if known and lstm is not None else max(widths.values(), default=1)
        found.append(
            {
                "place": name,
                "layer": levels.index(level_of(name)),
                "reverse": place.reverse if place is not None else name.endswith("reverse"),
                "input": run.input.shape[-1],
                "hidden": hidden,
                "output": ((lstm.proj_size or hidden) if known and lstm is not None else widths.get(output, hidden)),
                "weights": weights_document(lstm, number) if with_weights and lstm is not None else None,
            }
        )
    return found


def level_of(place: str) -> str:
    """What both directions of a layer have in common: "encoder.l1" of "encoder.l1.reverse"."""
    return place.removesuffix(".reverse")


def weights_document(lstm: LSTM, number: int) -> Document:
    """Of the layer and direction with this number in lstm.sublayers."""
    return packed_weights(lstm.cell, parameters.weights(lstm.layer_parameters(lstm.sublayers[number])))


def packed_weights(cell: Cell, weights: Weights) -> Document:
    found: Document = {
        name: None if value is None else packed(value) for name, value in weights._asdict().items() if name != "vectors"
    }
    vectors = zip(cell.vectors, weights.vectors, strict=True)
    return found | {"vectors": {name: packed(value) for name, value in vectors}}


def weights_size(lstm: LSTM) -> int:
    """Characters that all of them take."""
    count = 0
    for place in lstm.sublayers:
        found = parameters.weights(lstm.layer_parameters(place))
        count += sum(value.numel() for value in (*found[:-1], *found.vectors) if isinstance(value, Tensor))
    return size(count, "f8" if next(lstm.parameters()).dtype == torch.float64 else "f4")


def head_document(head: object, names: Sequence[str] | None, *, squash: str, width: int) -> Document | None:
    """A linear layer, or its weight and bias. TypeError, ValueError."""
    if head is None:
        if names is not None or squash != "none":
            raise ValueError("names and squash are of the outputs of a head: give it too, as in head=model.head")
        return None
    if squash not in SQUASHINGS:
        raise ValueError(f"squash: expected one of {', '.join(SQUASHINGS)}; got {squash!r}")
    match head:
        case nn.Linear():
            weight, bias = head.weight, head.bias
        case (Tensor() as weight, Tensor() | None as bias):
            pass
        case _:
            raise TypeError(f"head: expected an nn.Linear, or a tuple of weight and bias; got a {type(head).__name__}")
    if weight.dim() != 2 or weight.shape[1] != width or (bias is not None and bias.shape != weight.shape[:1]):
        shape = tuple(weight.shape), None if bias is None else tuple(bias.shape)
        raise ValueError(f"head: expected a weight (outputs, {width}) and a bias (outputs) or None, got shapes {shape}")
    return {
        "weight": packed(weight),
        "bias": None if bias is None else packed(bias),
        "names": labels("names", names, len(weight), "output"),
        "squash": squash,
    }


def labels(argument: str, given: Sequence[str] | None, count: int, what: str) -> list[str] | None:
    """As words. TypeError, ValueError."""
    if given is None:
        return None
    if isinstance(given, str):
        raise TypeError(f"{argument}: expected a list of {count} words, one for each {what}; got {given!r}")
    words = [str(one) for one in given]
    if len(words) != count:
        raise ValueError(f"{argument}: expected {count}, one for each {what}; got {len(words)}")
    return words


def training_document(
    snapshots: Snapshots, recording: Recording, head: Document | None, budget: int
) -> tuple[Document, str | None]:
    """As many snapshots as fit, evenly chosen, the first and the last among them; and what there is to say of it. ValueError."""
    lstm = recording.lstm
    assert lstm is not None
    if not snapshots.kept:
        raise ValueError("training: expected snapshots, got none: call snapshots.take(epoch, lstm) while it is trained")
    most = max(2, budget // max(1, weights_size(lstm)))
    kept = [snapshots.kept[index] for index in evenly(len(snapshots), most)]
    heads = [snapshot.head for snapshot in kept]
    finite = [one for one in snapshots.losses if math.isfinite(one[1])]
    found = {
        "epochs": [snapshot.epoch for snapshot in kept],
        "losses": [{"epoch": epoch, "loss": loss} for epoch, loss in finite],
        "weights": [state_weights(lstm, snapshot.state) for snapshot in kept],
        "heads": [head_like(head, one) for one in heads if one is not None] if head and all(heads) else None,
    }
    notices = []
    if len(kept) < len(snapshots.epochs):
        notices.append(
            f"of {len(snapshots.epochs)} snapshots of the training, {len(kept)} are here, so that the file stays small"
        )
    if len(finite) < len(snapshots.losses):
        notices.append(f"{len(snapshots.losses) - len(finite)} losses of the training were no finite numbers, and are left out")
    return found, "; ".join(notices) or None


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of the numbers 0 to count - 1, evenly chosen, both ends among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(index * (count - 1) / (most - 1)) for index in range(most)})


def state_weights(lstm: LSTM, state: Mapping[str, Tensor]) -> list[Document]:
    """Of every layer, out of a state_dict. ValueError if it is that of another model."""
    found = []
    for place in lstm.sublayers:
        owner = lstm.layer_parameters(place)
        for name, shape in shapes(owner.cell, owner.sizes).items():
            value = state.get(name + owner.suffix)
            if value is None or tuple(value.shape) != shape:
                got = "none" if value is None else f"shape {tuple(value.shape)}"
                raise ValueError(f"training: expected a snapshot of this model, with {name + owner.suffix} {shape}; got {got}")
        weights = dense(owner.cell, owner.sizes, lambda name, end=owner.suffix: state[name + end])
        found.append(packed_weights(owner.cell, weights))
    return found


def head_like(head: Document, state: Mapping[str, Tensor]) -> Document:
    bias = state.get("bias")
    return head | {"weight": packed(state["weight"]), "bias": None if bias is None else packed(bias)}
