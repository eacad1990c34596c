"""What was read at each step, written along an axis: all of it where it fits, else every second, fifth, tenth … with its step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from byhand.plots.style import SMALL, inches, visible

if TYPE_CHECKING:
    from matplotlib.axis import Axis

TINY = 7.0  # points: all letters in small type are worth more than some in large
LINE = 1.3 / 72  # inches of a line's height, for each point of its type
GAP = 0.02  # inches between two labels beside each other
BETWEEN = 0.12  # the same where their steps stand below them


class Spelling(NamedTuple):
    """steps: those that have a label. every: the distance between them. points: size of the type. turned: whether it is on its side."""

    steps: list[int]
    labels: list[str]
    every: int
    points: float
    turned: bool

    @property
    def words(self) -> str:
        """As in "what was read at every 5th"."""
        return "what was read at each" if self.every == 1 else f"what was read at every {ordinal(self.every)}"

    def put_on(self, axis: Axis) -> None:
        axis.set_ticks(self.steps, self.labels, rotation=90 if self.turned else 0)
        axis.set_tick_params(length=3 if self.turned or self.every > 1 else 0, labelsize=self.points)


def across(times: np.ndarray, characters: Sequence[str], room: float) -> Spelling:
    """For a horizontal axis, `room` inches wide: upright, or words on their side."""
    tokens = [visible(one) for one in characters]
    return next(one for one in tried(times, tokens, down=False) if fits_across(one, room / len(tokens)))


def down(times: np.ndarray, characters: Sequence[str], room: float) -> Spelling:
    """The same for a vertical axis, always upright."""
    distance = room / len(characters)
    tokens = [visible(one) for one in characters]
    return next(one for one in tried(times, tokens, down=True) if lonely(one) or LINE * one.points <= one.every * distance)


def tried(times: np.ndarray, tokens: Sequence[str], *, down: bool) -> Iterator[Spelling]:
    """From all of it to a single label, what reads best first."""
    turned = [False, True] if not down and max(map(len, tokens)) > 1 else [False]
    for every in (step * 10**power for power in range(12) for step in (1, 2, 5)):
        chosen = [at for at in range(len(tokens)) if times[at] % every == 0] or [0]
        steps = [int(times[at]) for at in chosen]
        for points in (SMALL, TINY) if every == 1 else (SMALL,):
            for side in turned:
                labels = [tokens[at] if every == 1 else numbered(tokens[at], int(times[at]), side, down) for at in chosen]
                yield Spelling(steps, labels, every, points, side)


def numbered(token: str, step: int, turned: bool, down: bool) -> str:
    """A label with its step: the token next to the axis, but on its side, where the step ends it."""
    return f"{token}  {step}" if turned else f"{step}  {token}" if down else f"{token}\n{step}"


def fits_across(one: Spelling, distance: float) -> bool:
    if lonely(one):
        return True
    if one.turned:
        return LINE * one.points <= one.every * distance
    widths = [max(inches(line, one.points) for line in label.split("\n")) for label in one.labels]
    gap = GAP if one.every == 1 else BETWEEN
    return all((left + right) / 2 + gap < one.every * distance for left, right in pairwise(widths))


def lonely(one: Spelling) -> bool:
    """A label by itself always fits; of several steps it is to be the last resort."""
    return len(one.labels) == 1


def ordinal(number: int) -> str:
    return f"{number}{'nd' if number == 2 else 'th'}"
