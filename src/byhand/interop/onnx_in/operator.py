"""Operator: all that an LSTM, GRU or RNN node of ONNX says by its attributes, as one value; and the cell that it means.

Source: the operators' text in ONNX 1.23 (opsets 1 to 22).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from byhand import cells
from byhand.cells import Cell
from byhand.cells.activations import BY_ONNX_NAME, KINDS, Activation

DIRECTIONS = {
    "forward": (False,),
    "reverse": (True,),
    "bidirectional": (False, True),
}  # whether each goes from the end to the start
DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}  # f, g, h of one direction
ROWS = {
    "LSTM": ("i", "o", "f", "g"),
    "GRU": ("z", "r", "n"),
    "RNN": ("n",),
}  # the gates in the rows of W, R and B, by byhand's names
PEEPHOLES = ("p_i", "p_o", "p_f")  # in the order of P
TEXTS_OWN = {
    "thresholded_relu": (1.0,)
}  # defaults "the same as of corresponding ONNX operators" that byhand has to be given in words
STATES = {"LSTM": ("h", "c"), "GRU": ("h",), "RNN": ("h",)}


class UnfitError(Exception):
    """Why a node is left to the runtime."""


class Operator(NamedTuple):
    """One node's attributes. activations: f, g, h for each direction, with alpha and beta. clip: None if nothing is clipped.
    differs: what onnxruntime is known to compute otherwise than the operator's text, in words.
    """

    kind: str
    directions: tuple[bool, ...]
    hidden: int | None
    activations: tuple[tuple[Activation, ...], ...]
    clip: float | None = None
    input_forget: bool = False
    linear_before_reset: bool = False
    batch_first: bool = False
    differs: tuple[str, ...] = ()

    def cell(self, direction: int, *, peepholes: bool) -> Cell:
        """What one step of a direction computes."""
        if self.kind == "LSTM":
            cell = cells.peephole if peepholes else cells.lstm
            cell = cells.coupled_input(cell) if self.input_forget else cell
        elif self.kind == "GRU":
            cell = cells.gru if self.linear_before_reset else cells.gru_reset_before
        else:
            cell = cells.rnn
        usual = default_activations(self.kind)
        given = dict(zip(parts(self.kind), zip(self.activations[direction], usual, strict=True), strict=True))
        others = {part: one for part, (one, default) in given.items() if one != default}
        cell = cells.with_activations(cell, **others) if others else cell
        return cell if self.clip is None else cells.clipped(cell, self.clip)


def parts(kind: str) -> tuple[str, ...]:
    """What with_activations calls f, g and h of the operator."""
    return ("candidate",) if kind == "RNN" else ("gates", "candidate", "output")[: len(DEFAULTS[kind])]


def default_activations(kind: str) -> tuple[Activation, ...]:
    return tuple(Activation(BY_ONNX_NAME[name.lower()]) for name in DEFAULTS[kind])


def operator_of(kind: str, attributes: dict[str, Any]) -> Operator:
    """The operator of these attributes. UnfitError for values that the operator's text does not have."""
    direction = text(attributes.get("direction", "forward"))
    if direction not in DIRECTIONS:
        raise UnfitError(f"its direction is {direction!r}: expected one of {', '.join(DIRECTIONS)}")
    directions = DIRECTIONS[direction]
    clip = attributes.get("clip")
    if clip is not None and not (clip > 0 and math.isfinite(clip)):
        raise UnfitError(f"its clip is {clip}: expected a number above 0")
    layout = attributes.get("layout", 0)
    if layout not in (0, 1):
        raise UnfitError(f"its layout is {layout}: expected 0 or 1")
    activations, differs = activations_of(kind, attributes, len(directions))
    return Operator(
        kind,
        directions,
        attributes.get("hidden_size"),
        activations,
        None if clip is None else short(clip),
        bool(attributes.get("input_forget", 0)),
        bool(attributes.get("linear_before_reset", 0)),
        layout == 1,
        differs,
    )


def activations_of(
    kind: str, attributes: dict[str, Any], directions: int
) -> tuple[tuple[tuple[Activation, ...], ...], tuple[str, ...]]:
    """f, g, h of each direction, alpha and beta used up in order by those functions alone that have such a number; and where onnxruntime
    has another default than the text.
    """
    names = [text(one) for one in attributes.get("activations", ())] or [*DEFAULTS[kind]] * directions
    size = len(DEFAULTS[kind])
    if len(names) != size * directions:
        raise UnfitError(f"it names {len(names)} activations: expected {size * directions}")
    alphas, betas = (iter(attributes.get(f"activation_{which}", ())) for which in ("alpha", "beta"))
    found, differs = [], {}
    for name in names:
        activation, defaulted = activation_of(name, alphas, betas)
        found.append(activation)
        if defaulted and activation.numbers != KINDS[activation.name].runtime_defaults:
            differs[
                f"without alpha, onnxruntime takes {KINDS[activation.name].runtime_defaults[0]:g} for {name}, the text"
                f" {activation.numbers[0]:g}"
            ] = True
    return tuple(tuple(found[at : at + size]) for at in range(0, len(found), size)), tuple(differs)


def activation_of(name: str, alphas: Iterator[float], betas: Iterator[float]) -> tuple[Activation, bool]:
    """One function, with the next alpha and beta that it needs, else the defaults of the operator's text; and whether it has a default."""
    ours = BY_ONNX_NAME.get(name.lower())
    if ours is None:
        raise UnfitError(f"its activation is {name!r}: expected one of {', '.join(one.onnx for one in KINDS.values())}")
    defaults: Sequence[float | None] = TEXTS_OWN.get(ours) or KINDS[ours].defaults or (None,) * KINDS[ours].numbers
    given = [next(source, None) for source, _ in zip((alphas, betas), defaults, strict=False)]
    numbers = [default if one is None else one for one, default in zip(given, defaults, strict=True)]
    there = [one for one in numbers if one is not None and math.isfinite(one)]
    if len(there) < len(numbers):
        raise UnfitError(f"its activation {name} has no finite alpha and beta, for which the operator's text has no default")
    return Activation(ours, tuple(map(short, there))), None in given


def short(number: float) -> float:
    """The shortest decimal that is the same number in float32, which the file's numbers are: 0.3, not 0.30000001192092896."""
    for digits in range(1, 10):
        found = float(f"{number:.{digits}g}")
        if struct.pack("f", found) == struct.pack("f", number):
            return found
    return number


def text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
