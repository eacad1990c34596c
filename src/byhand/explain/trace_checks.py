"""What is wrong with the memories and gates of a layer, by the values that it computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch

from byhand.explain.additive import additive_states
from byhand.explain.findings import Finding, units
from byhand.explain.places import name_of, precise
from byhand.explain.saturation import gate_sites, steps_of_chance

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from byhand.cells import Cell
    from byhand.trace import Run

SHUT, OPEN = 0.01, 0.99  # an always shut gate lets less through than that, an always open one more
SATURATED = 0.9  # the share of values beyond SHUT and OPEN from which a gate counts as saturated
STILL = 1e-5  # of the range of the layer's liveliest unit
ALIKE = 1e-9  # 1 − |correlation|, from which on two units count as one
GROWN, LARGE = 2.0, 3.0  # last quarter of the time against the second; tanh(3) = 0.995, there the output hears no more
MOST = (
    0.5  # of the steps of the data; a trained model of the Reber grammar grows in the few that are twice as long as the others
)
LEAST = 8  # values, or steps, before anything is said


@dataclass(frozen=True, eq=False)
class Seen:
    """All calls of one layer and direction, over all of the data."""

    place: str
    cell: Cell
    reverse: bool
    runs: Sequence[Run]

    def values(self, site: str) -> Float[Tensor, "steps hidden"]:
        """Of all steps of all sequences, in float64."""
        return torch.cat([run.value(site)[run.valid] for run in self.runs]).double()

    def name(self, site: str) -> str:
        return name_of(self.place, site)

    @property
    def sites(self) -> list[str]:
        return list(self.runs[0].sites)

    @property
    def memories(self) -> tuple[str, ...]:
        """What carries something: the states that are added to, else the output."""
        return additive_states(self.cell) or self.cell.state[:1]


def check_traces(seen: Seen) -> Iterator[Finding]:
    """All checks of one layer and direction; where numbers are not finite, nothing else is said."""
    broken = list(check_finite(seen))
    if broken or len(seen.values(seen.cell.state[0])) < LEAST:
        yield from broken
        return
    still = still_units(seen)
    yield from check_input(seen)
    yield from check_still(seen, still)
    yield from check_gates(seen)
    yield from check_twins(seen, still)
    yield from check_drift(seen)


def check_finite(seen: Seen) -> Iterator[Finding]:
    """NaN and ∞: the first site of a step that has them, at the first step."""
    for site in seen.sites:
        for call, run in enumerate(seen.runs):
            bad = ~run.value(site).isfinite() & run.valid.unsqueeze(-1)
            if not bool(bad.any()):
                continue
            places = bad.nonzero()
            time, batch, unit = (places[-1] if seen.reverse else places[0]).tolist()
            yield Finding(
                "not finite",
                seen.name(site),
                f"{run.value(site)[time, batch, unit].item()} first at step {time} of sequence {batch} of input {call}, unit {unit};"
                f" {int(bad.sum())} of {int(run.valid.sum()) * bad.shape[-1]} values of that input",
                "Look for such numbers in the input and in the parameters (byhand.check_finite names the module); a lower learning rate or"
                " clipped gradients keep parameters from getting there.",
            )
            return


def still_units(seen: Seen) -> list[int]:
    """Units whose output never moves."""
    output = seen.values(public_output(seen))
    spread = output.amax(0) - output.amin(0)
    return (spread <= STILL * spread.max()).nonzero().flatten().tolist()


def public_output(seen: Seen) -> str:
    """The output of a unit, which is called m where a projection follows."""
    return "m" if "m" in seen.sites and "m" not in seen.cell.sites else seen.cell.state[0]


def check_still(seen: Seen, still: list[int]) -> Iterator[Finding]:
    site = public_output(seen)
    if still:
        output = seen.values(site)
        spread = output.amax(0) - output.amin(0)
        yield Finding(
            "dead units",
            seen.name(site),
            f"{units(still, output.shape[1])}: over {len(output)} steps the value moves by at most {spread[still].max().item():.2g},"
            f" that of the liveliest unit by {spread.max().item():.2g}",
            "They tell nothing of the input. Look at their output and input gates (byhand.explain.saturation); weights of 0, a bias that"
            " holds a gate shut, or too high a learning rate can be the cause. If they are to spare, a smaller layer does the same.",
        )


def check_gates(seen: Seen) -> Iterator[Finding]:
    """Gates that are always shut or open, and gates that are hardly ever in between."""
    for site in deciding_gates(seen.cell):
        values = seen.values(site)
        shut = (values.amax(0) < SHUT).nonzero().flatten().tolist()
        open_ = (values.amin(0) > OPEN).nonzero().flatten().tolist()
        label = seen.cell.labels.get(site, "gate")
        if shut:
            yield Finding(
                "always shut",
                seen.name(site),
                f"{label} of {units(shut, values.shape[1])}: at most {values[:, shut].max().item():.2g} in {len(values)} steps",
                "Nothing passes, and no gradient does: the unit cannot learn its way out. A higher bias of that gate, smaller weights"
                " or a lower learning rate, from a fresh start of these units.",
            )
        if open_:
            yield Finding(
                "always open",
                seen.name(site),
                f"{label} of {units(open_, values.shape[1])}: never more than {1 - values[:, open_].min().item():.2g} from 1"
                f" in {len(values)} steps",
                "It decides nothing. Right for a forget gate that has to count or to keep for ever; else lower its bias.",
            )
        rest = [unit for unit in range(values.shape[1]) if unit not in {*shut, *open_}]
        ends = ((values[:, rest] < SHUT) | (values[:, rest] > OPEN)).double().mean().item() if rest else 0.0
        if ends >= SATURATED:
            yield Finding(
                "saturated",
                seen.name(site),
                f"{ends:.0%} of the values of the {label} are below {SHUT} or above {OPEN}",
                "A saturated gate passes hardly any gradient on (its slope there is below 0.01). Smaller weights or inputs, weight decay,"
                " clipped gradients or a lower learning rate.",
            )


@cache
def deciding_gates(cell: Cell) -> tuple[str, ...]:
    """The gates that small pre-activations leave between the ends. Those of sLSTM are none: one of its two is 1 at every step."""
    some = steps_of_chance(cell, 0.5)
    return tuple(site for site in gate_sites(cell) if bool(((some[site] > SHUT) & (some[site] < OPEN)).all()))


def check_twins(seen: Seen, still: list[int]) -> Iterator[Finding]:
    """Units that go up and down together."""
    site = public_output(seen)
    output = seen.values(site)
    alive = [unit for unit in range(output.shape[1]) if unit not in still]
    if len(alive) < 2 or len(output) < 2 * LEAST:
        return
    centred = output[:, alive] - output[:, alive].mean(0)
    unit_length = centred / centred.norm(dim=0)
    correlation = unit_length.T @ unit_length
    pairs = ((1 - correlation.abs()).triu(1) < ALIKE) & torch.ones_like(correlation, dtype=torch.bool).triu(1)
    for first in range(len(alive)):
        others = pairs[first].nonzero().flatten().tolist()
        if not others or bool(pairs[:first, first].any()):  # said already, with the first of them
            continue
        group = [alive[one] for one in (first, *others)]
        if len(group) == 2:
            evidence = f"units {group[0]} and {group[1]}: correlation {correlation[first, others[0]].item():.9f}"
        else:
            least = correlation[first, others].abs().min().item()
            evidence = f"{units(group, output.shape[1])}: correlations with the first of them of at least {least:.9f} in size"
        yield Finding(
            "duplicated units",
            seen.name(site),
            f"{evidence}, over {len(output)} steps",
            "Units that start equal get equal gradients and stay equal. Start them from different random weights; if they were made"
            " equal later, as saturated units are, one of them is enough.",
        )


def check_drift(seen: Seen) -> Iterator[Finding]:
    """Memories that grow and grow, in the mean over all sequences that are long enough: the longest of a batch may be so for what a
    unit counted in it. Nothing is said where such sequences are less than half of the data.
    """
    for state in seen.memories:
        long = [one for run in seen.runs for one in long_sequences(run, state, reverse=seen.reverse)]
        if sum(map(len, long)) < MOST * sum(int(run.valid.sum()) for run in seen.runs):
            continue
        early = torch.stack([one[len(one) // 4 : 2 * (len(one) // 4)].mean(0) for one in long]).mean(0)
        late = torch.stack([one[-(len(one) // 4) :].mean(0) for one in long]).mean(0)
        grown = ((late > GROWN * early) & (late > LARGE)).nonzero().flatten().tolist()
        if grown:
            unit = max(grown, key=lambda one: late[one].item())
            yield Finding(
                "drift",
                seen.name(state),
                f"{units(grown, len(late))}: |{state}| of unit {unit} is {early[unit].item():.3g} on average in the second"
                f" quarter of the time and {late[unit].item():.3g} in the last, over {len(long)} sequences",
                "What is written always adds up in one direction, and beyond 3 a tanh no longer tells one value from another. A forget"
                " gate where there is none (Gers, Schmidhuber & Cummins 2000 made it for this) or a lower bias of it, shorter sequences or"
                " a reset between them; right only where something is counted.",
            )


def long_sequences(run: Run, state: str, *, reverse: bool) -> Iterator[Float[Tensor, "steps hidden"]]:
    """The size of a memory over each sequence that is long enough, in the order of this direction."""
    value = precise(run.value(state)).abs()
    for item, valid in enumerate(run.valid.unbind(1)):
        along = value[valid, item]
        if len(along) >= 2 * LEAST:
            yield along.flip(0) if reverse else along


def check_input(seen: Seen) -> Iterator[Finding]:
    """An input that never moves; of a first layer, for what comes into others is told by the units below."""
    layer = seen.place.rpartition(".")[2]
    values = torch.cat([run.input[run.valid] for run in seen.runs])
    if (
        layer == "reverse"
        or (layer[:1] == "l" and layer[1:].isdigit() and layer != "l0")
        or not bool((values == values[0]).all())
    ):
        return
    yield Finding(
        "dead input",
        seen.place or "the layer",
        f"what is read is the same at all {len(values)} steps, {values.shape[1]} numbers between {values.min().item():.3g} and"
        f" {values.max().item():.3g}",
        "Nothing can be learnt from it but how time goes by. Right for a layer that is to run on by itself; else look at what prepares"
        " the data.",
    )
