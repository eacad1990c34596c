"""What the options of a Keras layer make of its cell: which cell of byhand computes the same, and what is refused or said."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from byhand import cells
from byhand.cells import Cell
from byhand.cells.activations import Activation
from byhand.cells.activations import read as activation
from byhand.interop.layouts import KERAS_GRU, KERAS_GRU_RESET_BEFORE, KERAS_LSTM, KERAS_RNN
from byhand.interop.weights import Layout

KINDS = ("LSTM", "GRU", "SimpleRNN")
ACTIVATIONS = {  # of Keras 3, by the names in its configurations
    "linear": Activation("identity"),
    "tanh": Activation("tanh"),
    "sigmoid": Activation("sigmoid"),
    "relu": Activation("relu"),
    "hard_sigmoid": Activation("hard_sigmoid", (1 / 6, 0.5)),
    "softsign": Activation("softsign"),
    "softplus": Activation("softplus"),
    "elu": Activation("elu", (1.0,)),
    "leaky_relu": Activation("leaky_relu", (0.2,)),
}
ACTIVATIONS_OF_KERAS_2 = ACTIVATIONS | {"hard_sigmoid": Activation("hard_sigmoid", (0.2, 0.5))}
USUAL = {"gates": Activation("sigmoid"), "candidate": Activation("tanh"), "output": Activation("tanh")}
PARTS = {"LSTM": ("gates", "candidate", "output"), "GRU": ("gates", "candidate"), "SimpleRNN": ("candidate",)}
BASES = {cells.lstm.name: "LSTM", cells.gru.name: "GRU", "gru_reset_before": "GRU", cells.rnn.name: "SimpleRNN"}
# Options that change nothing of what the layer computes of a whole sequence, and those that are looked at here.
KNOWN = {
    *("name", "trainable", "dtype", "units", "cell", "seed", "activity_regularizer", "batch_input_shape", "batch_shape"),
    *("activation", "recurrent_activation", "use_bias", "unit_forget_bias", "reset_after", "dropout", "recurrent_dropout"),
    *("return_sequences", "return_state", "go_backwards", "stateful", "zero_output_for_mask", "time_major"),
    *("unroll", "implementation", "use_cudnn"),
}
KNOWN_ENDINGS = ("_initializer", "_regularizer", "_constraint")


class Kept(NamedTuple):
    """How a Keras cell is read: its layout, and the cell that computes what its options say."""

    layout: Layout
    cell: Cell


def kept(kind: str, config: Mapping[str, Any], where: str, *, keras_2: bool = False) -> Kept:
    """How a cell with these options is read.

    Args:
        kind: "LSTM", "GRU" or "SimpleRNN".
        config: its configuration; an option that is missing has its default.
        where: the layer, for messages.
        keras_2: whether Keras 2 wrote it, whose hard_sigmoid is another function.

    Raises:
        ValueError: an activation that byhand does not have.
    """
    layout = {"LSTM": KERAS_LSTM, "GRU": KERAS_GRU, "SimpleRNN": KERAS_RNN}[kind]
    if kind == "GRU" and not config.get("reset_after", True):
        layout = KERAS_GRU_RESET_BEFORE
    own, gates = config.get("activation", "tanh"), config.get("recurrent_activation", "sigmoid")
    named = {"gates": gates, "candidate": own, "output": own}
    known = ACTIVATIONS_OF_KERAS_2 if keras_2 else ACTIVATIONS
    for option in ("activation", "recurrent_activation")[: 1 if kind == "SimpleRNN" else 2]:
        name = own if option == "activation" else gates
        if not isinstance(name, str | None) or (name or "linear") not in known:
            shown = name.get("class_name", name) if isinstance(name, Mapping) else name
            raise ValueError(
                f"{where}: expected {option} to be one of {', '.join(known)}, got {shown!r}: byhand has no cell with it; one of your"
                " own is a short function (docs/your-own-cell.md)"
            )
    chosen = {part: known[named[part] or "linear"] for part in PARTS[kind]}
    return Kept(layout, with_activations(layout.readable(), chosen))


def with_activations(cell: Cell, chosen: Mapping[str, Activation]) -> Cell:
    """The cell with these activations; itself where they are its own."""
    other = {part: one for part, one in chosen.items() if one != USUAL[part]}
    return cells.with_activations(cell, **other) if other else cell


def options_of(cell: Cell) -> tuple[str, dict[str, Any]]:
    """The Keras layer that computes what a cell does, and its options: the inverse of `kept`. ValueError if there is none."""
    base, chosen = parted(cell)
    kind = BASES.get(base)
    if kind is None:
        raise ValueError(
            f"to_keras expected a cell out of {', '.join(BASES)}, or one with other activations, got {cell.name!r}"
        )
    parts = {part: chosen.get(part, USUAL[part]) for part in PARTS[kind]}
    names = {part: next((name for name, known in ACTIVATIONS.items() if known == one), None) for part, one in parts.items()}
    if None in names.values() or names.get("output", names["candidate"]) != names["candidate"]:
        raise ValueError(
            f"to_keras cannot write {cell.name!r}: Keras has one activation for candidate and output, of its own kinds"
        )
    options: dict[str, Any] = {"activation": names["candidate"]}
    if kind != "SimpleRNN":
        options["recurrent_activation"] = names["gates"]
    if kind == "GRU":
        options["reset_after"] = base == "gru"
    if kept(kind, options, "to_keras").cell != cell:
        raise ValueError(f"to_keras expected a cell of byhand.cells, got another of the name {cell.name!r}")
    return kind, options


def parted(cell: Cell) -> tuple[str, dict[str, Activation]]:
    """The name of the cell below other activations, and these."""
    match ast.parse(cell.name, mode="eval").body:
        case ast.Call(func=ast.Name(id="with_activations"), args=[ast.Name(id=base)], keywords=keywords):
            return base, {str(one.arg): activation(ast.literal_eval(one.value)) for one in keywords}
    return cell.name, {}


def look_at(config: Mapping[str, Any], where: str, *, flipped: bool = False, backward: bool = False) -> None:
    """Refuse options that byhand's layer cannot honour, and warn of those that concern training or several calls only.

    flipped: whether the caller hands in the sequence from its end. backward: whether it is the backward half of a Bidirectional.
    """
    reads_from_the_end = bool(config.get("go_backwards"))
    if backward != reads_from_the_end and not (flipped and not backward):
        if backward:
            raise ValueError(f"{where}: expected the backward layer to have go_backwards=True, got False")
        raise ValueError(
            f"{where} reads from the end (go_backwards=True), as no layer of byhand does alone: write load_weights(..., flipped=True),"
            " and hand it the sequence flipped, lstm(x.flip(1)); its outputs then come in Keras's order, the last step first"
        )
    if flipped and not backward and not reads_from_the_end:
        raise ValueError(f"{where}: got flipped=True, expected a layer with go_backwards=True: leave flipped out")
    if config.get("time_major"):
        raise ValueError(f"{where}: expected time_major=False, got True")
    for option in ("dropout", "recurrent_dropout"):
        if config.get(option):
            say(
                f"{where} has {option}={config[option]} in training, which the layer of byhand does not have; without it both agree"
            )
    if config.get("stateful"):
        say(
            f"{where} is stateful: it goes on from its last states. Hand them to the layer of byhand, lstm(x, states), or use a stepper"
        )
    strange = [name for name in config if name not in KNOWN and not name.endswith(KNOWN_ENDINGS)]
    if strange:
        say(f"{where} has options that are not known here and were left out: {', '.join(map(str, strange))}")


def say(what: str) -> None:
    """Warn, as coming from the call of load_weights."""
    warnings.warn(what, UserWarning, stacklevel=2)
