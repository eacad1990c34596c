"""Calls timed in turn in one process, in many short bursts: what disturbs the machine meets all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

CALLS = 10  # of a burst


def bursts(calls: Mapping[str, Callable[[], object]], count: int, *, warm: int = 0) -> dict[str, list[float]]:
    """Microseconds a call, burst after burst. warm: calls before the clock starts."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(warm):
            call()
    for _ in range(count):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            taken[name].append(1e6 * (time.perf_counter() - start) / CALLS)
    return taken
