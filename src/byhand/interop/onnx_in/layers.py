"""The byhand layers of an operator: its W, R, B and P under byhand's names, exactly, by reordering rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from byhand.interop.onnx_in.operator import PEEPHOLES, ROWS, Operator, UnfitError
from byhand.nn import LSTM
from byhand.nn.layout import Sizes, shapes
from byhand.nn.reverse import ReverseLSTM

KINDS = {torch.float32: torch.float32, torch.float64: torch.float64, torch.float16: torch.float32}  # of a file -> of the layer


class Part(NamedTuple):
    """A layer that computes some of an operator's directions, in order."""

    layer: LSTM
    directions: tuple[int, ...]


def parts_of(operator: Operator, weights: Mapping[str, Tensor]) -> list[Part]:
    """One layer; two, one for each direction, where the directions' cells differ. weights: W, R and, where there are, B and P.

    UnfitError for shapes and number types that do not fit the operator.
    """
    inputs, hidden = check(operator, weights)
    peepholes = "P" in weights
    cells = [operator.cell(at, peepholes=peepholes) for at in range(len(operator.directions))]
    together = [tuple(range(len(cells)))] if all(one == cells[0] for one in cells) else [(at,) for at in range(len(cells))]
    found = []
    for directions in together:
        reverse = operator.directions[directions[0]]
        options: dict[str, Any] = {"bias": "B" in weights, "cell": cells[directions[0]], "dtype": KINDS[weights["W"].dtype]}
        layer = (
            ReverseLSTM(inputs, hidden, **options)
            if reverse
            else LSTM(inputs, hidden, bidirectional=len(directions) > 1, **options)
        )
        for sublayer, at in zip(layer.sublayers, directions, strict=True):
            named = direction_weights(operator.kind, layer, {name: value[at] for name, value in weights.items()})
            with torch.no_grad():
                for name, value in named.items():
                    getattr(layer, name + sublayer.suffix).copy_(value)
        found.append(Part(layer.requires_grad_(False).eval(), directions))
    return found


def check(operator: Operator, weights: Mapping[str, Tensor]) -> tuple[int, int]:
    """The sizes of input and hidden state. UnfitError."""
    kind, rows = operator.kind, len(ROWS[operator.kind])
    types = {value.dtype for value in weights.values()}
    if len(types) > 1 or not types <= KINDS.keys():
        raise UnfitError(
            f"its weights are of {', '.join(sorted(str(one).removeprefix('torch.') for one in types))}: expected one float type"
        )
    if weights["W"].dim() != 3 or weights["R"].dim() != 3:
        raise UnfitError(f"W and R have sizes {[*weights['W'].shape]} and {[*weights['R'].shape]}: expected three each")
    directions, hidden, inputs = len(operator.directions), weights["R"].shape[2], weights["W"].shape[2]
    wanted = {
        "W": (directions, rows * hidden, inputs),
        "R": (directions, rows * hidden, hidden),
        "B": (directions, 2 * rows * hidden),
        "P": (directions, 3 * hidden),
    }
    for name, value in weights.items():
        if tuple(value.shape) != wanted[name]:
            raise UnfitError(f"{name} has sizes {[*value.shape]}: expected {[*wanted[name]]} for this {kind}")
        if not bool(value.isfinite().all()):
            raise UnfitError(f"{name} holds values that are not finite")
    if operator.hidden not in (None, hidden):
        raise UnfitError(f"its hidden_size is {operator.hidden}, and R has {hidden} columns")
    if inputs < 1 or hidden < 1:
        raise UnfitError(f"it has {inputs} inputs and {hidden} units: expected at least one of each")
    return inputs, hidden


def direction_weights(kind: str, layer: LSTM, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of one direction, by their names without the layer."""
    hidden, gates, cell = layer.hidden_size, ROWS[kind], layer.cell

    def reordered(rows: Tensor) -> Tensor:
        blocks = dict(zip(gates, rows.split(hidden), strict=True))
        return torch.cat([blocks[gate] for gate in cell.gates])

    found = {"weight_ih": reordered(weights["W"]), "weight_hh": reordered(weights["R"])}
    if "B" in weights:
        found["bias_ih"], found["bias_hh"] = map(reordered, weights["B"].chunk(2))
    if "P" in weights:
        found |= {
            name: value for name, value in zip(PEEPHOLES, weights["P"].split(hidden), strict=True) if name in cell.vectors
        }
    assert found.keys() == shapes(cell, Sizes(layer.input_size, hidden, 0, layer.bias)).keys()
    return found
