"""Trace: what layers computed, as a value. A name is PLACE.SITE: "l0.f", "l1.reverse.c", in a model "encoder.l0.f"."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Bool, Float


class UnknownSiteError(KeyError):
    """A name that is not there; says which are."""

    def __str__(self) -> str:
        return self.args[0]


def unknown(what: str, name: object, known: Sequence[str]) -> UnknownSiteError:
    """The error for a name that is not among the known ones, with the nearest of them first."""
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    listed = [*near, *(one for one in known if one not in near)]
    shown = ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")
    return UnknownSiteError(f"{what} knows no {name!r}; it knows {shown}")


@dataclass(eq=False)
class Run:
    """One call of one layer and direction. Values are a tensor (time, batch, hidden) or its steps in order of time.

    cell: the cell's name. initial: state -> value before the first step. valid: False where a sequence has ended.
    """

    cell: str
    input: Float[Tensor, "time batch input"]
    valid: Bool[Tensor, "time batch"]
    initial: dict[str, Float[Tensor, "batch hidden"]]
    sites: dict[str, Tensor | Sequence[Tensor]]
    grads: dict[str, list[Tensor | None]] | None = None

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


@dataclass(eq=False)
class Trace(Mapping[str, Tensor]):
    """What layers computed while they were recorded: a mapping name -> (time, batch, hidden), in order of layer and step.

    Time and batch are the caller's, whatever batch_first, packing or direction: step t is the t-th of the input, sequence b the
    b-th that was given. Where a sequence has ended, values are NaN and `valid` is False. After a projection "h" is as wide as
    that; "m" is the output before it.
    """

    runs: dict[str, list[Run]] = field(default_factory=dict)

    def _find(self, name: str) -> tuple[Run, str]:
        place, _, site = str(name).rpartition(".")
        if place in self.runs and site in self.runs[place][0].sites:
            return self.run(place), site
        raise unknown("the trace", name, list(self))

    def __getitem__(self, name: str) -> Float[Tensor, "time batch hidden"]:
        run, site = self._find(name)
        return run.value(site)

    def __iter__(self) -> Iterator[str]:
        return (f"{place}.{site}" if place else site for place, runs in self.runs.items() for site in runs[0].sites)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        lines = [describe(place, runs) for place, runs in self.runs.items()]
        return "\n".join(["Trace (time x batch x hidden)", *(lines or ["  nothing yet"])])

    @property
    def places(self) -> tuple[str, ...]:
        """The layers and directions: "l0", "l0.reverse", ..."""
        return tuple(self.runs)

    def dims(self, name: str) -> tuple[str, str, str]:
        """What the three dimensions of a value mean. UnknownSiteError."""
        self._find(name)
        return ("time", "batch", "hidden")

    def cell(self, place: str) -> str:
        """The name of the cell there."""
        return self.run(place).cell

    def input(self, place: str) -> Float[Tensor, "time batch input"]:
        """What went into that layer."""
        return self.run(place).input

    def valid(self, place: str) -> Bool[Tensor, "time batch"]:
        """False where a sequence has ended."""
        return self.run(place).valid

    def initial(self, name: str) -> Float[Tensor, "batch hidden"]:
        """A state before the first step, as in trace.initial("l0.c"). UnknownSiteError."""
        place, _, state = name.rpartition(".")
        run = self.run(place)
        if state not in run.initial:
            raise unknown("the trace's first states", name, [f"{place}.{one}" if place else one for one in run.initial])
        return run.initial[state]

    def run(self, place: str) -> Run:
        """All that is known of the one call of a place. UnknownSiteError; LookupError if there were several."""
        if place not in self.runs:
            raise unknown("the trace", place, list(self.runs))
        if len(self.runs[place]) > 1:
            raise LookupError(
                f"the trace holds {len(self.runs[place])} calls of {place or 'the layer'}: say trace.call(0)[...] for one of"
                " them, or trace.joined()[...] for all of them along time"
            )
        return self.runs[place][0]

    @property
    def grad(self) -> Mapping[str, Float[Tensor, "time batch hidden"]]:
        """Name -> gradient of what was differentiated, by that value, once backward has run. LookupError if it was not recorded."""
        if any(run.grads is None for runs in self.runs.values() for run in runs):
            raise LookupError("the trace holds no gradients: record(model, gradients=True), then run backward()")
        return Gradients(self)

    def call(self, index: int) -> Trace:
        """The trace of the index-th call of every layer. IndexError."""
        return Trace({place: [runs[index]] for place, runs in self.runs.items()})

    def joined(self) -> Trace:
        """All calls as one, along time: for a loop that hands its layer a step, or a piece, at a time. ValueError if the batches
        differ in size.
        """
        return Trace({place: [join(place, runs)] for place, runs in self.runs.items()})

    def detached(self) -> Trace:
        """The same values without their graph."""
        return Trace({place: [detach(run) for run in runs] for place, runs in self.runs.items()})

    def save(self, file: str | Path) -> None:
        """Write it as safetensors, whole or not at all. LookupError if it holds several calls: save trace.call(0) or joined()."""
        from byhand.saving.trace_file import save_trace  # noqa: PLC0415 (safetensors is loaded when it is needed)

        save_trace(self, file)

    @staticmethod
    def load(file: str | Path) -> Trace:
        """Read what save wrote. LoadError if the file is anything else."""
        from byhand.saving.trace_file import load_trace  # noqa: PLC0415

        return load_trace(file)


@dataclass(eq=False)
class Gradients(Mapping[str, Tensor]):
    """The gradients of a trace."""

    trace: Trace

    def __getitem__(self, name: str) -> Tensor:
        run, site = self.trace._find(name)
        return run.grad(site)

    def __iter__(self) -> Iterator[str]:
        return iter(self.trace)

    def __len__(self) -> int:
        return len(self.trace)


def describe(place: str, runs: list[Run]) -> str:
    """One line: "  l0          lstm        5 x 3 x 6    i f g o c tanh_c h"."""
    widths: dict[str, list[str]] = {}
    for site, value in runs[0].sites.items():
        steps = steps_of(value)
        widths.setdefault(" x ".join(map(str, (len(steps), *steps[0].shape))), []).append(site)
    shapes = "; ".join(f"{shape:14} {' '.join(sites)}" for shape, sites in widths.items())
    return f"  {place or '(cell)':16} {runs[0].cell:12} {shapes}" + (f"   ({len(runs)} calls)" if len(runs) > 1 else "")


def stacked(steps: Tensor | Sequence[Tensor]) -> Tensor:
    return steps if isinstance(steps, Tensor) else torch.stack(list(steps))


def steps_of(value: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return value.unbind(0) if isinstance(value, Tensor) else value


def join(place: str, runs: list[Run]) -> Run:
    """Several calls as one, along time."""
    sizes = {run.input.shape[1] for run in runs}
    if len(sizes) > 1:
        raise ValueError(f"calls of {place or 'the layer'} with batches of {sorted(sizes)} cannot be joined: say trace.call(0)")
    return Run(
        runs[0].cell,
        torch.cat([run.input for run in runs]),
        torch.cat([run.valid for run in runs]),
        runs[0].initial,
        {site: [step for run in runs for step in steps_of(run.sites[site])] for site in runs[0].sites},
        join_grads([run.grads for run in runs]),
    )


def join_grads(several: list[dict[str, list[Tensor | None]] | None]) -> dict[str, list[Tensor | None]] | None:
    there = [one for one in several if one is not None]
    return {site: [step for one in there for step in one[site]] for site in there[0]} if there else None


def detach(run: Run) -> Run:
    sites: dict[str, Tensor | Sequence[Tensor]] = {
        site: [step.detach() for step in steps_of(value)] for site, value in run.sites.items()
    }
    initial = {state: value.detach() for state, value in run.initial.items()}
    return Run(run.cell, run.input.detach(), run.valid, initial, sites, run.grads)
