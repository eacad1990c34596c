"""What is wrong with the units of a layer, by the values that they compute; its gates: gate_checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from byhand.explain.diagnose.findings import Finding, units
from byhand.explain.diagnose.gate_checks import check_gates
from byhand.explain.diagnose.seen import Seen

if TYPE_CHECKING:
    pass

STILL = 1e-5  # of the range of the layer's liveliest unit
ALIKE = 1e-9  # 1 − |correlation|, from which on two units count as one
LEAST = 8  # values, or steps, before anything is said


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


def check_input(seen: Seen) -> Iterator[Finding]:
    """An input that never changes; of first layers only, since what comes into others is checked as the units below."""
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
