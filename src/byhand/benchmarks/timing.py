"""Clocks: time of a call, memory of a call, the machine's fastest matrix product."""

import gc
import os
import time
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from math import ceil
from typing import Any, NamedTuple

import torch
from torch.autograd.profiler import profile

from byhand.benchmarks.contenders import Call, Contender

TURN_SECONDS = 0.005  # at least, of one turn of a contender
QUANTITY_SECONDS = 1.0  # after which no further round begins, once there are enough

Take = Callable[[int], float]  # number of calls in a row -> seconds
Round = dict[str, float]  # contender -> seconds, or bytes, of one call


class Rounds(NamedTuple):
    """How many at least, and at most."""

    least: int
    most: int


def wall(call: Call) -> Take:
    return timeit.Timer(call).timeit


def events(call: Call) -> Take:
    """The GPU's own clock: from the start of the first call's work to the end of the last one's."""

    def take(number: int) -> float:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        for _ in range(number):
            call()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1000

    return take


CLOCKS: dict[str, Callable[[Call], Take]] = {"cpu": wall, "cuda": events}


def repeats(take: Take) -> int:
    """How many calls make a turn long enough; short calls are tried twice, lest a stall count as a long call."""
    number = 1
    while (taken := take(number)) < TURN_SECONDS or (taken < 4 * TURN_SECONDS and (taken := take(number)) < TURN_SECONDS):
        number = max(2 * number, ceil(1.1 * number * TURN_SECONDS / max(taken, 1e-9)))
    return number


def measure(
    contenders: Sequence[Contender],
    quantity: str,
    device: str,
    limits: Rounds,
    rounds: list[Round],
    seconds: float = QUANTITY_SECONDS,
) -> None:
    """Adds one whole round after another, each beginning with another contender. seconds: after which no further round begins, once
    there are enough.
    """
    turns: list[tuple[Contender, Take, int]] = []
    for contender in contenders:
        take = CLOCKS[device](contender.calls[quantity])
        with contender.scope(quantity):
            turns.append((contender, take, repeats(take)))
    end = time.perf_counter() + seconds
    while len(rounds) < limits.most and (len(rounds) < limits.least or time.perf_counter() < end):
        taken: Round = {}
        for contender, take, number in turns:
            with contender.scope(quantity):
                taken[contender.name] = take(number) / number
        turns.append(turns.pop(0))
        rounds.append(taken)


def peak_memory(contender: Contender) -> float:
    """The most bytes that a step of training holds at any time."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # or it notes its start and stop on stderr
    gc.collect()
    recorder = profile(profile_memory=True)
    with contender.scope("memory"), recorder:
        contender.calls["training"]()
    results: Any = recorder.kineto_results
    return max(accumulate(event.nbytes() for event in results.events() if event.name() == "[memory]"))


class Peaks:
    """The fastest square torch.mm of each precision, in operations a second: measured when a precision is first met, and again at
    the end, for a machine's speed changes while one measures.
    """

    def __init__(self, device: str, seconds: float) -> None:
        self.device, self.seconds = device, seconds
        self.fastest: dict[str, float] = {}
        self.met: dict[str, Callable[[], Any]] = {}

    def meet(self, contender: Contender) -> None:
        if contender.precision not in self.met:
            self.met[contender.precision] = contender.around
            self.measure(contender.precision)

    def measure_again(self) -> None:
        for precision in self.met:
            self.measure(precision)

    def measure(self, precision: str) -> None:
        with self.met[precision]():
            found = fastest_product(getattr(torch, "float32" if precision == "tf32" else precision), self.device, self.seconds)
        self.fastest[precision] = max(found, self.fastest.get(precision, 0))


def fastest_product(dtype: torch.dtype, device: str, seconds: float) -> float:
    """In operations a second, over sizes from 512 up, as long as one product fits into the seconds that each size has."""
    best, size = 0.0, 512
    while size <= (2048 if device == "cpu" else 8192):
        one, other = torch.randn(2, size, size, dtype=dtype, device=device)
        take = CLOCKS[device](partial(torch.mm, one, other, out=torch.empty_like(one)))
        took, end = [take(2) / 2], time.perf_counter() + seconds
        while time.perf_counter() < end:
            took.append(take(1))
        best, size = max(best, 2 * size**3 / min(took)), 2 * size
        if 8 * min(took) > seconds:  # what the next one would take
            break
    return best
