"""Searched settings: the same values for every variant of every task, spread over their ranges.

The values are Halton's sequence (On the efficiency of certain quasi-random sequences of points in evaluating multi-dimensional
integrals, Numerische Mathematik 2, 1960), moved by the seed and taken around: few of them cover a range, and more of them fill the
gaps of those before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats.qmc import Halton

from byhand.errors import StudyError
from byhand.study.arguments import fitting, parameters
from byhand.study.errors import refuse_unknown
from byhand.train import SequenceModel

SEED = 1000  # draws the values, and is the seed of the trainings that compare them


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, evenly or, if log, their logarithms evenly; or choices, as many of each."""

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[Any, ...] = ()

    def at(self, share: float) -> Any:
        """What lies so far up in the range, 0 … 1, or among the choices."""
        if self.choices:
            return self.choices[int(share * len(self.choices))]
        low, high = self.low, self.high + self.whole  # whole numbers each have the stretch up to the next
        value = low * (high / low) ** share if self.log else low + share * (high - low)
        return int(self.within(math.floor(value))) if self.whole else self.within(float(f"{value:.4g}"))

    def within(self, value: float) -> float:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Search:
    """`trials` trainings with seed `seed` for each variant of each task; the best by validation goes on to all seeds."""

    ranges: Mapping[str, Range]
    trials: int
    seed: int

    def candidates(self) -> list[dict[str, Any]]:
        """The values to try, each once. More trials: the same values first."""
        moves = np.random.default_rng(self.seed).random(len(self.ranges))
        points = (Halton(len(self.ranges), scramble=False).random(self.trials) + moves) % 1
        found: list[dict[str, Any]] = []
        for shares in points.tolist():
            values = {name: self.ranges[name].at(share) for name, share in zip(sorted(self.ranges), shares, strict=True)}
            found += [values] if values not in found else []
        return found


def read(content: Any, where: str) -> Search:
    """What the file says under search. StudyError for what it cannot mean."""
    if not isinstance(content, dict):
        raise StudyError(f"{where}: expected settings with low and high, and trials; got {content!r}")
    trials, seed = content.get("trials"), content.get("seed", SEED)
    for name, value, least in (("trials", trials, 1), ("seed", seed, 0)):
        if type(value) is not int or value < least:
            raise StudyError(f"{where}: {name}: expected a whole number of at least {least}, got {value!r}")
    searched = {name: one for name, one in content.items() if name not in ("trials", "seed")}
    refuse_unknown(where, searched, parameters(SequenceModel, apart=("form",)))
    if not searched:
        raise StudyError(f"{where}: expected settings to search, as in learning_rate: {{low: 1e-3, high: 1e-1, log: true}}")
    return Search({name: _range(one, name, f"{where}: {name}") for name, one in searched.items()}, int(trials or 0), int(seed))


def _range(content: Any, name: str, where: str) -> Range:
    if not isinstance(content, dict) or not ({"low", "high"} <= content.keys() or content.keys() == {"choices"}):
        raise StudyError(f"{where}: expected low and high, and perhaps log: true; or choices: got {content!r}")
    parameter = parameters(SequenceModel)[name]
    if "choices" in content:
        if not isinstance(content["choices"], list) or not content["choices"]:
            raise StudyError(f"{where}: expected choices to be a list, got {content['choices']!r}")
        return Range(choices=tuple(fitting(where, one, parameter) for one in content["choices"]))
    refuse_unknown(where, content, ("low", "high", "log"))
    low, high, log = content["low"], content["high"], content.get("log", False)
    if type(log) is not bool:
        raise StudyError(f"{where}: expected log to be true or false, got {log!r}")
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (low, high))
    if not numbers or not low < high or (log and not low > 0):
        raise StudyError(f"{where}: expected low below high{', and above 0' if log else ''}; got {low!r} and {high!r}")
    low, high = fitting(where, low, parameter), fitting(where, high, parameter)
    return Range(low, high, log, whole=isinstance(low, int))
