"""Recurrent layers among tensors with torch's names, wherever they stand: those of LSTM, GRU, RNN and LSTMCell, and of byhand's own layers.

What programs save is rarely the state_dict of one layer: it lies under names such as "model_state" beside an optimiser's, its names begin
with "module." or "encoder.rnn.", and there are several. The sizes follow from the shapes, the kind from the rows of weight_ih to each
unit: 4 in an LSTM, 3 in a GRU, 1 in an RNN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from byhand import cells
from byhand.cells import Cell
from byhand.nn import LSTM

State = dict[str, Tensor]
KINDS = {4: cells.lstm, 3: cells.gru, 1: cells.rnn}  # rows to each unit -> cell
FIRST = re.compile(r"(?:(.*)\.)?weight_ih(?:_l0)?", re.DOTALL)
OF_STACK = re.compile(
    r"\w+_l\d+(?:_reverse)?|initial_\w+"
)  # what another cell has besides is among them: it must not be left out
OF_CELL = re.compile(r"\w+")


def tensors_in(content: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors in dicts and lists in each other, with the names on the way there, in dots."""
    if isinstance(content, Tensor):
        yield name, content
    elif isinstance(content, Mapping | list | tuple):
        parts = content.items() if isinstance(content, Mapping) else enumerate(content)
        for key, value in parts:
            yield from tensors_in(value, f"{name}.{key}" if name else str(key))


def layers_in(tensors: Mapping[str, Tensor]) -> dict[str, State]:
    """Name -> own parameters, as LSTM calls them. What is there twice with equal numbers, under two names, is one."""
    found: dict[str, State] = {}
    for first in tensors:
        if (match := FIRST.fullmatch(first)) is None:
            continue
        name, single = match[1] or "", not first.endswith("_l0")
        inside = {
            full[len(name) + 1 if name else 0 :]: value
            for full, value in tensors.items()
            if full.startswith(name and f"{name}.")
        }
        pattern, ending = (OF_CELL, "_l0") if single else (OF_STACK, "")
        own = {own + ending: value for own, value in inside.items() if pattern.fullmatch(own)}
        if not any(equal(own, other) for other in found.values()):
            found[name] = own
    return found


def equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(
        value.shape == other[name].shape and torch.equal(value, other[name]) for name, value in one.items()
    )


def layer_of_state(state: State, cell: Cell | None = None, *, batch_first: bool = False) -> LSTM:
    """The layer of these parameters, with their dtype. Errors of many kinds if they are none.

    cell: None: by the rows of weight_ih to each unit.
    """
    inputs, projection = state["weight_ih_l0"], state.get("weight_hr_l0")
    projected, hidden = (0, hidden_size(state, cell)) if projection is None else projection.shape
    gates = inputs.shape[0] / hidden
    if cell is None and gates not in KINDS:
        raise ValueError(f"{gates:g} rows of weights to each of {hidden} units, where an LSTM has 4, a GRU 3 and an RNN 1")
    layers = 1 + max(int(match[1]) for own in state if (match := re.fullmatch(r"weight_ih_l(\d+)", own)))
    if layers > len(state):
        raise ValueError(f"{layers} layers by their names, with {len(state)} tensors")
    options: dict[str, Any] = {
        "bias": "bias_ih_l0" in state,
        "batch_first": batch_first,
        "bidirectional": "weight_ih_l0_reverse" in state,
        "proj_size": projected,
        "dtype": inputs.dtype,
        "cell": KINDS[int(gates)] if cell is None else cell,
        "learn_initial_state": any(own.startswith("initial_") for own in state),
    }
    kinds = {value.dtype for value in state.values()}
    if kinds != {inputs.dtype} or not inputs.is_floating_point():
        raise ValueError(f"numbers of {', '.join(sorted(str(kind).removeprefix('torch.') for kind in kinds))}")
    lstm = LSTM(inputs.shape[1], hidden, layers, device="meta", **options)
    copies = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}
    lstm.load_state_dict(copies, assign=True)
    return lstm


def hidden_size(state: State, cell: Cell | None) -> int:
    """Units of a layer without a projection."""
    return state["weight_hh_l0"].shape[1] if cell is None else state["weight_ih_l0"].shape[0] // len(cell.gates)
