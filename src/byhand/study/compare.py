"""Variants compared over seeds: medians, quartiles, and a paired test against the base.

Wilcoxon's signed-rank test (Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1(6), 1945), two-sided, on the
differences variant − base of equal seeds, as scipy.stats.wilcoxon does it: exact up to 50 pairs without equal differences. Holm's
correction (A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2), 1979) for all the
comparisons within a task: the i-th smallest of m p-values is multiplied by m − i + 1, and is not less than the one before it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import wilcoxon

Values = Mapping[int, float]  # of one variant, by seed


class Row(NamedTuple):
    """Of one variant on one task. low, high: quartiles. lost: values that are not finite; they count as the worst.

    pairs: seeds that the base has, too. effect: the median of the differences variant − base; None where it lies between −∞ and ∞.
    p: of Wilcoxon's test, and holm: after Holm's correction; None for the base, and where there is no pair.
    """

    variant: str
    n: int
    median: float
    low: float
    high: float
    lost: int
    pairs: int
    effect: float | None
    p: float | None
    holm: float | None


def compare(values: Mapping[str, Values], base: str) -> list[Row]:
    """A row for every variant that has values, in their order."""
    tested = {name: _test(some, values.get(base, {})) for name, some in values.items() if name != base}
    known = {name: p for name, (_, _, p) in tested.items() if p is not None}
    corrected = dict(zip(known, holm(list(known.values())), strict=True))
    rows = []
    for name, some in values.items():
        if not some:
            continue
        numbers = list(some.values())
        low, median, high = quartiles(numbers)
        lost = sum(not math.isfinite(one) for one in numbers)
        pairs, effect, p = tested.get(name, (0, None, None))
        rows.append(Row(name, len(numbers), median, low, high, lost, pairs, effect, p, corrected.get(name)))
    return rows


def quartiles(numbers: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile, by linear interpolation; infinite where that takes in a value that is, NaN where it is
    between −∞ and ∞.
    """
    low, median, high = (_quantile(sorted(numbers), share) for share in (0.25, 0.5, 0.75))
    return low, median, high


def _quantile(rising: Sequence[float], share: float) -> float:
    if all(map(math.isfinite, rising)):
        return float(np.quantile(rising, share))
    at = share * (len(rising) - 1)
    one, next_one = rising[math.floor(at)], rising[math.ceil(at)]
    if math.isinf(one) and math.isinf(next_one) and one != next_one:
        return math.nan
    if math.isinf(one) or math.isinf(next_one):
        return one if math.isinf(one) else next_one
    return one + (at - math.floor(at)) * (next_one - one)


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrected, in the order given; none above 1."""
    corrected, least = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[at]))
        corrected[at] = least
    return corrected


def _test(some: Values, base: Values) -> tuple[int, float | None, float | None]:
    """Pairs, median difference and p."""
    seeds = [seed for seed in some if seed in base]
    if not seeds:
        return 0, None, None
    differences = [0.0 if some[seed] == base[seed] else some[seed] - base[seed] for seed in seeds]
    found: Any = wilcoxon(differences) if any(differences) else None
    p = 1.0 if found is None else float(found.pvalue)
    effect = quartiles(differences)[1]
    return len(seeds), None if math.isnan(effect) else effect, p
