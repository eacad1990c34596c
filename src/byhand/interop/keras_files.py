"""Keras's files without Keras: .keras (a zip archive: config.json beside model.weights.h5), .weights.h5, and .h5 of whole models.

The configuration is JSON, the weights are HDF5; nothing in them is run, no class of theirs is made.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from byhand.errors import LoadError
from byhand.files.regular_file import read_regular
from byhand.files.zip_records import read_records
from byhand.interop.choosing import chosen
from byhand.interop.hdf5 import Group, read_hdf5
from byhand.interop.keras import ARRAYS, OUTERMOST, Entry, Found, Node, layer_from
from byhand.nn import LSTM

EXPECTED = "expected a file that Keras has written (.keras, .weights.h5, .h5)"
UNREADABLE = (LookupError, TypeError, AttributeError, ValueError, RuntimeError, ArithmeticError)
ROWS = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}  # columns of the recurrent kernel to each unit -> layer
SNAKES = {"LSTMCell": "lstm_cell", "GRUCell": "gru_cell", "SimpleRNNCell": "simple_rnn_cell"}


class Stored(NamedTuple):
    """A Keras object in an HDF5 file. older: in the form of a whole model in .h5, where groups have the names of layers."""

    group: Group
    older: bool = False

    def child(self, name: str) -> Stored:
        """The group of an attribute. LookupError."""
        if not self.older:
            return self._replace(group=self.group.groups[name])
        if name == "cell":
            inside = list(self.group.groups.values())
            return self if "kernel" in self.arrays() or len(inside) != 1 else self._replace(group=inside[0])
        side = name.partition("_")[0]  # forward_layer: forward_lstm
        (one,) = (one for key, one in self.group.groups.items() if key.startswith(f"{side}_"))
        return self._replace(group=one)

    def cells(self, entries: Sequence[Entry]) -> list[Node]:
        """Each has its own name, or, in newer files, that of its class, with a number from the second of a class on. LookupError."""
        if self.older:
            return [self._replace(group=self.group.groups[entry["config"]["name"]]) for entry in entries]
        names = [SNAKES[entry["class_name"]] for entry in entries]
        numbered = [name + (f"_{n}" if (n := names[:at].count(name)) else "") for at, name in enumerate(names)]
        return [self._replace(group=self.group.groups["cells"].groups[name]) for name in numbered]

    def arrays(self) -> dict[str, Tensor]:
        """By name, or in the order of Keras's variables."""
        if self.older:
            return {name.removesuffix(":0"): value for name, value in self.group.arrays.items()}
        numbered = self.group.groups["vars"].arrays
        return {name: numbered[str(number)] for number, name in enumerate(ARRAYS) if str(number) in numbered}


def load(path: str | os.PathLike[str], *, prefix: str | None = None, flipped: bool = False) -> LSTM:
    """The recurrent layer, or the one of that name, in a file of Keras. LoadError, ValueError."""
    try:
        found = {one.name: one for one in stored(path)}
    except LoadError as problem:
        raise LoadError(f"{path}: {EXPECTED}, got {problem}") from problem
    except UNREADABLE as problem:
        raise LoadError(
            f"{path}: {EXPECTED}, got a model that cannot be followed ({type(problem).__name__}: {problem})"
        ) from problem
    name = chosen(list(found), prefix, str(path), error=LoadError)
    try:
        return layer_from(found[name], flipped=flipped)
    except LookupError as problem:
        raise LoadError(f"{path}: {EXPECTED}, got one without some weights of {name!r} ({problem})") from problem
    except (TypeError, AttributeError, RuntimeError, ArithmeticError) as problem:
        raise LoadError(f"{path}: {EXPECTED}, got another description of {name!r} ({type(problem).__name__})") from problem
    except ValueError as problem:
        raise LoadError(f"{path}: {problem}") from problem


def stored(path: str | os.PathLike[str]) -> Iterator[Found]:
    """The recurrent layers in a file. LoadError, and one of UNREADABLE for a model that is described in another way."""
    try:
        content = read_regular(path)
    except OSError as problem:
        raise LoadError(f"nothing that can be read: {problem.strerror or problem}") from problem
    if content[:2] == b"PK":
        records = read_records(path, ("config.json", "model.weights.h5"))
        described, weights = json.loads(records["config.json"]), read_hdf5(records["model.weights.h5"])
        yield from joined(described, weights, str(path))
        return
    whole = read_hdf5(content)
    if "model_config" not in whole.attributes:
        yield from joined(None, whole, str(path))
        return
    described, keras_2 = (
        json.loads(whole.attributes["model_config"]),
        not whole.attributes.get("keras_version", "2").startswith("3"),
    )
    places = dict(named(whole.groups["model_weights"], (), older=True))
    for names, entry in entries_in(described, ()):
        own = names[1:]  # in the group of the outermost layer are the paths of its variables, in a Sequential from this on
        meant = [place for place in places if place[:1] == own[:1] and place[-len(own) :] == own]
        if meant:
            yield Found("/".join(own), entry, Stored(places[max(meant, key=len)], older=True), keras_2)


def joined(described: Any, weights: Group, path: str) -> Iterator[Found]:
    """The layers that are described, each with its weights; those with weights alone, where nothing describes them."""
    places, done, guessed = dict(named(weights, ())), list[tuple[str, ...]](), list[str]()
    for names, entry in entries_in(described, ()):
        for place, group in places.items():
            if place[1:] == names[1:]:
                done.append(place)
                yield Found("/".join(place[1:]), entry, Stored(group))
    for place, group in places.items():
        inside = any(place[: len(above)] == above for above in done)
        if not inside and (entry := guess(group)) is not None:
            done.append(place)
            guessed.append("/".join(place[1:]))
            yield Found(guessed[-1], entry, Stored(group))
    if guessed:
        warnings.warn(
            f"{path} holds weights of {', '.join(guessed)} without a description: activations and all else that weights do not show are"
            " taken to be Keras's defaults",
            UserWarning,
            stacklevel=2,
        )


def entries_in(described: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Entry]]:
    """The recurrent layers in a configuration, with the names on the way there; not those inside another recurrent one."""
    if isinstance(described, Mapping) and isinstance(described.get("config"), Mapping) and "class_name" in described:
        names = (*above, str(described["config"].get("name", "")))
        keras = str(described.get("module") or "keras").partition(".")[0] == "keras" and not described.get("registered_name")
        if described["class_name"] in OUTERMOST and keras:
            yield names, described
            return
        described, above = described["config"], names
    parts = described.values() if isinstance(described, Mapping) else described if isinstance(described, list) else ()
    for part in parts:
        yield from entries_in(part, above)


def named(
    group: Group, above: tuple[str, ...], *, older: bool = False, key: str = ""
) -> Iterator[tuple[tuple[str, ...], Group]]:
    """All groups of Keras objects, with the names on the way there, a layer before what is in it."""
    own = key if older else group.groups["vars"].attributes.get("name", key) if "vars" in group.groups else ""
    names = above if not own or (older and above[-1:] == (own,)) else (*above, own)
    if own and not (older and own in group.groups):  # older files have lstm/lstm
        yield names, group
    for name, part in group.groups.items():
        if name != "vars":
            yield from named(part, names, older=older, key=name)


def guess(group: Group) -> Entry | None:
    """What a group without a description is, by its parts and their shapes; None if it is no recurrent layer."""
    if {"forward_layer", "backward_layer"} <= group.groups.keys():
        half = guess(group.groups["forward_layer"])
        return None if half is None else {"class_name": "Bidirectional", "config": {"layer": half}}
    inner = group.groups.get("cell")
    if inner is None:
        return None
    if "cells" in inner.groups:
        kinds = [kind_of(one) for name, one in sorted(inner.groups["cells"].groups.items(), key=lambda one: number_of(one[0]))]
        each = [{"class_name": f"{kind}Cell", "config": options} for kind, options in filter(None, kinds)]
        stacked = {"class_name": "StackedRNNCells", "config": {"cells": each}}
        return {"class_name": "RNN", "config": {"cell": stacked}} if each and len(each) == len(kinds) else None
    known = kind_of(inner)
    return None if known is None else {"class_name": known[0], "config": known[1]}


def number_of(name: str) -> int:
    """The number at the end of a name; 0 without one."""
    end = name.rpartition("_")[2]
    return int(end) if end.isascii() and end.isdigit() else 0


def kind_of(cell: Group) -> tuple[str, dict[str, Any]] | None:
    """The kind of a cell by the shapes of its weights, and what else they show of its options."""
    arrays = Stored(cell).arrays() if "vars" in cell.groups else {}
    recurrent = arrays.get("recurrent_kernel")
    if recurrent is None or recurrent.dim() != 2 or not recurrent.shape[0] or recurrent.shape[1] % recurrent.shape[0]:
        return None
    kind = ROWS.get(recurrent.shape[1] // recurrent.shape[0])
    bias = arrays.get("bias")
    if kind is None:
        return None
    return kind, {"reset_after": bias is None or bias.dim() == 2} if kind == "GRU" else {}
