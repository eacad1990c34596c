"""Ablation: what a score loses when a gate is held open, shut, or at its mean.

    change = score(model with a = v throughout) − score(model),      v = 1 (open), 0 (shut) or mean over steps and sequences of a

for a whole gate or one unit of it. Held at its mean a gate still has its usual size, but decides nothing any more: what is lost is
what its deciding was worth, and not that the rest had to work with numbers it never saw.

Units held at a fixed value, to see what a network loses: Morcos, Barrett, Rabinowitz & Botvinick, On the Importance of Single
Directions for Generalization, ICLR 2018. Gates left out one by one and retrained, which this is not: Greff et al., LSTM: A
Search Space Odyssey, IEEE TNNLS 28(10), 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isfinite, isnan
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from byhand.engine.names import join
from byhand.explain.execution import function, run, same_random_numbers
from byhand.explain.lookup import inside, name_of
from byhand.explain.progress import progress as shown
from byhand.explain.saturation import gate_sites
from byhand.trace.edit import At, at
from byhand.trace.layers import layers, names, places
from byhand.trace.record import record
from byhand.trace.run import unknown
from byhand.trace.variants import Variants

if TYPE_CHECKING:
    from jaxtyping import Float

    Score = Callable[[Any], "Tensor | float"]
    Held = Literal["open", "shut", "mean"]


@dataclass(frozen=True)
class Ablated:
    """One gate, or one unit of it, held: the score then, and what that is more than the model's own."""

    site: str
    unit: int | None
    held: Held
    score: float
    change: float

    @property
    def name(self) -> str:
        """As in "l0.f", or "l0.f[3]" for one unit."""
        return self.site if self.unit is None else f"{self.site}[{self.unit}]"


@dataclass(frozen=True)
class Ablation:
    """The model's own score, and a row for everything that was held."""

    base: float
    rows: tuple[Ablated, ...]

    def ranked(self) -> tuple[Ablated, ...]:
        """The greatest changes first; before them what left the score no number."""
        return tuple(sorted(self.rows, key=lambda row: (not isnan(row.change), -abs(row.change))))

    def table(self) -> str:
        """As text, in the order of the rows."""
        width = max([7, *(len(row.name) for row in self.rows)])
        lines = [
            f"{'held':{width}} {'at':5} {'score':>12} {'change':>12}",
            f"{'nothing':{width}} {'':5} {self.base:12.5g} {0:+12.4g}",
        ]
        return "\n".join(
            [*lines, *(f"{row.name:{width}} {row.held:5} {row.score:12.5g} {row.change:+12.4g}" for row in self.rows)]
        )

    def __str__(self) -> str:
        return self.table()


def ablation(
    model: nn.Module,
    x: Any,
    score: Score,
    *,
    sites: Sequence[str] | None = None,
    units: Literal["all"] | Iterable[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Ablation:
    """Measure how a score changes as gates are held, one at a time.

    Where a layer is called several times, its gate is held in all of these calls.

    Args:
        model: any module with byhand layers inside.
        x: its input: a tuple for several arguments, a mapping for named ones.
        score: a function of the model's output that gives one number.
        sites: names or patterns, as in ["l0.f", "*.o"]; all gates of the layers that the model calls if not given. What is no gate is
            held shut, at 0, and at its mean only.
        units: "all", or some of them, each held alone, besides the whole gate; none if not given.
        progress: a function that gets, after each run, how many are done and how many there are. If not given, what takes longer than
            two seconds says so on stderr.

    Returns:
        The model's own score, and a row for everything that was held.

    Raises:
        TypeError: an argument is of the wrong type, or `score` gives anything but one number.
        ValueError: there is no byhand layer, no gate, or nothing that the model calls; or its own score is not finite.
        UnknownSiteError: one of `sites` matches no name.
        IndexError: a gate has no such unit.
    """
    gates = gates_of(model)
    wanted = chosen(model, gates, sites)
    function(score, "ablation", "score")
    seed = int(torch.empty((), dtype=torch.int64).random_().item()) if model.training else 0

    def scored() -> float:
        with torch.no_grad(), same_random_numbers(seed):
            return number(score(run(model, x)))

    variants = Variants(layers(model, "ablation"))
    with record(model, wanted) as trace, variants.first():
        base = scored()
    if not isfinite(base):
        raise ValueError(
            f"ablation has nothing to compare with: the model's own score is {base}; byhand.check_finite finds the module"
        )
    wanted = [site for site in wanted if site.rpartition(".")[0] in trace.runs]
    if not wanted:
        raise ValueError("ablation found nothing to hold: the model does not call these layers on this input")
    means = {site: mean(trace.runs[site.rpartition(".")[0]], site.rpartition(".")[2]) for site in wanted}
    plan = [one for site in wanted for one in changes(site, means[site], site in gates, several(units, site, len(means[site])))]
    variants.plan([{site: change} for site, _, _, change in plan])
    rows = []
    with shown("ablation") if progress is None else nullcontext(progress) as tell:
        for done, (site, unit, held, _) in enumerate(plan, 1):
            with variants.held(done - 1):
                value = scored()
            rows.append(Ablated(site, unit, held, value, value - base))
            tell(done, len(plan))
    return Ablation(base, tuple(rows))


def gates_of(model: nn.Module) -> list[str]:
    return [
        name_of(join(path, place), site)
        for module, path in layers(model, "ablation").items()
        for place in places(module)  # type: ignore[arg-type]
        for site in gate_sites(module.cell)  # type: ignore[arg-type]
    ]


def chosen(model: nn.Module, gates: list[str], sites: Sequence[str] | None) -> list[str]:
    if sites is None:
        if not gates:
            raise ValueError("ablation found no gates in this model: name what to hold, as in sites=['l0.h']")
        return gates
    if isinstance(sites, str) or not all(isinstance(one, str) for one in sites):
        raise TypeError(f"ablation expected a list of names or patterns, got {sites!r}: write ['l0.f']")
    known = names(layers(model, "ablation"))
    for pattern in sites:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise unknown("ablation", pattern, known)
    return [name for name in known if any(fnmatchcase(name, pattern) for pattern in sites)]


def mean(runs: Sequence[Any], site: str) -> Float[Tensor, " hidden"]:
    """Over all steps, sequences and calls."""
    return torch.cat([run.value(site)[run.valid] for run in runs]).mean(0)


def several(units: Literal["all"] | Iterable[int] | None, site: str, width: int) -> list[int]:
    """The units to be held alone. TypeError, IndexError."""
    if units is None or units == "all":
        return [] if units is None else list(range(width))
    if isinstance(units, str) or not isinstance(units, Iterable):
        raise TypeError(f"ablation expected units='all' or a list of numbers, as in units=[3], got {units!r}")
    return [inside(unit, width, f"units of {site}", "ablation") for unit in units]


def changes(
    site: str, mean: Tensor, gate: bool, units: Iterable[int]
) -> Iterator[tuple[str, int | None, Held, Tensor | float | At]]:
    """What is held, and the edit that holds it."""
    values: dict[Held, Tensor | float] = {"open": 1.0, "shut": 0.0, "mean": mean} if gate else {"shut": 0.0, "mean": mean}
    for held, value in values.items():
        yield site, None, held, value
    for unit in units:
        for held, value in values.items():
            yield site, unit, held, at(value, unit=unit)


def number(value: Any) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    if isinstance(value, Real):
        return float(value)
    got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
    raise TypeError(f"ablation expected score to give one number, got {got}")
