"""Run: one call of one layer and direction, as it was recorded."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byhand.errors import UnknownSiteError

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def unknown(what: str, name: object, known: Sequence[str]) -> UnknownSiteError:
    """The error for a name that is not among the known ones, with the nearest of them first."""
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    listed = [*near, *(one for one in known if one not in near)]
    shown = ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")
    return UnknownSiteError(f"{what} knows no {name!r}; it knows {shown}")


@dataclass(eq=False)
class Run:
    """One call of one layer and direction, or several joined along time. Values are a tensor (time, batch, hidden) or its steps in
    order of time.

    cell: the cell's name. initial: state -> value before the first step. valid: False where a sequence has ended. starts: of joined
    calls, all but the first: the time at which the call begins, and its `initial`. restart: where sequences start again (reset=):
    state -> the value before each step that it starts again with, NaN at all others; empty if none does.
    """

    cell: str
    input: Float[Tensor, "time batch input"]
    valid: Bool[Tensor, "time batch"]
    initial: dict[str, Float[Tensor, "batch hidden"]]
    sites: dict[str, Tensor | Sequence[Tensor]]
    grads: dict[str, list[Tensor | None]] | None = None
    starts: list[tuple[int, dict[str, Tensor]]] = field(default_factory=list)
    restart: dict[str, Float[Tensor, "time batch hidden"]] = field(default_factory=dict)

    def value(self, site: str) -> Float[Tensor, "time batch hidden"]:
        """NaN where a sequence has ended: no step was computed there."""
        value = self.sites[site] = stacked(self.sites[site])
        return value if bool(self.valid.all()) else torch.where(self.valid.unsqueeze(-1), value, torch.nan)

    def grad(self, site: str) -> Float[Tensor, "time batch hidden"]:
        """0 where no gradient arrived."""
        assert self.grads is not None
        like = self.value(site)[0].detach()
        steps = [torch.zeros_like(like) if step is None else step for step in self.grads[site]]
        return torch.stack(steps)


def stacked(steps: Tensor | Sequence[Tensor]) -> Tensor:
    return steps if isinstance(steps, Tensor) else torch.stack(list(steps))


def steps_of(value: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return value.unbind(0) if isinstance(value, Tensor) else value


def join(place: str, runs: list[Run]) -> Run:
    """Several calls as one, along time. ValueError if their batches differ in size."""
    if len(sizes(runs)) > 1:
        raise ValueError(f"calls of {place or 'the layer'} with batches of {sizes(runs)} cannot be joined: say trace.call(0)")
    starts: list[tuple[int, dict[str, Tensor]]] = []
    time = 0
    for run in runs:
        starts += [(time, run.initial), *((time + start, initial) for start, initial in run.starts)]
        time += len(run.valid)
    return Run(
        runs[0].cell,
        torch.cat([run.input for run in runs]),
        torch.cat([run.valid for run in runs]),
        runs[0].initial,
        {site: [step for run in runs for step in steps_of(run.sites[site])] for site in runs[0].sites},
        join_grads([run.grads for run in runs]),
        starts[1:],
        {
            state: torch.cat([restarts(run, state) for run in runs])
            for state in runs[0].initial
            if any(run.restart for run in runs)
        },
    )


def restarts(run: Run, state: str) -> Float[Tensor, "time batch hidden"]:
    """What a state starts again with before each step; NaN where it does not."""
    initial = run.initial[state]
    return run.restart[state] if run.restart else initial.new_full((len(run.valid), *initial.shape), torch.nan)


def sizes(runs: Sequence[Run]) -> list[int]:
    """How many sequences the calls had: each number once, the least first."""
    return sorted({run.input.shape[1] for run in runs})


def join_grads(several: list[dict[str, list[Tensor | None]] | None]) -> dict[str, list[Tensor | None]] | None:
    there = [one for one in several if one is not None]
    return {site: [step for one in there for step in one[site]] for site in there[0]} if there else None


def detach(run: Run) -> Run:
    sites: dict[str, Tensor | Sequence[Tensor]] = {
        site: [step.detach() for step in steps_of(value)] for site, value in run.sites.items()
    }
    starts = [(time, copied(initial)) for time, initial in run.starts]
    return Run(
        run.cell, run.input.detach().clone(), run.valid, copied(run.initial), sites, run.grads, starts, copied(run.restart)
    )


def copied(initial: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """States that the caller gave, who may write over his."""
    return {state: value.detach().clone() for state, value in initial.items()}
