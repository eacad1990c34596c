"""What a story says of a model, measured: the units that matter, how long they keep, who wrote the best one, what breaks without it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from byhand import explain
from byhand.explain import Ablation, Entry, Ledger
from byhand.explain.additive import additive_states
from byhand.explain.execution import run
from byhand.explain.lookup import cell_of
from byhand.explorer.load.model import Trained
from byhand.explorer.story.scoring import Score, answers, is_asked, score_of
from byhand.trace import Trace
from byhand.trace.edit import at, edit
from byhand.trace.record import record


@dataclass(frozen=True)
class Unit:
    """One unit's memory. site: its name in the model, as in "lstm.l0.c". score: the model's with the memory held at 0."""

    site: str
    number: int
    score: float
    change: float

    @property
    def place(self) -> str:
        return self.site.rpartition(".")[0]

    @property
    def state(self) -> str:
        return self.site.rpartition(".")[2]

    @property
    def name(self) -> str:
        """As in "unit 3 of l0", for readers."""
        return f"unit {self.number} of {self.place.removeprefix('lstm.')}"


@dataclass(frozen=True)
class Broken:
    """Where one answer changes most as the best unit is held at 0: a sequence, a step, and all outputs before and after. target: what
    was asked there, the outputs' values or a class; None where nothing is.
    """

    item: int
    step: int
    before: Tensor
    after: Tensor
    target: Tensor | None


@dataclass(frozen=True)
class Measured:
    """units: all, those first whose score is the greatest without them. sequences: that scores are of. half_lives: name of a memory ->
    (hidden,); empty where no memory is added to. ledger: of the best unit, on `broken`'s sequence alone; told: the step where it
    is read, which an answer hangs on; entries: its, there, the greatest first. Without a ledger, why_not says why.
    """

    score: Score
    ablation: Ablation
    units: tuple[Unit, ...]
    sequences: int
    half_lives: dict[str, Tensor]
    broken: Broken
    told: int
    ledger: Ledger | None
    entries: tuple[Entry, ...]
    why_not: str


def measure(scored: Trained, shown: Trained) -> Measured:
    """Run the model.

    Args:
        scored: the model with the sequences that its score is of.
        shown: the same with those that the page shows.

    Returns:
        All that is said of it.
    """
    assert scored.example is not None
    score, trace = score_of(scored), recorded(shown)
    sites = [f"{place}.{memory_of(trace, place)}" for place in trace.places]
    ablation = explain.ablation(scored.model, scored.example["x"], score.of, sites=sites, units="all")
    held = [row for row in ablation.rows if row.unit is not None and row.held == "shut"]
    units = [Unit(row.site, int(row.unit or 0), row.score, row.change) for row in held]
    units.sort(key=lambda one: -math.inf if math.isnan(one.change) else -one.change)
    broken = broken_by(shown, units[0])
    last = answers(shown).dim() == 2  # one answer, of which a reverse direction's part is ready at step 0
    told = 0 if last and units[0].place.endswith(".reverse") else broken.step
    ledger, entries, why_not = None, (), ""
    try:
        ledger = of_one(explain.ledger(trace, units[0].place, units[0].number, state=units[0].state), broken.item)
        entries = tuple(ledger.at(told))
    except explain.NotAdditiveError as problem:
        why_not = " ".join(str(problem).split())
    size = scored.example["x"][0].shape[1]
    return Measured(score, ablation, tuple(units), size, explain.half_life(trace), broken, told, ledger, entries, why_not)


def of_one(whole: Ledger, item: int) -> Ledger:
    """The ledger of one sequence, without what lies past its end."""
    steps = int(whole.valid[:, item].sum())
    names = ("initial", "memory", "keep", "write", "valid")
    parts = {name: getattr(whole, name)[:steps, item : item + 1] for name in names}
    return replace(whole, values=whole.values[:steps, :steps, item : item + 1], **parts)


def recorded(trained: Trained) -> Trace:
    assert trained.example is not None
    with torch.no_grad(), record(trained.model) as trace:
        run(trained.model, trained.example["x"])
    return trace


def memory_of(trace: Trace, place: str) -> str:
    """The memory that a unit is known by: the one that is added to, else what the layer gives out."""
    cell = cell_of(trace, place, None)
    return next(iter(additive_states(cell)), cell.state[0])


def broken_by(trained: Trained, unit: Unit) -> Broken:
    """Among the answers that are asked for, where there are targets."""
    assert trained.example is not None
    before = answers(trained)
    with edit(trained.model, {unit.site: at(0.0, unit=unit.number)}):
        after = answers(trained)
    x, lengths = trained.example["x"]
    steps = [len(x)] * x.shape[1] if lengths is None else [int(one) for one in lengths]
    targets = values_of(trained.example.get("targets"))
    distance = (likely(trained, before) - likely(trained, after)).abs().sum(-1)
    if distance.dim() == 1:  # one answer a sequence, after its last step
        item = int(distance.argmax())
        return Broken(item, steps[item] - 1, before[item], after[item], None if targets is None else targets[item])
    inside = torch.arange(len(x)).unsqueeze(1) < torch.tensor(steps)
    if targets is not None and not targets.is_floating_point():
        inside &= is_asked(targets)
    step, item = divmod(int(torch.where(inside, distance, -1.0).argmax()), distance.shape[1])
    return Broken(item, step, before[step, item], after[step, item], None if targets is None else targets[step, item])


def values_of(targets: Any) -> Tensor | None:
    values = getattr(targets, "values", targets)
    return values if isinstance(values, Tensor) else None


def says_classes(trained: Trained) -> bool:
    """Whether its answers are one of several, not numbers."""
    values = values_of((trained.example or {}).get("targets"))
    return trained.options["squash"] == "softmax" if values is None else not values.is_floating_point()


def likely(trained: Trained, out: Tensor) -> Tensor:
    """Outputs as the page shows them: probabilities where they are such."""
    return out.softmax(-1) if trained.options["squash"] == "softmax" else out
