"""Whether contenders compute the same: nobody is timed who does not."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from byhand.benchmarks.contenders import Call, Contender

TOLERANCE = {
    torch.float32: 1e-4,
    torch.float64: 1e-10,
}  # of a result's greatest value, if above 1; whole numbers must be equal


class DisagreementError(Exception):
    """Two contenders give different results."""


class Results:
    """What calls give; each is called once."""

    def __init__(self) -> None:
        self.known: dict[int, list[Tensor]] = {}

    def of(self, contender: Contender, quantity: str) -> list[Tensor]:
        """Outputs, states and, of training, gradients. The same random numbers are drawn in each call."""
        call = call_of(contender, quantity)
        if id(call) not in self.known:
            torch.manual_seed(1)
            with contender.scope(quantity):
                self.known[id(call)] = [value.detach().flatten() for value in tensors(call())]
        return self.known[id(call)]


def call_of(contender: Contender, quantity: str) -> Call:
    """Inference of any kind must give what plain inference gives."""
    return contender.calls.get(quantity) or contender.calls["forward"]


def tensors(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor) or result is None:
        return [] if result is None else [result]
    return [tensor for part in result for tensor in tensors(part)]


def check_agreement(contenders: Sequence[Contender]) -> None:
    """Runs every call once, so that whatever only a first call does is done. DisagreementError if a contender gives anything else
    than its truth does.
    """
    results = Results()
    for contender in contenders:
        for quantity in contender.calls:
            found = results.of(contender, quantity)
            if contender.truth:
                expected = results.of(contender.truth, quantity)
                rough = results.of(contender.yardstick, quantity) if contender.yardstick else [None] * len(expected)
                try:
                    compare(found, expected, rough)
                except (AssertionError, ValueError) as problem:
                    names, reason = f"{contender.name} and {contender.truth.name}", " ".join(str(problem).split())
                    raise DisagreementError(f"{names} do not agree in {quantity}, so nothing is timed: {reason}") from problem


def compare(found: Sequence[Tensor], expected: Sequence[Tensor], rough: Sequence[Tensor | None]) -> None:
    """In low precision an error may be twice that of a plain loop in the same precision: no tolerance fits all shapes there."""
    for one, other, by in zip(found, expected, rough, strict=True):
        greatest = max(1, other.abs().max().item())
        if by is None:
            allowed = TOLERANCE.get(other.dtype, 0) * greatest
        else:
            allowed = 2 * (by.to(other) - other).abs().max().item() + torch.finfo(by.dtype).eps * greatest
        torch.testing.assert_close(one.to(other), other, rtol=0, atol=allowed)
