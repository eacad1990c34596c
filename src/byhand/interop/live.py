"""Live layers of other frameworks, read by their attributes: equinox, mlx, tinygrad and ncps need no more than their Layout.

A layer is known by the name of its class and the package of that class; no framework is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from byhand.interop import arrays, other_layouts
from byhand.interop.stacks import layer_of
from byhand.interop.weights import Layout, read
from byhand.nn import LSTM

CLASSES: dict[tuple[str, str], Layout] = {
    ("equinox", "LSTMCell"): other_layouts.EQUINOX_LSTM,
    ("equinox", "GRUCell"): other_layouts.EQUINOX_GRU,
    ("mlx", "LSTM"): other_layouts.MLX_LSTM,
    ("mlx", "GRU"): other_layouts.MLX_GRU,
    ("mlx", "RNN"): other_layouts.MLX_RNN,
    ("tinygrad", "LSTMCell"): other_layouts.TINYGRAD_LSTM,
    ("ncps", "LSTMCell"): other_layouts.NCPS_LSTM,
}
BATCH_FIRST = ("mlx",)  # frameworks whose layers take whole sequences, the batch first; the other classes here take one step
CALLS = ("__call__", "forward")  # what a layer computes


def load(source: Any, *, prefix: str | None = None) -> LSTM:
    """One layer of equinox, mlx, tinygrad or ncps.

    Args:
        source: the layer itself, not the model around it.
        prefix: None; the layer is given itself.

    Returns:
        A layer with copies of its weights, batch_first for mlx.

    Raises:
        TypeError: another class, or one that computes in its own way.
        ValueError: a prefix; a recurrence, activation or array that byhand's layer does not have.
    """
    no_prefix(source, prefix)
    framework = package_of(source)
    name = known_class(source, [name for package, name in CLASSES if package == framework])
    layout = CLASSES[framework, name]
    if layout is other_layouts.MLX_RNN:
        tanh_only(layout, source.nonlinearity)
    return layer_of(layout.readable(), [read(layout, attributes(source, layout))], batch_first=framework in BATCH_FIRST)


def package_of(source: Any) -> str:
    """The package that defines the class, or the nearest class above it that a framework defines."""
    for kind in type(source).__mro__:
        package = kind.__module__.partition(".")[0]
        if any(package == known for known, _ in CLASSES):
            return package
    return type(source).__module__.partition(".")[0]


def known_class(source: Any, names: list[str], *, framework: str | None = None) -> str:
    """Which of a framework's classes a layer is. TypeError if it is none, or a subclass that computes in its own way."""
    framework = framework or package_of(source)
    for kind in type(source).__mro__:
        if kind.__module__.partition(".")[0] == framework and kind.__name__ in names:
            if any(getattr(kind, call, None) is not getattr(type(source), call, None) for call in CALLS):
                raise TypeError(
                    f"load_weights expected a {framework} {kind.__name__}, got {type(source).__name__}, a subclass that computes"
                    " in its own way: if its weights mean the same, give them as a mapping, with layout="
                )
            return kind.__name__
    expected = f"{', '.join(names)} of {framework}" if names else "a recurrent layer"
    raise TypeError(f"load_weights expected {expected}, got {type(source).__module__}.{type(source).__name__}")


def no_prefix(source: Any, prefix: str | None) -> None:
    """ValueError for a prefix, where the layer is given itself."""
    if prefix is not None:
        raise ValueError(
            f"load_weights expected the layer itself and no prefix, got {type(source).__name__} and prefix={prefix!r}: give the"
            " layer, as in model.rnn"
        )


def tanh_only(layout: Layout, activation: Any) -> None:
    """ValueError if the activation of a simple recurrent layer is not tanh."""
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", type(activation).__name__)
    if name.lower() != "tanh":
        raise ValueError(f"{layout.name} expected the activation tanh, which byhand.cells.rnn has, got {name}")


def attributes(source: Any, layout: Layout, names: Mapping[str, str] | None = None) -> dict[str, Tensor]:
    """The arrays of a layout from the attributes of a layer. names: array -> attribute, where that is another, dots within it."""
    found = {}
    for array in layout.arrays:
        value = source
        for part in (names or {}).get(array.name, array.name).split("."):
            value = getattr(value, part, None)
        if value is not None:
            found[array.name] = tensor_of(value)
    return found


def tensor_of(value: Any) -> Tensor:
    """A copy of a framework's array as a tensor; its dtype is kept, bfloat16 too."""
    if isinstance(value, Tensor):
        return arrays.tensor_of(value)
    if package_of(value) == "tinygrad":
        read = arrays.tensor_of(value.numpy())  # of bfloat16 in float32, as numpy has none
        return read.bfloat16() if "bf" in str(value.dtype) else read
    if hasattr(value, "__dlpack__") and value.__class__.__module__.partition(".")[0] in ("mlx", "paddle"):
        plain = value.detach() if hasattr(value, "detach") else value
        return arrays.tensor_of(torch.from_dlpack(plain).cpu())
    return arrays.tensor_of(value)
