"""load_weights: a byhand.LSTM out of a file or a live model of another framework."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from byhand.cells import Cell
from byhand.errors import LoadError
from byhand.interop import paddle, state_dict
from byhand.interop.arrays import flattened, tensor_of
from byhand.interop.layouts import layout_named
from byhand.interop.npz import read_npz
from byhand.interop.stacks import layer_of, stacked
from byhand.interop.weights import Layout, read
from byhand.nn import LSTM
from byhand.nn.config import check_cell_argument

# The package of a live object -> the module here that reads it: load(source, *, prefix=...).
READERS = {
    "keras": "byhand.interop.keras",
    "flax": "byhand.interop.flax",
    **dict.fromkeys(("equinox", "mlx", "tinygrad", "paddle"), "byhand.interop.live"),
}
KERAS = (".keras", ".h5", ".hdf5")
PADDLE = (".pdparams", ".pdopt")


def load_weights(
    source: Any,
    *,
    prefix: str | Sequence[str] | None = None,
    layout: Layout | str | None = None,
    cell: Cell | None = None,
    bidirectional: bool = False,
    batch_first: bool | None = None,
    flipped: bool = False,
) -> LSTM:
    """Read a recurrent layer of another framework, with its weights, as a byhand.LSTM that computes the same.

    Numbers are only moved (docs/carry.md); what cannot be the same is refused, and what concerns training alone, such as dropout, is
    warned of. The sizes, the kind of cell, directions and layers are found in the source.

    Args:
        source: one of these.
            A file: .keras, .weights.h5 and .h5 of Keras; .safetensors; .pt, .pth, .ckpt of torch.save; .npz of numpy, with `layout`.
            A live Keras model or layer (LSTM, GRU, SimpleRNN, their cells, RNN, Bidirectional).
            Flax: a tree of linen parameters, a bound linen module, an nnx module or its state.
            Haiku's parameters.
            A live model or layer of equinox, mlx or paddle, or an LSTMCell of tinygrad; a state_dict of paddle.
            A module or state_dict of torch; also layers of opacus, torchrl, ncps, torchrecurrent, neuralhydrology and xlstm.
            A list of live layers that follow each other, as prefix may name them.
            Arrays by name, with `layout`.
        prefix: the name of the layer where there are several, or its end, as in "encoder.rnn". A list names layers that follow each
            other, lowest first; with bidirectional=True each layer's forward, then reverse direction.
        layout: how arrays by name are laid out, a Layout or the name of one such as "keras.LSTM"; they are called as in its `arrays`,
            after the prefix.
        cell: the cell of a state_dict that is none of torch's, such as cells.peephole.
        bidirectional: whether a list of prefixes, or an .npz's pairs, are two directions.
        batch_first: whether the layer takes (batch, time, ...); None: as the source does.
        flipped: read a layer that reads from the end (Keras's go_backwards=True, Flax's reverse=True); you hand it sequences flipped.

    Returns:
        The layer, with copies of the weights in their dtype.

    Raises:
        TypeError: the source, or an argument, is of another kind.
        ValueError: several layers are there, or none of that name; or byhand has no layer that computes the same, for the reason given.
        LoadError: a ValueError: the same of a file; or it is missing, damaged, or not what its name says.
    """
    if layout is not None and cell is not None:
        raise ValueError("load_weights expected layout or cell, got both: a layout names its cell")
    if cell is not None:
        check_cell_argument(cell)
    if isinstance(source, list | tuple):
        if not source or prefix is not None:
            raise ValueError(
                f"load_weights expected live layers in a list, and no prefix, got {len(source)} and prefix={prefix!r}"
            )
        layer = stacked([one_layer(one, None, layout, cell, flipped) for one in source], bidirectional=bidirectional)
    elif prefix is None or isinstance(prefix, str):
        if bidirectional and layout is None:
            raise ValueError(
                "load_weights expected a list of prefixes with bidirectional=True, got one: leave bidirectional out"
            )
        layer = one_layer(source, prefix, layout, cell, flipped)
    elif isinstance(prefix, Sequence) and prefix and all(isinstance(one, str) for one in prefix):
        parts = [one_layer(source, one, layout, cell, flipped) for one in prefix]
        layer = stacked(parts, bidirectional=bidirectional)
    else:
        raise TypeError(f"load_weights expected prefix to be a name or a list of names, got {prefix!r}")
    if batch_first is not None:
        layer.batch_first = batch_first
    return layer


def one_layer(source: Any, prefix: str | None, layout: Layout | str | None, cell: Cell | None, flipped: bool) -> LSTM:
    """What one prefix names."""
    if layout is not None:
        return of_layout(source, prefix, layout_named(layout) if isinstance(layout, str) else layout)
    if isinstance(source, str | os.PathLike):
        return of_file(Path(source), prefix, cell, flipped)
    if isinstance(source, nn.Module) and package_of(source) not in READERS:
        return refusing_flipped(flipped, state_dict.load_module)(source, prefix=prefix, cell=cell)
    if (reader := READERS.get(package_of(source))) is not None and cell is None:
        return import_module(reader).load(source, prefix=prefix, flipped=flipped)
    if isinstance(source, Mapping):
        return of_mapping(source, prefix, cell, flipped)
    raise TypeError(
        f"load_weights expected a file, a model of Keras, Flax or torch, or weights by name, got a {type(source).__name__}"
    )


def package_of(source: Any) -> str:
    """The package out of READERS that an object's class is of, or derived from; "" if it is of none."""
    packages = [kind.__module__.partition(".")[0] for kind in type(source).__mro__]
    return next((one for one in packages if one in READERS), "")


def of_file(path: Path, prefix: str | None, cell: Cell | None, flipped: bool) -> LSTM:
    """The layer in a file, by the end of its name."""
    if path.is_dir():
        raise LoadError(f"{path}: expected a file, got a folder: byhand.LSTM.from_pretrained reads one of save_pretrained")
    if path.suffix.lower() in KERAS:
        if cell is not None:
            raise ValueError(f"{path}: got cell={cell.name!r}, expected none: a file of Keras says what its layers are")
        return import_module("byhand.interop.keras_files").load(path, prefix=prefix, flipped=flipped)
    if path.suffix.lower() in PADDLE:
        raise LoadError(
            f"{path}: expected numbers alone, got a file of paddle.save, which is a pickle: give what paddle.load returns, or save it as"
            " numpy.savez('weights.npz', **{name: value.numpy() for name, value in layer.state_dict().items()})"
        )
    if path.suffix.lower() == ".npz":
        arrays = read_npz(path)
        try:
            return of_mapping(arrays, prefix, cell, flipped)
        except ValueError as problem:
            raise LoadError(f"{path}: {problem}") from problem
    return refusing_flipped(flipped, state_dict.load_file)(path, prefix=prefix, cell=cell)


def of_mapping(source: Mapping[str, Any], prefix: str | None, cell: Cell | None, flipped: bool) -> LSTM:
    """Weights by name: Flax's are called kernel, Haiku's w, torch's weight_ih."""
    leaves = flattened(source)
    ends = {path.replace(".", "/").rpartition("/")[2] for path in leaves}
    if cell is None and "kernel" in ends:
        return import_module("byhand.interop.flax").load(source, prefix=prefix, flipped=flipped)
    if cell is None and ends & {"w", "w_h"}:
        return refusing_flipped(flipped, import_module("byhand.interop.haiku").load)(source, prefix=prefix)
    if paddle.has_cells(leaves):
        source = paddle.torch_names(leaves)
    elif not any(isinstance(value, Tensor) for value in leaves.values()):
        source = {path.replace("/", "."): tensor_of(value) for path, value in leaves.items() if hasattr(value, "__array__")}
    return refusing_flipped(flipped, state_dict.load)(source, prefix=prefix, cell=cell)


def refusing_flipped(flipped: bool, load: Any) -> Any:
    """The reader, of a source that has no layer which reads from the end alone."""
    if flipped:
        raise ValueError(
            "load_weights expected a layer of Keras or Flax with flipped=True, got weights of another: leave flipped out"
        )
    return load


def of_layout(source: Any, prefix: str | None, layout: Layout) -> LSTM:
    """Arrays by name, in a file or not, of one layer and direction."""
    if not isinstance(layout, Layout):
        raise TypeError(f"load_weights expected layout to be a Layout or the name of one, got a {type(layout).__name__}")
    where = str(source) if isinstance(source, str | os.PathLike) else "the arrays"
    if isinstance(source, str | os.PathLike):
        source = read_npz(source) if Path(source).suffix.lower() == ".npz" else state_dict.read(Path(source))
    if not isinstance(source, Mapping):
        raise TypeError(f"load_weights expected arrays by name with a layout, got a {type(source).__name__}")
    leaves = {path.replace(".", "/"): value for path, value in flattened(source).items()}
    before = "" if prefix is None else prefix.replace(".", "/").strip("/") + "/"
    names = {array.name.replace(".", "/"): array.name for array in layout.arrays}
    own = {path.removeprefix(before): value for path, value in leaves.items() if path.startswith(before)}
    arrays = {names.get(path, path): tensor_of(value) for path, value in own.items()}
    try:
        weights = read(layout, arrays)
        return layer_of(layout.readable(), [weights])
    except ValueError as problem:
        raise (LoadError if where != "the arrays" else ValueError)(f"{where}: {problem}") from problem
