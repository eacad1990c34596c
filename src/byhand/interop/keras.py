"""Keras 3: its recurrent layers, alive or in files (keras_files.py), as byhand's. The way back is to_keras (keras_writer.py).

LSTM, GRU and SimpleRNN, their cells, RNN with a stack of cells, and Bidirectional. Keras gives outputs as (batch, time, units), so the
layer has batch_first=True. It gives all outputs and the states at once, whatever return_sequences and return_state were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from byhand.interop.arrays import tensor_of
from byhand.interop.choosing import chosen
from byhand.interop.keras_options import KINDS, kept, look_at
from byhand.interop.stacks import layer_of
from byhand.interop.weights import Weights, read
from byhand.nn import LSTM

OUTERMOST = (*KINDS, *(f"{kind}Cell" for kind in KINDS), "RNN", "Bidirectional")
ARRAYS = ("kernel", "recurrent_kernel", "bias")
Entry = Mapping[str, Any]  # of a configuration: {"class_name": ..., "config": {...}}


class Node(Protocol):
    """A Keras object with weights, alive or in a file."""

    def child(self, name: str) -> Node:
        """What it calls so. LookupError."""
        ...

    def cells(self, entries: Sequence[Entry]) -> list[Node]:
        """The cells of a stack, described by these entries."""
        ...

    def arrays(self) -> dict[str, Tensor]:
        """The arrays of a cell: kernel, recurrent_kernel and, if it has one, bias."""
        ...


class Found(NamedTuple):
    """A recurrent layer in a model. keras_2: whether that wrote its configuration."""

    name: str
    entry: Entry
    node: Node
    keras_2: bool = False


class Live(NamedTuple):
    """A Keras object in this process."""

    one: Any

    def child(self, name: str) -> Live:
        """An attribute."""
        return Live(getattr(self.one, name))

    def cells(self, entries: Sequence[Entry]) -> list[Node]:
        """The cells of a StackedRNNCells."""
        return [Live(cell) for cell in self.one.cells]

    def arrays(self) -> dict[str, Tensor]:
        """Those that are there."""
        found = {name: getattr(self.one, name, None) for name in ARRAYS}
        return {name: tensor_of(value.value) for name, value in found.items() if value is not None}


def load(source: Any, *, prefix: str | None = None, flipped: bool = False) -> LSTM:
    """A recurrent layer of Keras, or the one of that name in a model or layer, as byhand's."""
    if not getattr(source, "built", True):
        raise ValueError(f"expected a built Keras layer, got {source.name!r} without weights: call it on an input first")
    found = {one.name: one for one in living(source)}
    return layer_from(found[chosen(list(found), prefix, f"Keras's {type(source).__name__} {source.name!r}")], flipped=flipped)


def living(source: Any, path: str | None = None) -> Iterator[Found]:
    """The recurrent layers in a live model or layer, not those inside another recurrent one. path: of what holds it; None: nothing does."""
    kind, own = type(source).__name__, type(source).__module__.partition(".")[0] == "keras"
    name = f"{path}/{source.name}" if path else source.name
    if kind in OUTERMOST and own:
        yield Found(name, {"class_name": kind, "config": source.get_config()}, Live(source))
        return
    if any(base.__name__ in OUTERMOST and base.__module__.startswith("keras.") for base in type(source).__mro__):
        return  # has code of its own; its cell can still be read by itself
    seen = set[int]()
    for layer in getattr(source, "_layers", []):
        if id(layer) not in seen:
            seen.add(id(layer))
            yield from living(layer, "" if path is None else name)


def layer_from(found: Found, *, flipped: bool = False) -> LSTM:
    """The layer of byhand that computes what the found one does. ValueError with the reason, where there is none."""
    entry, where = found.entry, f"Keras's {found.entry['class_name']} {found.name!r}"
    if entry["class_name"] != "Bidirectional":
        look_at(entry["config"], where, flipped=flipped)
        layers = stack(entry, found.node, where, keras_2=found.keras_2)
        bidirectional = False
    else:
        if flipped:
            raise ValueError(f"{where}: got flipped=True, expected a layer that reads from the end only: leave flipped out")
        layers, bidirectional = both(entry["config"], found, where), True
    kinds = {cell for cell, _ in layers}
    if len(kinds) > 1:
        names = ", ".join(sorted(cell.name for cell in kinds))
        raise ValueError(f"{where}: expected one kind of cell in all layers, got {names}: load each by itself")
    return layer_of(layers[0][0], [weights for _, weights in layers], bidirectional=bidirectional, batch_first=True)


def both(config: Mapping[str, Any], found: Found, where: str) -> list[tuple[Any, Weights]]:
    """The two directions of a Bidirectional."""
    if config.get("merge_mode", "concat") != "concat":
        raise ValueError(
            f"{where}: expected merge_mode='concat', got {config.get('merge_mode')!r}: byhand gives both halves side by side. Load it with"
            " merge_mode='concat' set, and merge them yourself"
        )
    forward = config["layer"]
    turned = {**forward["config"], "go_backwards": not forward["config"].get("go_backwards", False)}
    backward = config.get("backward_layer") or {**forward, "config": turned}
    halves = []
    for name, entry, is_backward in (("forward_layer", forward, False), ("backward_layer", backward, True)):
        look_at(entry["config"], f"{where}, {name}", backward=is_backward)
        half = stack(entry, found.node.child(name), f"{where}, {name}", keras_2=found.keras_2)
        if len(half) > 1:
            raise ValueError(
                f"{where}: expected one cell in each direction, got a stack of {len(half)}, each direction by itself"
            )
        halves += half
    return halves


def stack(entry: Entry, node: Node, where: str, *, keras_2: bool) -> list[tuple[Any, Weights]]:
    """The cell and weights of each layer in one direction."""
    kind, config = entry["class_name"], entry["config"]
    if kind == "RNN":
        inner = config["cell"]
        if inner["class_name"] != "StackedRNNCells":
            parts = [(inner, node.child("cell"))]
        else:
            each = inner["config"]["cells"]
            parts = list(zip(each, node.child("cell").cells(each), strict=True))
    elif kind in KINDS:
        parts = [({"class_name": f"{kind}Cell", "config": config}, node.child("cell"))]
    else:
        parts = [(entry, node)]
    made = []
    for one, at in parts:
        name = one["class_name"].removesuffix("Cell")
        if name not in KINDS or not one["class_name"].endswith("Cell"):
            raise ValueError(
                f"{where}: expected cells out of {', '.join(f'{known}Cell' for known in KINDS)}, got {one['class_name']}"
            )
        if one is not entry and kind == "RNN":
            look_at(one["config"], where)
        layout, cell = kept(name, one["config"], where, keras_2=keras_2)
        made.append((cell, read(layout, at.arrays())))
    return made
