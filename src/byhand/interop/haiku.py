"""Haiku's parameters, {"lstm/linear": {"w": ..., "b": ...}}: its LSTM and GRU as byhand's.

Haiku's LSTM adds 1 to the forget gate in its forward pass: that becomes the gate's second bias. Its GRU resets before the recurrent
product and keeps by 1 - z: it is read as cells.gru_reset_before, with the weights of z negated. Its VanillaRNN has a relu.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from byhand import cells
from byhand.interop.arrays import flattened, tensor_of
from byhand.interop.axes import Array, rows
from byhand.interop.choosing import chosen
from byhand.interop.layouts import HAIKU_GRU, HAIKU_LSTM
from byhand.interop.stacks import layer_of
from byhand.interop.weights import Layout, read
from byhand.nn import LSTM

NAMES = re.compile(r"(?:.*/)?(lstm|vanilla_rnn)(?:_\d+)?", re.DOTALL)  # as Haiku calls those that have no name of their own
VANILLA = Layout(  # but for its relu; it is read as cells.with_activations(cells.rnn, candidate="relu")
    "haiku",
    "VanillaRNN",
    "0.0.17",
    cells.rnn,
    (
        Array("linear/w", rows("weight_ih", "n"), "width (slot unit)"),
        Array("linear/b", rows("bias_ih", "n"), "(slot unit)"),
        Array("linear_1/w", rows("weight_hh", "n"), "width (slot unit)"),
        Array("linear_1/b", rows("bias_hh", "n"), "(slot unit)"),
    ),
)


def load(source: Mapping[str, Any], *, prefix: str | None = None) -> LSTM:
    """A recurrent layer in Haiku's parameters, or the one of that name, as byhand's.

    An LSTM has the arrays of a Linear, w and b, and a VanillaRNN those of two: they are known by their names, lstm or lstm_1, vanilla_rnn,
    or by the one given as prefix.
    """
    leaves = flattened(source)
    found = layers_in(leaves, prefix)
    name = chosen(list(found), prefix, "Haiku's parameters")
    layout = found[name]
    arrays = {array.name: tensor_of(leaves[path]) for array in layout.arrays if (path := f"{name}/{array.name}") in leaves}
    if layout is not VANILLA:
        return layer_of(layout.readable(), [read(layout, arrays)])
    arrays.setdefault("linear_1/b", torch.zeros_like(arrays["linear/b"]))  # double_bias=False
    return layer_of(cells.with_activations(cells.rnn, candidate="relu"), [read(layout, arrays)])


def layers_in(leaves: Mapping[str, Any], prefix: str | None) -> dict[str, Layout]:
    """Name -> layout."""
    found: dict[str, Layout] = {}
    for path in leaves:
        if path.endswith("/w_h"):
            found[path.removesuffix("/w_h")] = HAIKU_GRU
        elif path.endswith("/linear/w"):
            name = path.removesuffix("/linear/w")
            wanted = prefix is not None and (name == prefix.strip("/") or name.endswith("/" + prefix.strip("/")))
            if NAMES.fullmatch(name) or wanted:
                found[name] = VANILLA if f"{name}/linear_1/w" in leaves else HAIKU_LSTM
    return found
