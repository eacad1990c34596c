"""torch's own: a layer out of a state_dict, a module or a file of weights (.safetensors, .pt), by its prefix; and to_state_dict, back.

Names are torch's, "encoder.rnn.weight_ih_l0"; the sizes and the kind of layer follow from the shapes. Files are never unpickled but as
plain numbers, and nothing in them is run.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from byhand import cells
from byhand.cells import Cell
from byhand.errors import LoadError
from byhand.files.archive import read_archive
from byhand.files.regular_file import read_regular
from byhand.interop import relatives
from byhand.interop.choosing import chosen, shortened
from byhand.interop.computed import plain
from byhand.interop.probing import plain_class, weight_names
from byhand.interop.relatives import relative_of
from byhand.interop.stacks import weights_of
from byhand.interop.torch_names import KINDS, State, layer_of_state, layers_in, tensors_in
from byhand.nn import LSTM
from byhand.nn.modes import evaluating

MODES = {"LSTM": cells.lstm, "GRU": cells.gru, "RNN_TANH": cells.rnn}
KNOWN = (nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell)
WRONG = (RuntimeError, LookupError, AttributeError, TypeError, ValueError, ArithmeticError)


def load(source: Any, *, prefix: str | None = None, cell: Cell | None = None) -> LSTM:
    """The layer in a state_dict, or in what holds one, that `prefix` names. ValueError."""
    return from_tensors(dict(tensors_in(source)), "the state_dict", prefix, cell)


def load_file(path: str | os.PathLike[str], *, prefix: str | None = None, cell: Cell | None = None) -> LSTM:
    """The layer in a file of weights. LoadError for a file that is none; ValueError where it holds several layers."""
    tensors, named = dict(tensors_in(read(Path(path)))), None if cell is not None else cell_in_header(Path(path))
    if named is not None and hasattr(cells, named) and named not in (one.name for one in KINDS.values()):
        raise LoadError(
            f"{path}: its header says that its cell is {named!r}, not one of torch's: write cell=byhand.cells.{named}"
        )
    return from_tensors(tensors, str(path), prefix, cell, error=LoadError)


def read(path: Path) -> Any:
    """What a file of torch.save or safetensors holds. LoadError."""
    expected = f"{path}: expected a file of weights, of torch.save or safetensors"
    try:
        if path.suffix == ".safetensors":
            import safetensors.torch  # noqa: PLC0415 (import byhand stays light)

            return safetensors.torch.load(read_regular(path))
        return read_archive(path, older=True)
    except OSError as problem:
        raise LoadError(f"{expected}, got nothing that can be read: {problem.strerror or problem}") from problem
    except LoadError as problem:
        raise LoadError(f"{expected}, got {problem}") from problem
    except Exception as problem:
        if type(problem).__name__ != "SafetensorError" and not isinstance(problem, WRONG):
            raise
        raise LoadError(f"{expected}, got one that is damaged ({problem})") from problem


def cell_in_header(path: Path) -> str | None:
    """What a .safetensors file that was read says of its cell, as those of `byhand play` do; None if it says nothing."""
    if path.suffix != ".safetensors":
        return None
    data = read_regular(path)
    words = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
    return words.get("cell")


def from_tensors(
    tensors: Mapping[str, Tensor], where: str, prefix: str | None, cell: Cell | None, *, error: type[ValueError] = ValueError
) -> LSTM:
    """The layer among these tensors that `prefix` names."""
    try:
        tensors = plain(tensors)
    except ValueError as problem:
        raise error(f"{where}: {problem}") from problem
    found = layers_in(tensors)
    if not found and prefix is None:
        names = shortened(list(tensors)) or "none"
        raise error(
            f"{where}: expected tensors called weight_ih_l0 or weight_ih, as torch calls those of a recurrent layer, got {names}"
        )
    name = chosen(list(found), prefix, where, error=error)
    return layer_from(name, found[name], where, cell, error=error)


def layer_from(name: str, state: State, where: str, cell: Cell | None, *, error: type[ValueError] = ValueError) -> LSTM:
    """The layer of these parameters. `error` if they are none."""
    try:
        layer = layer_of_state(state, cell)
    except WRONG as problem:
        said = " ".join(str(problem).split())
        raise error(
            f"{where}: expected {name or 'the layer'} to have the parameters of an LSTM, GRU or RNN as torch lays them out, got"
            f" {shortened(list(state))} ({said}); of another cell of byhand: write cell=..."
        ) from problem
    if cell is None and layer.cell is cells.rnn:
        warnings.warn(
            f"{where}: {name or 'the layer'} is read as an RNN with tanh; one with relu has the same weights",
            UserWarning,
            stacklevel=2,
        )
    return layer


def load_module(module: nn.Module, *, prefix: str | None = None, cell: Cell | None = None) -> LSTM:
    """The recurrent layer of torch's or byhand's, or the one of that name, in a module; and, where there is none, in its state_dict."""
    found = dict(layers_of(module))
    if not found or cell is not None:
        return load(module.state_dict(), prefix=prefix, cell=cell)
    name = chosen(list(found), prefix, f"the {type(module).__name__}")
    one, where = found[name], f"{name or 'the layer'}, a {type(found[name]).__name__}"
    if (relative := relative_of(one)) is not None:
        return relatives.load(one, relative)
    if getattr(one, "nonlinearity", "tanh") != "tanh":
        cell = cells.with_activations(cells.rnn, candidate=one.nonlinearity)  # type: ignore[arg-type]
    elif isinstance(one, LSTM):
        cell = one.cell
    else:
        cell = MODES.get(getattr(one, "mode", ""), {nn.LSTMCell: cells.lstm, nn.GRUCell: cells.gru}.get(root(one), cells.rnn))
    with torch.no_grad(), evaluating(one):
        pruned = plain({own: value for own, value in one.state_dict().items() if "." not in own})
        state = {own: (pruned[own] if own in pruned else getattr(one, own)).detach() for own in weight_names(one)}
        state |= {own: value.detach() for own, value in one.named_parameters() if own.startswith("initial_")}
    if root(one) is not plain_class(one) and not isinstance(one, LSTM):
        warnings.warn(f"{where}: only the weights are read; what its class computes besides is not", UserWarning, stacklevel=2)
    single = isinstance(one, nn.RNNCellBase)
    layer = layer_from(name, {own + "_l0" * single: value for own, value in state.items()}, where, cell)
    layer.batch_first, layer.dropout = bool(getattr(one, "batch_first", False)), float(getattr(one, "dropout", 0.0))  # type: ignore[arg-type]
    return layer


def layers_of(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Path -> layer, of torch, byhand and the relatives; nothing inside of one of them."""
    if isinstance(module, (*KNOWN, LSTM)) or relative_of(module) is not None:
        yield path, module
        return
    for name, child in module.named_children():
        yield from layers_of(child, f"{path}.{name}" if path else name)


def root(module: nn.Module) -> type[nn.Module] | None:
    """The class of torch.nn that a module is."""
    return next((known for known in KNOWN if isinstance(module, known)), None)


def to_state_dict(layer: LSTM, *, prefix: str = "") -> dict[str, Tensor]:
    """Write a byhand.LSTM as the state_dict of torch.nn.LSTM, GRU or RNN inside a model: the inverse of load_weights.

    Args:
        layer: the layer; its cell is lstm, gru or rnn.
        prefix: where in the model the layer is, as in "encoder.rnn."; a dot at its end may be left out.

    Returns:
        Names as torch's, with the prefix, -> copies of the weights, bit for bit.

    Raises:
        TypeError: `layer` is no byhand.LSTM.
        ValueError: torch has no layer that computes the same: another cell, learnt first states, or a projection of a GRU or RNN.
    """
    weights_of(layer)
    if layer.cell not in MODES.values():
        raise ValueError(
            f"to_state_dict expected a cell that torch has a layer for, lstm, gru or rnn, got {layer.cell.name!r}: layer.state_dict()"
            " has its weights, which byhand alone can run"
        )
    if layer.proj_size and layer.cell is not cells.lstm:
        raise ValueError(
            f"to_state_dict expected no projection, which torch has in an LSTM only, got {layer.cell.name!r} with one"
        )
    before = prefix if not prefix or prefix.endswith(".") else f"{prefix}."
    return {before + name: value.detach().clone() for name, value in layer.state_dict().items()}
