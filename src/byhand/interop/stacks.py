"""A byhand.LSTM from the weights of its layers and directions, and these weights from the layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from byhand.cells import Cell
from byhand.interop.weights import Weights
from byhand.nn import LSTM
from byhand.nn.config import sublayers as sublayers_of
from byhand.nn.reverse import ReverseLSTM


def layer_of(
    cell: Cell, sublayers: Sequence[Mapping[str, Tensor]], *, bidirectional: bool = False, batch_first: bool = False
) -> LSTM:
    """A layer with these weights, its sizes found from them; in training mode, as a new layer is.

    Args:
        cell: what one step computes.
        sublayers: the weights of each layer, and of each direction in it, in the order of layers, forward before reverse; named as
            `weights.read` names them.
        bidirectional: whether every second one reads from the end.
        batch_first: whether input and output are (batch, time, ...).

    Returns:
        The layer. It holds copies; no random number is drawn.

    Raises:
        ValueError: the weights are none of one layer: another number than directions ask for, sizes that do not follow from each
            other, biases in some only, or several dtypes.
    """
    directions = 2 if bidirectional else 1
    if not sublayers or len(sublayers) % directions:
        raise ValueError(
            f"expected the weights of {'pairs of directions' if bidirectional else 'layers'}, got {len(sublayers)}"
        )
    first = sublayers[0]
    projection = first.get("weight_hr")
    config = {
        "input_size": first["weight_ih"].shape[1],
        "hidden_size": first["weight_ih"].shape[0] // len(cell.gates),
        "num_layers": len(sublayers) // directions,
        "bias": "bias_ih" in first,
        "batch_first": batch_first,
        "bidirectional": bidirectional,
        "proj_size": 0 if projection is None else projection.shape[0],
        "dtype": first["weight_ih"].dtype,
    }
    layer = LSTM(device="meta", cell=cell, **config)
    places = sublayers_of(layer.num_layers, bidirectional)
    named = {
        name + place.suffix: value for place, weights in zip(places, sublayers, strict=True) for name, value in weights.items()
    }
    expected, got = ({name: (value.shape, value.dtype) for name, value in one.items()} for one in (layer.state_dict(), named))
    for name in {**expected, **got}:
        if expected.get(name) != got.get(name):
            raise ValueError(f"{name} is {_shown(got.get(name))}, expected {_shown(expected.get(name))} after the first layer")
    copies = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in named.items()}
    layer.load_state_dict(copies, assign=True)
    return layer


def weights_of(layer: LSTM) -> list[Weights]:
    """The weights of each layer and direction of a byhand.LSTM, in the order of its sublayers, without their suffixes.

    Raises:
        TypeError: it is no byhand.LSTM.
        ValueError: it learns its first states, which are in no weight, or reads from the end alone.
    """
    if not isinstance(layer, LSTM):
        raise TypeError(f"expected a byhand.LSTM, got a {type(layer).__name__}: byhand.convert(model) makes one of torch's")
    if isinstance(layer, ReverseLSTM):
        raise ValueError(
            "expected a layer that reads from the start, got one that reads from the end alone, which is not written for other"
            " frameworks: a layer of both directions is"
        )
    if layer.learn_initial_state:
        raise ValueError(
            "expected a layer that starts from zeros, got learn_initial_state=True, which other frameworks do not have"
        )
    found = []
    for place in layer.sublayers:
        own = layer.layer_parameters(place)
        found.append(
            {name.removesuffix(place.suffix): own.get(name.removesuffix(place.suffix)).detach() for name in own.names()}
        )
    return found


def _shown(kind: tuple[torch.Size, torch.dtype] | None) -> str:
    return "missing" if kind is None else f"{tuple(kind[0])} {str(kind[1]).removeprefix('torch.')}"


def stacked(parts: Sequence[LSTM], *, bidirectional: bool = False) -> LSTM:
    """One layer out of several that follow each other, lowest first; with bidirectional=True each pair is the two directions of a layer.

    Raises:
        ValueError: the cells differ, or the sizes do not follow from each other.
    """
    kinds = {part.cell for part in parts}
    if len(kinds) > 1:
        raise ValueError(
            f"expected layers with one cell, got {', '.join(sorted(cell.name for cell in kinds))}: load each by itself"
        )
    both = {part.bidirectional for part in parts}
    if len(both) > 1 or (bidirectional and True in both):
        raise ValueError(
            "expected layers that all have one direction, or all both, got some with both: leave bidirectional out"
        )
    weights = [one for part in parts for one in weights_of(part)]
    if bidirectional and len(weights) > len(parts):
        raise ValueError("expected single layers, forward and reverse in turn, got one with several layers")
    return layer_of(parts[0].cell, weights, bidirectional=bidirectional or True in both, batch_first=parts[0].batch_first)
