"""Memories that grow without bound, until what they hold is heard no more.

    early, late = mean |c| in the second and in the last quarter of a sequence
    heard       = greatest |∂y/∂c_t| in the last quarter, of the greatest by any unit at any step; y: a mixture of all outputs

A unit has run away where late > 2 · early and late > 3, where a tanh is all but flat. One such unit is no fault: trained models that
are well have them, a quarter of the units of one that adds without an error, and up to three quarters of those that count. So a layer
drifts where half of its units have run away, and four fifths of all are heard no more.

Gers, Schmidhuber & Cummins, Learning to Forget: Continual Prediction with LSTM, Neural Computation 12(10), 2000: cells without forget
gates grow so on a stream, and their layer loses its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from byhand.engine.names import is_reverse
from byhand.explain.calls import goes_on, states_after
from byhand.explain.diagnose.findings import Finding, units
from byhand.explain.lookup import in_order, name_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from byhand.trace.run import Run

GROWN, LARGE = 2.0, 3.0  # tanh(3) = 0.995
AWAY, DEAF = 0.5, 0.8  # of the units
FAINT = 1e-3  # a latch, held at 4 or 5, is heard more than that
MOST = (
    0.5  # of the steps of the data: a trained model of the Reber grammar grows in the few that are twice as long as the others
)
LEAST = 16  # steps


class Stretch(NamedTuple):
    """What a memory did along some steps, each of which starts from what the one before has left."""

    early: Float[Tensor, " hidden"]
    late: Float[Tensor, " hidden"]
    heard: Float[Tensor, " hidden"]


@dataclass
class Drift:
    """What is to be known of one state of one layer and direction, over all of the data."""

    place: str
    state: str
    stretches: list[Stretch]
    steps: int = 0
    long: int = 0
    loudest: float = 0.0

    def add(self, run: Run, by_memory: Float[Tensor, "time batch hidden"]) -> None:
        """One call, or several joined along time. by_memory: ∂y/∂c_t."""
        reverse = is_reverse(self.place)
        size = states_after(run, self.state, reverse=reverse).detach().double().abs()
        loud = in_order(by_memory, reverse=reverse).double().abs()
        self.steps += int(run.valid.sum())
        self.loudest = max(self.loudest, loud.max().item())
        for item, times in unbroken(run, self.state, reverse=reverse):
            if len(times) >= LEAST:
                quarter, along = len(times) // 4, size[times, item]
                early, late = along[quarter : 2 * quarter].mean(0), along[-quarter:].mean(0)
                self.stretches.append(Stretch(early, late, loud[times, item][-quarter:].amax(0)))
                self.long += len(times)

    def findings(self) -> Iterator[Finding]:
        """Nothing is said where long sequences are less than half of the data: the longest of a batch may be so for what was counted."""
        if not self.stretches or self.long < MOST * self.steps:
            return
        early, late = (torch.stack([getattr(one, name) for one in self.stretches]).mean(0) for name in ("early", "late"))
        heard = torch.stack([one.heard for one in self.stretches]).amax(0) > FAINT * self.loudest
        away = ((late > GROWN * early) & (late > LARGE)).nonzero().flatten().tolist()
        if len(away) < AWAY * len(late) or int((~heard).sum()) < DEAF * len(late):
            return
        unit = max(away, key=lambda one: late[one].item())
        yield Finding(
            "drift",
            name_of(self.place, self.state),
            f"{units(away, len(late))}: |{self.state}| of unit {unit} is {early[unit].item():.3g} on average in the second"
            f" quarter of the time and {late[unit].item():.3g} in the last, over {len(self.stretches)} sequences; of {len(late)} units,"
            f" {int(heard.sum())} are still heard then",
            "What is written always adds up in one direction, and beyond 3 a tanh gives nearly the same for all values. A forget"
            " gate where there is none (Gers, Schmidhuber & Cummins 2000 made it for this) or a lower bias of it, shorter sequences or"
            " a reset between them.",
        )


def unbroken(run: Run, state: str, *, reverse: bool) -> Iterator[tuple[int, Sequence[int]]]:
    """Sequence and times, in the direction's order, of every stretch of steps."""
    valid, on = in_order(run.valid, reverse=reverse), goes_on(run, state, reverse=reverse)
    for item in range(valid.shape[1]):
        times = valid[:, item].nonzero().flatten()
        starts = (~on[times, item]).nonzero().flatten()
        for part in times.tensor_split(starts[1:].cpu()):
            yield item, part.tolist()
