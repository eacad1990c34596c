"""Trace: what layers computed, as a value. A name is PLACE.SITE: "l0.f", "l1.reverse.c", in a model "encoder.l0.f"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from byhand.engine.names import split
from byhand.trace.run import Run, detach, join, sizes, steps_of, unknown

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Bool, Float


@dataclass(eq=False)
class Trace(Mapping[str, Tensor]):
    """What layers computed while they were recorded: a mapping name -> (time, batch, hidden), in order of layer and step.

    Time and batch are the caller's, whatever batch_first, packing or direction: step t is the t-th of the input, sequence b the
    b-th that was given. Where a sequence has ended, values are NaN and `valid` is False. After a projection "h" is as wide as
    that; "m" is the output before it.
    """

    runs: dict[str, list[Run]] = field(default_factory=dict)

    def _find(self, name: str) -> tuple[Run, str]:
        place, site = split(str(name))
        if place in self.runs and site in self.runs[place][0].sites:
            return self.run(place), site
        raise unknown("the trace", name, list(self))

    def __getitem__(self, name: str) -> Float[Tensor, "time batch hidden"]:
        """The values of a site at every step, as in trace["l0.f"]. UnknownSiteError, which lists the sites, if it has none so named."""
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
        place, state = split(name)
        run = self.run(place)
        if state not in run.initial:
            raise unknown("the trace's first states", name, [f"{place}.{one}" if place else one for one in run.initial])
        return run.initial[state]

    def run(self, place: str) -> Run:
        """All that is known of the one call of a place. UnknownSiteError; LookupError if there were several."""
        if place not in self.runs:
            raise unknown("the trace", place, list(self.runs))
        runs = self.runs[place]
        if len(runs) > 1:
            whole = "" if sizes(runs)[1:] else ", or trace.joined()[...] for all of them along time"
            raise LookupError(
                f"the trace holds {len(runs)} calls of {place or 'the layer'}: say trace.call(0)[...] for one of them{whole}"
            )
        return runs[0]

    @property
    def grad(self) -> Mapping[str, Float[Tensor, "time batch hidden"]]:
        """Name -> gradient of what was differentiated, by that value, once backward has run. LookupError if it was not recorded."""
        if any(run.grads is None for runs in self.runs.values() for run in runs):
            raise LookupError("the trace holds no gradients: record(model, gradients=True), then run backward()")
        return Gradients(self)

    def call(self, index: int) -> Trace:
        """The trace of the index-th call of every layer that has been called as often. IndexError if none has."""
        found = {place: [runs[index]] for place, runs in self.runs.items() if index in range(-len(runs), len(runs))}
        if not found:
            most = max(map(len, self.runs.values()), default=0)
            raise IndexError(f"the trace holds {most} call{'s' * (most != 1)} of a layer, counted from 0; got call({index!r})")
        return Trace(found)

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
        from byhand.trace.file import save_runs  # noqa: PLC0415 (safetensors is loaded when it is needed)

        save_runs({place: self.run(place) for place in self.places}, file)

    @staticmethod
    def load(file: str | Path) -> Trace:
        """Read what save wrote. LoadError if the file is anything else."""
        from byhand.trace.file import load_runs  # noqa: PLC0415 (safetensors is loaded when it is needed)

        return Trace({place: [run] for place, run in load_runs(file).items()})


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
