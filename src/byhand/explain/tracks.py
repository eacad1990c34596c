r"""Tracks: what can be said of every step of a sequence without the model, as numbers that find_units compares units with.

A track is a tensor with a number for each step, 0/1 or real, NaN where there is nothing to say. What they are is known as soon as
the step has been read, but for `to_newline`, which looks ahead. Those of texts are what Karpathy, Johnson & Fei-Fei, Visualizing and
Understanding Recurrent Networks, arXiv 1506.02078, 2015, found units for: the place in the line, quotes, brackets, indentation.

>>> column("ab\nc").tolist()
[0.0, 1.0, 2.0, 0.0]
>>> to_newline("ab\nc").tolist()
[2.0, 1.0, 0.0, nan]
>>> inside_quotes('a "b" c').tolist()
[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
>>> bracket_depth("f(g[0])").tolist()
[0.0, 1.0, 1.0, 2.0, 2.0, 1.0, 0.0]
>>> since(torch.tensor([0, 1, 0, 0])).tolist()
[nan, 0.0, 1.0, 2.0]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

if TYPE_CHECKING:
    from jaxtyping import Float

__all__ = [
    "bracket_depth",
    "column",
    "digit",
    "indentation",
    "inside_brackets",
    "inside_quotes",
    "level",
    "phase",
    "series",
    "since",
    "slope",
    "start_of_word",
    "text",
    "to_newline",
]

TAB = 8  # columns between two stops of a tab, as Python counts indentation
OPENING, CLOSING = "([{", ")]}"


def text(*texts: str) -> dict[str, Float[Tensor, "time batch"]]:
    """All tracks of a text, or of several that were read as one batch.

    Of pieces of a longer text, column, quotes and brackets begin again with each piece; to have them right, make the tracks of
    the whole and cut these.

    Args:
        texts: one for each sequence, a step a character.

    Returns:
        Name of a track -> (time, batch), NaN where a text has ended: column, to newline, indentation, inside quotes, inside
        brackets, bracket depth, start of word, digit.

    Raises:
        TypeError: what is given is no text.
        ValueError: there is none, or all are empty.
    """
    if not all(isinstance(one, str) for one in texts):
        raise TypeError(
            f"tracks.text expected texts, as in tracks.text('ab', 'cd'), got {texts!r:.60}: a list is given as *texts"
        )
    if not any(texts):
        raise ValueError("tracks.text expected at least one text that is not empty")
    makers: dict[str, Callable[[str], Tensor]] = {
        "column": column,
        "to newline": to_newline,
        "indentation": indentation,
        "inside quotes": inside_quotes,
        "inside brackets": inside_brackets,
        "bracket depth": bracket_depth,
        "start of word": start_of_word,
        "digit": digit,
    }
    return {name: pad_sequence([make(one) for one in texts], padding_value=math.nan) for name, make in makers.items()}


def column(text: str) -> Float[Tensor, " time"]:
    """How many characters of its line come before it; a newline belongs to the line that it ends."""
    found, at = [], 0
    for one in text:
        found.append(at)
        at = 0 if one == "\n" else at + 1
    return numbers(found)


def to_newline(text: str) -> Float[Tensor, " time"]:
    """How many steps it is to the next newline, 0 at the newline itself; NaN behind the last one."""
    found, left = [], math.nan
    for one in reversed(text):
        left = 0 if one == "\n" else left + 1
        found.append(left)
    return numbers(found[::-1])


def indentation(text: str) -> Float[Tensor, " time"]:
    """The columns of white space with which its line began, as far as they have been read; a tab goes on to the next multiple of 8."""
    found, width, leading = [], 0, True
    for one in text:
        leading = leading and one in " \t"
        if leading:
            width = width + 1 if one == " " else (width // TAB + 1) * TAB
        found.append(width)
        if one == "\n":
            width, leading = 0, True
    return numbers(found)


def inside_quotes(text: str, quotes: str = "\"'") -> Float[Tensor, " time"]:
    """Track quotations: 1 from a quotation mark up to the character before the one that closes it.

    An apostrophe after a letter or digit opens nothing. A blank line ends a quotation that was never closed.

    Args:
        text: a step a character.
        quotes: the marks that open, each closed by itself.

    Returns:
        (time,), 0 or 1.
    """
    found, mark, before = [], "", ""
    for one in text:
        if mark:
            mark = "" if one == mark or before + one == "\n\n" else mark
        elif one in quotes and not (one == "'" and before.isalnum()):
            mark = one
        found.append(bool(mark))
        before = one
    return numbers(found)


def bracket_depth(text: str) -> Float[Tensor, " time"]:
    """How many of the brackets ( [ { are open once the character has been read; never below 0, whatever is closed too often."""
    found, depth = [], 0
    for one in text:
        depth = max(0, depth + (one in OPENING) - (one in CLOSING))
        found.append(depth)
    return numbers(found)


def inside_brackets(text: str) -> Float[Tensor, " time"]:
    """1 where a bracket is open."""
    return (bracket_depth(text) > 0).float()


def start_of_word(text: str) -> Float[Tensor, " time"]:
    """1 at a letter, digit or _ that comes after none."""
    found, inside = [], False
    for one in text:
        word = one.isalnum() or one == "_"
        found.append(word and not inside)
        inside = word
    return numbers(found)


def digit(text: str) -> Float[Tensor, " time"]:
    """1 at a digit."""
    return numbers([one.isdigit() for one in text])


def series(
    values: Any, *, period: float | None = None, events: Any = None
) -> dict[str, Float[Tensor, "time batch"] | Float[Tensor, " time"]]:
    """All tracks of a series of numbers, or of several that were read as one batch.

    Args:
        values: (time,) or (time, batch); NaN where one has ended.
        period: steps after which a season comes again, as in 12 for months; without it there is no phase.
        events: 0/1, as large as `values`; without them there is no time since the last one.

    Returns:
        Name of a track -> as large as `values`: level, slope, phase (cosine), phase (sine), since event.

    Raises:
        TypeError: what is given are no numbers.
        ValueError: they have not one or two dimensions, `period` is not above 0, or `events` has another shape.
    """
    values = array(values, "tracks.series")
    found = {"level": level(values), "slope": slope(values)}
    if period is not None:
        found |= {f"phase ({name})": wave.masked_fill(values.isnan(), math.nan) for name, wave in phase(values, period).items()}
    if events is not None:
        events = array(events, "tracks.series")
        if events.shape != values.shape:
            raise ValueError(f"tracks.series expected events of shape {tuple(values.shape)}, got {tuple(events.shape)}")
        found["since event"] = since(events).masked_fill(values.isnan(), math.nan)
    return found


def level(values: Any) -> Float[Tensor, "time ..."]:
    """The numbers themselves."""
    return array(values, "tracks.level")


def slope(values: Any) -> Float[Tensor, "time ..."]:
    """By how much each number is above the one before; NaN at the first."""
    values = array(values, "tracks.slope")
    return torch.cat([torch.full_like(values[:1], math.nan), values.diff(dim=0)])


def phase(values: Any, period: float) -> dict[str, Float[Tensor, "time ..."]]:
    """Where in its season each step is, on a circle: a season's end is next to its start.

    Args:
        values: (time,) or (time, batch); only how many steps there are matters.
        period: steps after which a season comes again.

    Returns:
        "cosine" and "sine" of 2π t / period, as large as `values`.

    Raises:
        TypeError: `values` are no numbers.
        ValueError: `period` is not above 0.
    """
    values = array(values, "tracks.phase")
    if isinstance(period, bool) or not isinstance(period, Real) or not 0 < period < math.inf:
        raise ValueError(f"tracks.phase expected a period in steps, above 0, got {period!r}")
    turn = 2 * math.pi * torch.arange(len(values), dtype=torch.float64) / float(period)
    turn = turn.reshape(-1, *[1] * (values.dim() - 1)).expand(values.shape)
    return {"cosine": turn.cos().float(), "sine": turn.sin().float()}


def since(events: Any) -> Float[Tensor, "time ..."]:
    """How many steps ago the last event was, 0 at the event itself; NaN before the first.

    events: (time,) or (time, batch), 1 at an event, 0 elsewhere.
    """
    events = array(events, "tracks.since")
    steps = torch.arange(len(events)).reshape(-1, *[1] * (events.dim() - 1)).expand(events.shape)
    last = torch.where(events == 1, steps, -1).cummax(0).values
    return torch.where(last < 0, math.nan, (steps - last).float())


def numbers(found: Iterable[float]) -> Float[Tensor, " time"]:
    return torch.tensor(list(found), dtype=torch.float32)


def array(values: Any, purpose: str) -> Float[Tensor, "time ..."]:
    """As a tensor on the CPU, at least in float32. TypeError for what is no array of numbers; ValueError for other dimensions."""
    try:
        found = torch.as_tensor(values).detach().cpu()
        found = found if found.dtype in (torch.float32, torch.float64) else found.to(torch.float32)
    except (TypeError, ValueError, RuntimeError) as problem:
        raise TypeError(f"{purpose} expected an array of numbers, got a {type(values).__name__}: {problem}") from problem
    if found.dim() not in (1, 2) or not found.numel():
        raise ValueError(f"{purpose} expected (time,) or (time, batch), got the shape {tuple(found.shape)}")
    return found
