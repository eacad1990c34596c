"""What byhand convert reads: a layer out of a file that load_weights or open_onnx opens, or of a folder of save_pretrained."""

from __future__ import annotations

import warnings
from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

from byhand.cells import Cell
from byhand.cells import names as cell_names
from byhand.errors import LoadError
from byhand.interop.choosing import as_option, meant
from byhand.interop.load import load_weights
from byhand.interop.onnx_in.model import open_onnx
from byhand.nn import LSTM
from byhand.nn.pretrained.folder import CONFIG
from byhand.nn.reverse import ReverseLSTM


class Taken(NamedTuple):
    """The layer, and what there is to say of how it was read."""

    layer: LSTM
    notes: list[str]


def read(options: Namespace) -> Taken:
    """The layer that these options name. ValueError, LoadError, OSError, ModuleNotFoundError."""
    path: Path = options.file
    refuse(options)
    cell = None if options.cell is None else typed_cell(options.cell)
    if path.is_dir() and (path / CONFIG).exists():
        return Taken(LSTM.from_pretrained(path, cell=cell), [])
    if path.suffix.lower() == ".onnx":
        return of_onnx(path, options.node)
    prefixes: list[str] = options.prefix
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            layer = load_weights(
                path,
                prefix=prefixes if len(prefixes) > 1 else next(iter(prefixes), None),
                layout=options.layout,
                cell=cell,
                bidirectional=options.bidirectional,
            )
        except ValueError as problem:
            raise type(problem)(as_option(str(problem), "--prefix", ", or several for a stack")) from problem
    return Taken(layer, [str(one.message) for one in said])


def refuse(options: Namespace) -> None:
    """ValueError for options that are of another kind of file."""
    onnx = options.file.suffix.lower() == ".onnx"
    if options.node is not None and not onnx:
        raise ValueError(f"--node: expected an ONNX model (.onnx), got {options.file}: write --prefix {options.node}")
    others = {"prefix": options.prefix, "layout": options.layout, "cell": options.cell, "bidirectional": options.bidirectional}
    given = [name for name, value in others.items() if value]
    if onnx and given:
        raise ValueError(f"--{given[0]}: not of an ONNX model, got {options.file}: --node NAME chooses its layer")
    if options.file.is_dir() and (wrong := [name for name in given if name != "cell"]):
        raise ValueError(f"--{wrong[0]}: not of a folder of save_pretrained, which holds one layer: leave it out")


def of_onnx(path: Path, node: str | None) -> Taken:
    """The layer of one node. LoadError."""
    model = open_onnx(path)
    notes = [f"left to onnxruntime: {name}: {why}" for name, why in model.left.items()]
    names = list(model.layers) if node is None else meant(model.titles, node)
    if len(names) != 1:
        there = ", ".join(model.layers)
        if node is None:
            raise LoadError(
                f"{path}: got {len(names)} recurrent layers: choose one, as in --node {names[0]}; there are {there}"
            )
        raise LoadError(
            f"{path}: --node {node}: expected the name of one layer, got {', '.join(names) or 'none'}; there are {there}"
        )
    layer = model.layers[names[0]]
    if isinstance(layer, ReverseLSTM):
        raise LoadError(
            f"{path}: {names[0]} reads from the end alone, which byhand convert does not write: expected a layer that reads from the"
            f" start, or both ways; in Python: byhand.open_onnx({path.name!r}).layers[{names[0]!r}]"
        )
    return Taken(layer, notes)


def typed_cell(name: str) -> Cell:
    """ValueError if there is no such cell."""
    cell = cell_names.read(name)
    if cell is None:
        raise ValueError(
            f"--cell: expected one of byhand.cells, or what they make, as in 'no_input_gate(peephole)', got {name!r}"
        )
    return cell
