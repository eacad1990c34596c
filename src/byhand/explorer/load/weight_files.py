"""Recurrent layers in files of weights, wherever in them they stand: as torch names the parameters of LSTM, GRU, RNN and LSTMCell.

What programs save is rarely the state_dict of one layer: it lies under names such as "model_state" beside an optimiser's, its names begin
with "module." or "encoder.rnn.", and there are several. The sizes follow from the shapes, the kind from the rows of weight_ih to each
unit: 4 in an LSTM, 3 in a GRU, 1 in an RNN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from byhand import cells
from byhand.cells import Cell
from byhand.explorer.document.document import counted
from byhand.nn import LSTM

State = dict[str, Tensor]
KINDS = {4: ("nn.LSTM", cells.lstm), 3: ("nn.GRU", cells.gru), 1: ("nn.RNN with tanh", cells.rnn)}
FIRST = re.compile(r"(?:(.*)\.)?weight_ih(?:_l0)?", re.DOTALL)
OF_STACK = re.compile(
    r"\w+_l\d+(?:_reverse)?|initial_\w+"
)  # what another cell has besides is among them: it must not be left out
OF_CELL = re.compile(r"\w+")
SHOWN = 12  # names in a message
HALVES = (torch.float16, torch.bfloat16)


class Found(NamedTuple):
    """A layer out of a file: its name there, and what a reader should know of how it was read."""

    lstm: LSTM
    name: str
    notices: list[str]


def read_layer(path: Path, content: Any, layer: str | None, cell: Cell | None = None) -> Found:
    """The recurrent layer in what a file holds.

    Args:
        path: of the file, for messages.
        content: what it holds: tensors by name, in dicts and lists in each other.
        layer: the layer's name, or the end of it from a dot on, as in "encoder.rnn"; needed where there are several.
        cell: its cell, where that is none of torch's.

    Raises:
        ValueError: which says what is there, and what to type.
    """
    found = layers_in(dict(tensors_in(content)))
    if not found:
        names = [name for name, _ in tensors_in(content)]
        inside = f"among its {counted(len(names), 'tensor')}: {shortened(names)}" if names else "and no tensors at all"
        raise ValueError(
            f"{path}: expected the weights of a recurrent layer, called weight_ih_l0 or weight_ih as torch calls them; got none {inside}"
        )
    name = chosen(path, list(found), layer)
    try:
        return made(name, found[name], cell)
    except (RuntimeError, LookupError, AttributeError, TypeError, ValueError, ZeroDivisionError) as problem:
        said = " ".join(str(problem).split())
        raise ValueError(
            f"{path}: expected {shown(name)} to have the parameters of an LSTM, GRU or RNN as torch lays them out, got"
            f" {shortened(list(found[name]))} ({said}); of another cell: save it with save_pretrained"
        ) from problem


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


def chosen(path: Path, names: list[str], layer: str | None) -> str:
    """The one that is meant. ValueError."""
    if layer is None:
        if len(names) > 1:
            raise ValueError(
                f"{path}: got {len(names)} recurrent layers: choose one, as in --layer {names[0] or repr('')}; there are"
                f" {shortened(names)}"
            )
        return names[0]
    meant = [name for name in names if name == layer] or [name for name in names if name.endswith(f".{layer}")]
    if len(meant) != 1:
        what = f"several, {shortened(meant)}" if meant else f"none; there are {shortened(names)}"
        raise ValueError(f"{path}: --layer {layer}: expected the name of one recurrent layer, got {what}")
    return meant[0]


def shown(name: str) -> str:
    return name or "the layer"


def shortened(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name or "one without a name" for name in names[:SHOWN]) + more


def made(name: str, state: State, cell: Cell | None) -> Found:
    """The layer of these parameters. Errors of many kinds if they are none."""
    state = {own: value.float() if value.dtype in HALVES else value for own, value in state.items()}
    inputs, projection = state["weight_ih_l0"], state.get("weight_hr_l0")
    projected, hidden = (0, hidden_size(state, cell)) if projection is None else projection.shape
    gates = inputs.shape[0] / hidden
    if cell is None and gates not in KINDS:
        raise ValueError(f"{gates:g} rows of weights to each of {hidden} units, where an LSTM has 4, a GRU 3 and an RNN 1")
    kind, usual = KINDS[int(gates)] if cell is None else (cell.name, cell)
    layers = 1 + max(int(match[1]) for own in state if (match := re.fullmatch(r"weight_ih_l(\d+)", own)))
    if layers > len(state):
        raise ValueError(f"{layers} layers by their names, with {len(state)} tensors")
    both = "weight_ih_l0_reverse" in state
    options = {
        "bias": "bias_ih_l0" in state,
        "bidirectional": both,
        "proj_size": projected,
        "dtype": inputs.dtype,
        "cell": usual,
        "learn_initial_state": any(own.startswith("initial_") for own in state),
    }
    LSTM(inputs.shape[1], hidden, layers, device="meta", **options).load_state_dict(state, assign=True)  # do all sizes fit?
    lstm = LSTM(inputs.shape[1], hidden, layers, **options)
    lstm.load_state_dict(state)
    sizes = [counted(inputs.shape[1], "input"), counted(hidden, "unit")] + [f"projected to {projected}"] * bool(projected)
    sizes += [counted(layers, "layer")] * (layers > 1) + ["both directions"] * both
    by_rows = f", by its {gates:g} x {hidden} rows of weights, for the file does not name its kind" if cell is None else ""
    by_rows += "; one with relu has the same" if usual is cells.rnn and cell is None else ""
    return Found(lstm, name, [f"{shown(name)} is read as {kind} ({', '.join(sizes)}){by_rows}"])


def hidden_size(state: State, cell: Cell | None) -> int:
    """Units of a layer without a projection."""
    return state["weight_hh_l0"].shape[1] if cell is None else state["weight_ih_l0"].shape[0] // len(cell.gates)
