"""Where the weights of a SequenceModel start, other than by torch's rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import nn, tensor

from byhand.nn.layout import rows, shapes
from byhand.nn.parameters import LayerParameters, start_bias, start_parameters

if TYPE_CHECKING:
    from byhand.nn import LSTM


def start(model: nn.Module, lstm: LSTM, init_range: float, gate_biases: Mapping[str, float | Sequence[float]]) -> None:
    """init_range: of all parameters of the model; 0 leaves them. gate_biases: gate -> one number, or one for each row of its own.
    What the cell says of its constants, and the lstm's forget_bias, stay. ValueError.
    """
    if not 0 <= init_range < math.inf:
        raise ValueError(f"SequenceModel expected a finite init_range of at least 0; got {init_range}")
    owners = [lstm.layer_parameters(place) for place in lstm.sublayers]
    if init_range:
        for parameter in model.parameters():
            nn.init.uniform_(parameter, -init_range, init_range)
        for owner in owners:
            start_parameters(owner, lstm.forget_bias)
    for gate, values in gate_biases.items():
        for owner in owners:
            start_bias(owner, gate, tensor(checked(owner, gate, values)))


def checked(owner: LayerParameters, gate: str, given: float | Sequence[float]) -> list[float]:
    """The values as a list: one, or one for each unit or block. ValueError for others, or a gate that the cell has no bias of."""
    cell, has = owner.cell, shapes(owner.cell, owner.sizes)
    if gate not in cell.gates or not {"bias_ih", f"b_{gate}"} & set(has):
        known = ", ".join(one for one in cell.gates if {"bias_ih", f"b_{one}"} & set(has)) or "none"
        raise ValueError(f"gate_biases expected a gate of {cell.name!r} that has a bias ({known}); got {gate!r}")
    count = rows(cell, owner.sizes)[gate]
    values = [given] if isinstance(given, int | float) else given
    if not isinstance(values, Sequence) or len(values) not in {1, count} or not all(map(finite, values)):
        raise ValueError(f"gate_biases: {gate}: expected a finite number, or a list of {count}; got {given!r}")
    return list(values)


def finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
