"""Keras's side of a certificate: layers that follow each other, whatever they return in their model, run as whole sequences with states.

On Keras's torch backend gradients are compared too. Those by Keras's arrays become those by byhand's weights as the arrays themselves
become weights: by the reader of keras.py, which only moves numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from byhand.interop.arrays import needed, numpy_of, tensor_of
from byhand.interop.choosing import chosen
from byhand.interop.keras import ARRAYS, Entry, Found, Live, layer_from, living
from byhand.interop.sides import Answer, Asked
from byhand.interop.stacks import stacked
from byhand.nn import LSTM

BETWEEN = ("InputLayer", "Dropout")  # what may stand between the layers of a Sequential: in eval mode they compute nothing
IN_FLOAT32 = (
    "Keras multiplies in float32 where its torch backend does not use torch's own layer: held to the tolerance of float32"
)


class Numbers(NamedTuple):
    """A Keras object, for the reader, with other numbers in the place of its variables', found by the variable."""

    one: Any
    given: Callable[[Any], Tensor]

    def child(self, name: str) -> Numbers:
        """An attribute."""
        return self._replace(one=getattr(self.one, name))

    def cells(self, entries: Sequence[Entry]) -> list[Any]:
        """The cells of a StackedRNNCells."""
        return [self._replace(one=cell) for cell in self.one.cells]

    def arrays(self) -> dict[str, Tensor]:
        """Those that are there."""
        found = {name: getattr(self.one, name, None) for name in ARRAYS}
        return {name: self.given(value) for name, value in found.items() if value is not None}


class KerasSide:
    """Layers of Keras, lowest first. flipped: they read from the end.

    Args:
        source: a layer, a Sequential of recurrent layers, or a model with several of which `prefix` names one, or a list of them.
        prefix: as in load_weights.
        flipped: as in load_weights.
        dtype: of the layer that it is compared with.

    Raises:
        ValueError: the layers do not follow each other, or one is none that byhand reads.
    """

    packages = ("keras",)

    def __init__(self, source: Any, prefix: str | Sequence[str] | None, *, flipped: bool, dtype: torch.dtype) -> None:
        self.keras = needed("keras", "keras", "certify")
        self.flipped, self.takes_lengths, self.takes_states, self.dtype = flipped, not flipped, True, dtype
        self.differentiates = self.keras.backend.backend() == "torch"
        self.what = f"Keras's {type(source).__name__} {source.name!r}, backend {self.keras.backend.backend()}"
        self.layers = [whole(one, dtype, flipped=flipped) for one in in_turn(source, prefix)]
        self.notes = ["lengths are not compared: a layer that reads from the end is given whole sequences"] if flipped else []
        if not self.differentiates:
            self.notes.append("gradients are not compared: they are on Keras's torch backend only (KERAS_BACKEND=torch)")
        if self.differentiates and dtype == torch.float64:
            self.dtype = torch.float32  # what it is held to
            self.notes.append(IN_FLOAT32)
        self.width = dtype

    def run(self, asked: Asked, weigh: Callable[[Tensor, tuple[Tensor, ...]], Tensor]) -> Answer:
        """Outputs and states; gradients on the torch backend."""
        x = asked.x.transpose(0, 1).to(self.width).contiguous().requires_grad_(self.differentiates)
        mask = None if asked.lengths is None else torch.arange(len(asked.x)) < asked.lengths.unsqueeze(1)
        value, states, at = self.handed(x), list[Any](), 0
        for layer in self.layers:
            count = states_of(layer)
            first = None
            if asked.states:
                kinds, places = len(asked.states), range(at, at + count // len(asked.states))
                first = [self.handed(asked.states[kind][place]) for place in places for kind in range(kinds)]
                at += len(places)
            made = layer(value, initial_state=nest(layer, first), mask=self.handed(mask), training=False)
            value, own = made[0], self.keras.tree.flatten(made[1:])
            states += own
        if not self.differentiates:
            outputs, *last = [torch.from_numpy(self.keras.ops.convert_to_numpy(one).copy()) for one in (value, *states)]
            return Answer(outputs.transpose(0, 1), self.stacked_states(last))
        outputs, last = value.transpose(0, 1), self.stacked_states(states)
        valid = outputs if mask is None else outputs.masked_fill(~mask.T.unsqueeze(-1), 0)
        variables = [one for layer in self.layers for one in layer.trainable_variables]
        sources = [x, *(one.value for one in variables)]
        by_input, *found = torch.autograd.grad(weigh(valid, last), sources, materialize_grads=True)
        moved = self.by_weights(dict(zip(map(id, variables), found, strict=True)))
        return Answer(outputs.detach(), tuple(one.detach() for one in last), {"input": by_input.transpose(0, 1)} | moved)

    def handed(self, value: Tensor | None) -> Any:
        """As the backend takes it."""
        if value is None or self.differentiates:
            return value
        return self.keras.ops.convert_to_tensor(numpy_of(value))

    def stacked_states(self, states: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """(layers * directions, batch, units) of each kind, h before c."""
        kinds = len(states) // sum(states_of(layer, each=True) for layer in self.layers)
        return tuple(torch.stack(list(states[kind::kinds])) for kind in range(kinds))

    def by_weights(self, gradients: Mapping[int, Tensor]) -> dict[str, Tensor]:
        """Gradients by byhand's parameters. Left out: a bias for which Keras has no place."""
        found = self.read(lambda variable: gradients.get(id(variable), torch.zeros(tuple(variable.shape))))
        places = self.read(lambda variable: torch.ones(tuple(variable.shape)))
        there = dict(places.named_parameters())
        return {name: value.detach() for name, value in found.named_parameters() if bool(there[name].any())}

    def read(self, given: Callable[[Any], Tensor]) -> LSTM:
        """The layer of byhand that the reader makes of other numbers."""
        kind = self.width
        entries = [
            Found(
                one.name,
                {"class_name": type(one).__name__, "config": one.get_config()},
                Numbers(one, lambda v: given(v).to(kind)),
            )
            for one in self.layers
        ]
        return stacked([layer_from(one, flipped=self.flipped) for one in entries])


def in_turn(source: Any, prefix: str | Sequence[str] | None) -> list[Any]:
    """The layers that are meant, lowest first. ValueError."""
    where = f"Keras's {type(source).__name__} {source.name!r}"
    if not getattr(source, "built", True):
        raise ValueError(
            f"certify expected a built Keras layer, got {source.name!r} without weights: call it on an input first"
        )
    found: dict[str, Any] = {one.name: one.node.one for one in living(source) if isinstance(one.node, Live)}
    plain = [one for one in getattr(source, "layers", []) if type(one).__name__ not in BETWEEN]
    if prefix is None and len(found) > 1 and type(source).__name__ == "Sequential" and plain == list(found.values()):
        return plain
    names = [prefix] if prefix is None or isinstance(prefix, str) else list(prefix)
    return [found[chosen(list(found), name, where)] for name in names]


def whole(layer: Any, dtype: torch.dtype, *, flipped: bool) -> Any:
    """A copy with the same weights, in this dtype, that gives whole sequences and all states. ValueError for a layer that byhand does not
    read.
    """
    entry = {"class_name": type(layer).__name__, "config": layer.get_config()}
    layer_from(Found(layer.name, entry, Live(layer)), flipped=flipped)
    kind, config = type(layer), in_dtype(layer.get_config(), str(dtype).removeprefix("torch."))
    if kind.__name__.endswith("Cell"):
        raise ValueError(f"certify expected a layer of Keras, got the cell {layer.name!r}: put it into keras.layers.RNN")
    every = {"return_sequences": True, "return_state": True, "stateful": False}
    if kind.__name__ == "Bidirectional":
        for half in ("layer", "backward_layer"):
            if config.get(half):
                config[half] = {**config[half], "config": config[half]["config"] | every}
    else:
        config |= every
    copy = kind.from_config(config)
    width = next(iter(layer.trainable_variables or layer.variables)).shape[0]
    copy.build((None, None, int(width)))
    copy.set_weights([numpy_of(tensor_of(one.value).to(dtype)) for one in layer.weights])
    copy.trainable = True
    return copy


def in_dtype(config: Any, dtype: str) -> Any:
    """A configuration, all of whose layers have this dtype."""
    if isinstance(config, Mapping):
        return {key: dtype if key == "dtype" else in_dtype(value, dtype) for key, value in config.items()}
    return [in_dtype(one, dtype) for one in config] if isinstance(config, list) else config


def states_of(layer: Any, *, each: bool = False) -> int:
    """How many states a layer gives; each: how many of every kind, which is one for each layer and direction in it."""
    if type(layer).__name__ == "Bidirectional":
        return 2 * states_of(layer.forward_layer, each=each)
    cells = getattr(layer.cell, "cells", [layer.cell])
    kinds = 2 if type(cells[0]).__name__ == "LSTMCell" else 1
    return len(cells) * (1 if each else kinds)


def nest(layer: Any, states: list[Any] | None) -> Any:
    """First states, as the layer takes them: those of a stack of cells cell by cell."""
    cells = getattr(getattr(layer, "cell", None), "cells", None)
    if states is None or cells is None:
        return states
    kinds = len(states) // len(cells)
    return [states[at : at + kinds] for at in range(0, len(states), kinds)]
