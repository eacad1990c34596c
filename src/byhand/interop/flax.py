"""Flax: recurrent cells in trees of linen parameters, in bound linen modules, in nnx modules and their states.
The way back is to_flax (flax_writer.py).

A cell is found by the names and shapes of its arrays, which belong to no other. A tree of parameters says nothing of activation
functions and of reverse=True: there Flax's defaults are assumed. A module says both, and is held to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from byhand.interop.arrays import flattened, tensor_of
from byhand.interop.choosing import chosen
from byhand.interop.layouts import (
    LINEN_GRU,
    LINEN_LSTM,
    LINEN_RNN,
    NNX_GRU,
    NNX_LSTM,
    NNX_OPTIMIZED_LSTM,
    NNX_RNN,
)
from byhand.interop.stacks import layer_of
from byhand.interop.weights import Layout, read
from byhand.nn import LSTM

LAYOUTS = (LINEN_LSTM, LINEN_GRU, LINEN_RNN, NNX_LSTM, NNX_OPTIMIZED_LSTM, NNX_GRU, NNX_RNN)
KNOWN = ("LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell")
HALVES = ("forward_rnn", "backward_rnn")


class Found(NamedTuple):
    """A cell, or the two of a Bidirectional: where their arrays are in the tree, and how they are laid out."""

    cells: tuple[tuple[str, Layout], ...]


def load(source: Any, *, prefix: str | None = None, flipped: bool = False) -> LSTM:
    """A recurrent layer of Flax, or the one of that name, as byhand's."""
    tree = tree_of(source)
    leaves = {path.replace(".", "/"): value for path, value in flattened(tree).items()}
    found = layers_in(leaves)
    name = chosen(list(found), prefix, f"Flax's {type(source).__name__}")
    options = Options(source, name, flipped)
    kinds = {layout.readable() for _, layout in found[name].cells}
    if len(kinds) > 1:
        raise ValueError(
            f"{name}: expected one kind of cell in both directions, got {', '.join(sorted(one.name for one in kinds))}"
        )
    weights = []
    for place, layout in found[name].cells:
        options.check(place)
        own = {array.name: array.name.replace(".", "/") for array in layout.arrays}
        weights.append(read(layout, {ours: tensor_of(leaves[inside(place, theirs)]) for ours, theirs in own.items()}))
    return layer_of(kinds.pop(), weights, bidirectional=len(weights) > 1, batch_first=not options.time_major)


def tree_of(source: Any) -> Mapping[str, Any]:
    """Nested mappings of arrays."""
    modules = " ".join(kind.__module__ for kind in type(source).__mro__)
    if isinstance(source, Mapping) and "flax.nnx" not in modules:
        inner = source.get("params")
        return inner if isinstance(inner, Mapping) else source
    module: Any = source
    if "flax.linen" in modules:
        if module.scope is None:
            raise ValueError(
                f"expected a linen module with its parameters, got {type(source).__name__} without: write module.bind(variables)"
            )
        return module.variables["params"]
    nnx = sys.modules["flax.nnx"]
    return nnx.to_pure_dict(nnx.state(source) if isinstance(source, nnx.Module) else source)


def layers_in(leaves: Mapping[str, Any]) -> dict[str, Found]:
    """Name -> the cell there, or the two of a Bidirectional."""
    places = dict(cells_in(leaves))
    found: dict[str, Found] = {}
    for place, layout in places.items():
        name = place.removesuffix("/cell").removesuffix("cell") if place.endswith("/cell") or place == "cell" else place
        above, _, half = name.rpartition("/")
        if half not in HALVES:
            found[name] = Found(((place, layout),))
        elif half == HALVES[0]:
            other = inside(above, f"{HALVES[1]}{place[len(name) :]}")
            if other in places:
                found[above] = Found(((place, layout), (other, places[other])))
    return found


def cells_in(leaves: Mapping[str, Any]) -> Iterator[tuple[str, Layout]]:
    """Where the arrays of a cell are, all of them and with shapes that fit its gates."""
    for layout in LAYOUTS:
        names = [array.name.replace(".", "/") for array in layout.arrays]
        recurrent = next(array for array in layout.arrays if array.slots[0][0] == "weight_hh")
        for path in leaves:
            if path != names[0] and not path.endswith(f"/{names[0]}"):
                continue
            place = path[: -len(names[0])].rstrip("/")
            shape = getattr(leaves.get(inside(place, recurrent.name.replace(".", "/"))), "shape", ())
            fits = len(shape) == 2 and shape[1] == len(recurrent.slots) * shape[0]
            if fits and all(inside(place, name) in leaves for name in names):
                yield place, layout


def inside(place: str, name: str) -> str:
    """A name in a place."""
    return f"{place}/{name}" if place else name


class Options:
    """What a module says besides its parameters; nothing where the source is a tree."""

    def __init__(self, source: Any, name: str, flipped: bool) -> None:
        self.source, self.name, self.flipped, self.time_major, self.seen_reverse = source, name, flipped, False, False
        self.is_module = not isinstance(source, Mapping) and callable(source)
        if flipped and not self.is_module:
            self.seen_reverse = True  # a tree does not say

    def check(self, place: str) -> None:
        """Hold the cell in this place, and what is around it, to what byhand computes. ValueError."""
        one, parts = self.source, [part for part in place.split("/") if part]
        if not self.is_module:
            return
        for number, part in enumerate([*parts, ""]):
            self.look(one, parts[number - 1] if number else "")
            if not part or (one := getattr(one, part, None)) is None:
                break
        if self.flipped and not self.seen_reverse:
            raise ValueError(f"{self.name}: got flipped=True, expected an RNN with reverse=True: leave flipped out")

    def look(self, one: Any, part: str) -> None:
        """One module on the way to the cell, and the cell."""
        kind, where = type(one).__name__, f"{self.name or 'the layer'}, a {type(one).__name__}"
        if kind == "RNN":
            self.time_major = bool(one.time_major)
            if one.reverse and not (self.flipped and part not in HALVES):
                raise ValueError(
                    f"{where} with reverse=True reads from the end, as no layer of byhand does alone: write load_weights(...,"
                    " flipped=True), and hand it the sequence flipped; its outputs then come in Flax's order, the last step first"
                )
            self.seen_reverse |= bool(one.reverse)
        elif kind == "Bidirectional":
            self.time_major = bool(one.time_major)
            if getattr(one.merge_fn, "__name__", "") != "_concatenate":
                raise ValueError(
                    f"{where}: expected its merge_fn to concatenate, got {one.merge_fn!r}: byhand gives both halves side by side"
                )
        elif hasattr(one, "activation_fn"):
            if kind not in KNOWN:
                raise ValueError(f"{where}: expected a cell out of {', '.join(KNOWN)}")
            jax = sys.modules["jax"]
            known = {"gate_fn": jax.nn.sigmoid, "activation_fn": jax.numpy.tanh}
            for option, usual in known.items():
                if getattr(one, option, usual) is not usual:
                    raise ValueError(f"{where}: expected {option} to be Flax's default, got {getattr(one, option)!r}")
            if getattr(one, "residual", False):
                raise ValueError(f"{where}: expected residual=False, got True, for which byhand has no cell")
