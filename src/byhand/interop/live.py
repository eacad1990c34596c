"""Live layers of equinox, mlx, tinygrad and paddle, and of models made with them, read by their attributes.

A layer is known by the name of its class and the package of that class; no framework is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from byhand.interop import other_layouts, paddle
from byhand.interop.attributes import attributes, simple_cell
from byhand.interop.choosing import chosen
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
}
PACKAGES = ("equinox", "mlx", "tinygrad", "paddle")
BATCH_FIRST = ("mlx",)  # of the packages in CLASSES: whole sequences, the batch first; the others take one step
CALLS = ("__call__", "forward")  # what a layer computes


def load(source: Any, *, prefix: str | None = None, flipped: bool = False) -> LSTM:
    """One layer of equinox, mlx, tinygrad or paddle.

    Args:
        source: the layer, or a model of that framework that has it in an attribute.
        prefix: the name of the attribute in the model, as in "encoder.rnn" or "cells.0", or its end; None where there is one only.
        flipped: read a paddle.nn.RNN that reads from the end; you hand it sequences flipped.

    Returns:
        A layer with copies of its weights, laid out as the framework's: batch_first for mlx, and for paddle unless time_major; time
        first for what takes one step.

    Raises:
        TypeError: a layer that computes in its own way.
        ValueError: no layer or several without a prefix; an activation or a direction that byhand's layer does not have.
    """
    found = dict(layers_in(source))
    layer = found[chosen(list(found), prefix, f"the {type(source).__name__}")]
    if package_of(layer) == "paddle":
        return paddle.load(layer, flipped=flipped)
    if flipped:
        raise ValueError("load_weights expected a layer that reads from the end with flipped=True, got one that does not")
    framework, name = class_of(layer)
    layout = CLASSES[framework, name]
    cell = simple_cell(layout, layer.nonlinearity) if layout is other_layouts.MLX_RNN else layout.readable()
    return layer_of(cell, [read(layout, attributes(layer, layout))], batch_first=framework in BATCH_FIRST)


def package_of(source: Any) -> str:
    """The package out of PACKAGES that an object's class is of, or derived from; "" if it is of none."""
    packages = [kind.__module__.partition(".")[0] for kind in type(source).__mro__]
    return next((one for one in packages if one in PACKAGES), "")


def class_of(source: Any) -> tuple[str, str]:
    """Package and name of the class out of CLASSES or paddle's; two "" if it is none. TypeError for one that computes in its own way."""
    for kind in type(source).__mro__:
        key = kind.__module__.partition(".")[0], kind.__name__
        if key in CLASSES or (key[0] == "paddle" and key[1] in paddle.CLASSES):
            if any(defined(kind, call) is not defined(type(source), call) for call in CALLS):
                raise TypeError(
                    f"load_weights expected {key[1]} of {key[0]}, got {type(source).__name__}, a subclass that computes in its own"
                    " way: if its weights mean the same, give them by name, with layout="
                )
            return key
    return "", ""


def defined(kind: type, name: str) -> Any:
    """What a class, or the nearest above it, defines under that name; None if none does."""
    return next((vars(one)[name] for one in kind.__mro__ if name in vars(one)), None)


def layers_in(source: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path -> recurrent layer, through the attributes and lists of a model; nothing inside of a layer."""
    if class_of(source) != ("", ""):
        yield path, source
        return
    before = f"{path}." if path else ""
    for name, part in parts_of(source):
        yield from layers_in(part, f"{before}{name}")


def parts_of(source: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a model that may be or hold layers, by name."""
    if package_of(source) == "paddle":
        yield from (source.named_children() if hasattr(source, "named_children") else ())
    elif isinstance(source, Mapping):  # mlx's modules too
        yield from ((str(name), part) for name, part in source.items())
    elif isinstance(source, list | tuple):
        yield from ((str(at), part) for at, part in enumerate(source))
    elif package_of(source) == "equinox":
        yield from vars(source).items()
