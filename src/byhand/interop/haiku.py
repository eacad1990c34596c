"""Haiku's parameters, {"lstm/linear": {"w": ..., "b": ...}}: its LSTM and GRU as byhand's.

Haiku's LSTM adds 1 to the forget gate in its forward pass: that becomes the gate's second bias. Its GRU resets before the recurrent
product and keeps by 1 - z: it is read as cells.gru_reset_before, with the weights of z negated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from byhand.interop.arrays import flattened, tensor_of
from byhand.interop.choosing import chosen
from byhand.interop.layouts import HAIKU_GRU, HAIKU_LSTM
from byhand.interop.stacks import layer_of
from byhand.interop.weights import Layout, read
from byhand.nn import LSTM

LSTM_NAME = re.compile(r"(?:.*/)?lstm(?:_\d+)?", re.DOTALL)  # as Haiku calls an LSTM that has no name of its own
VANILLA = "linear_1/w"


def load(source: Mapping[str, Any], *, prefix: str | None = None) -> LSTM:
    """A recurrent layer in Haiku's parameters, or the one of that name, as byhand's.

    An LSTM has the arrays of a Linear, w and b; it is known by its name, lstm or lstm_1, or by the one given as prefix.
    """
    leaves = flattened(source)
    found = layers_in(leaves, prefix)
    if not found and any(path.endswith(VANILLA) for path in leaves):
        raise ValueError(
            "Haiku's parameters: expected those of an LSTM or GRU, got Linears; a VanillaRNN is relu(W·x + b + U·h + b′): give its four"
            " arrays to byhand.LSTM(cell=cells.with_activations(cells.rnn, candidate='relu'))"
        )
    name = chosen(list(found), prefix, "Haiku's parameters")
    layout = found[name]
    arrays = {array.name: tensor_of(leaves[f"{name}/{array.name}"]) for array in layout.arrays}
    return layer_of(layout.readable(), [read(layout, arrays)])


def layers_in(leaves: Mapping[str, Any], prefix: str | None) -> dict[str, Layout]:
    """Name -> layout."""
    found: dict[str, Layout] = {}
    for path in leaves:
        if path.endswith("/w_h"):
            found[path.removesuffix("/w_h")] = HAIKU_GRU
        elif path.endswith("/linear/w"):
            name = path.removesuffix("/linear/w")
            wanted = prefix is not None and (name == prefix.strip("/") or name.endswith("/" + prefix.strip("/")))
            if LSTM_NAME.fullmatch(name) or wanted:
                found[name] = HAIKU_LSTM
    return found
