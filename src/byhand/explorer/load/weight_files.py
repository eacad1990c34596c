"""Recurrent layers in files of weights, as the explorer opens them: one is chosen, and a notice says how it was read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch

from byhand import cells
from byhand.cells import Cell
from byhand.explorer.document.document import counted
from byhand.interop.choosing import shortened
from byhand.interop.torch_names import State, layer_of_state, layers_in, tensors_in
from byhand.nn import LSTM

READ_AS = {cells.lstm: "nn.LSTM", cells.gru: "nn.GRU", cells.rnn: "nn.RNN with tanh"}
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


def made(name: str, state: State, cell: Cell | None) -> Found:
    """The layer of these parameters. Errors of many kinds if they are none."""
    lstm = layer_of_state({own: value.float() if value.dtype in HALVES else value for own, value in state.items()}, cell)
    kind = READ_AS[lstm.cell] if cell is None else cell.name
    sizes = [counted(lstm.input_size, "input"), counted(lstm.hidden_size, "unit")]
    sizes += [f"projected to {lstm.proj_size}"] * bool(lstm.proj_size)
    sizes += [counted(lstm.num_layers, "layer")] * (lstm.num_layers > 1) + ["both directions"] * lstm.bidirectional
    rows = f"{len(lstm.cell.gates)} x {lstm.hidden_size} rows of weights"
    by_rows = f", by its {rows}, for the file does not name its kind" if cell is None else ""
    by_rows += "; one with relu has the same" if lstm.cell is cells.rnn and cell is None else ""
    return Found(lstm, name, [f"{shown(name)} is read as {kind} ({', '.join(sizes)}){by_rows}"])
