"""The sentence that the page opens with: what this model does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

KNOWN = {
    "lstm": "An LSTM",
    "peephole": "An LSTM with peepholes",
    "cifg": "An LSTM with coupled gates",
    "gru": "A GRU",
    "gru_reset_before": "A GRU",
    "rnn": "A plain RNN",
    "slstm": "An sLSTM",
    "min_lstm": "A minLSTM",
    "lstm_1997": "An LSTM as of 1997",
    "layernorm_lstm": "An LSTM with layer normalisation",
}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NAMED, LONGEST = 3, 30  # inputs that are named, and how many letters a name may have for it


def checked(about: object) -> str | None:
    """The sentence that was given, in one line; None if there is none. TypeError, ValueError if it is no text."""
    if about is None:
        return None
    if not isinstance(about, str):
        raise TypeError(
            f"about: expected a sentence that says what the model does, got a {type(about).__name__}: {about!r:.60}"
        )
    words = " ".join(about.split())
    if not words:
        raise ValueError(
            f"about: expected a sentence that says what the model does, got {about!r}: leave it out, and one is made"
        )
    return words


def sentence(
    layers: Sequence[dict[str, Any]], cell: str, features: Sequence[str] | None, characters: Sequence[str] | None
) -> str:
    """Made of what is known: "An LSTM of 32 units, in one layer, that reads 64 features"."""
    both = any(one["reverse"] for one in layers)
    sizes = sorted({one["hidden"] for one in layers})
    model = in_words(cell, sizes, len({one["layer"] for one in layers}), both=both)
    return f"{model}, that {reads(layers[0]['input'], features, characters)}."


def in_words(cell: str, sizes: Sequence[int], layers: int, *, both: bool) -> str:
    """The model by its cell, its units and its layers; sizes: units of a layer, ascending."""
    units = f"{sizes[0]} to {sizes[-1]} units" if len(sizes) > 1 else f"{sizes[0]} unit{'s' * (sizes[0] != 1)}"
    kind = KNOWN.get(cell) or f"A recurrent network ({cell})"
    number = NUMBERS[layers] if layers < len(NUMBERS) else str(layers)
    stack = "in one layer" if layers == 1 else f"a layer, in {number} layers"
    return f"{kind} of {units}{', ' if layers == 1 else ' '}{stack}{' and both directions' if both else ''}"


def reads(inputs: int, features: Sequence[str] | None, characters: Sequence[str] | None) -> str:
    """What comes in at a step."""
    if characters is not None:
        single = all(len(one) <= 1 for one in characters)
        return "reads text, character by character" if single else "reads text, word by word"
    if features is not None and len(features) <= NAMED and all(0 < len(one) <= LONGEST for one in features):
        *rest, last = features
        return f"reads {', '.join(rest)} and {last} at each step" if rest else f"reads one number at each step, {last}"
    return "reads one number at each step" if inputs == 1 else f"reads {inputs} features at each step"
