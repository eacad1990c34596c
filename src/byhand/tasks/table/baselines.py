"""What a series can be predicted with, without learning: its last value, or that of a season ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


def seasonal_naive(seen: Float[np.ndarray, "windows steps"], season: int, horizon: int) -> Float[np.ndarray, "windows horizon"]:
    """The seasonal-naive forecast: every value as `season` steps before, or as many seasons as it takes to be in what was seen;
    with season 1 the last value, persistence. Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd edition,
    2021, section 5.2.
    """
    steps = np.arange(horizon)
    return seen[:, seen.shape[1] + steps % season - season]


def errors(answer: Float[np.ndarray, "windows horizon"], target: Float[np.ndarray, "windows horizon"]) -> dict[str, float]:
    """Their mean square and mean size."""
    difference = answer.astype(np.float64) - target
    return {"mse": float((difference**2).mean()), "mae": float(np.abs(difference).mean())}


def season_of(values: Float[np.ndarray, " steps"], most: int) -> int:
    """The distance, at most `most` steps, after which a series is most like itself again; 1 if there is none.

    Where the autocorrelation r(k) of what is left of the values beside a straight line has its highest peak, if that is higher than
    0.1 and 3/√n, which chance exceeds at few of 1000 distances. r(k) = Σ_t v(t) v(t+k) / Σ_t v(t)², a sum over n − k terms
    divided by one over n, so that of a season and its double the season wins.
    """
    n = len(values)
    most = min(most + 1, n - 1)  # one more, to tell a peak
    if n < 4:
        return 1
    time = np.arange(n) - (n - 1) / 2
    rest = values - values.mean()
    rest = rest - time * (time @ rest) / (time @ time)
    power = rest @ rest
    if power <= 1e-12 * max(1.0, float(values @ values)):
        return 1
    likeness = np.array([rest[: n - k] @ rest[k:] for k in range(1, most + 1)]) / power
    peaks = [
        k
        for k in range(2, most)
        if likeness[k - 2] < likeness[k - 1] >= likeness[k] and likeness[k - 1] > max(0.1, 3 / np.sqrt(n))
    ]
    return max(peaks, key=lambda k: likeness[k - 1], default=1)
