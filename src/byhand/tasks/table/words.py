"""What a model of a table does, in words."""

from __future__ import annotations

from collections.abc import Sequence

NAMED, LONGEST = 3, 30  # columns that are named, and how many letters a name may have for it


def about(features: Sequence[str], targets: Sequence[str], window: int, horizon: int) -> str:
    """As Task.about has it: "reads 40 steps of price and answers with the next 3 of it"."""
    steps = f"{window} step{'s' * (window != 1)}"
    ahead = "value" if horizon == 1 else f"{horizon} values"
    same = list(features) == list(targets)
    asked = f"the next {ahead} of {'it' if len(targets) == 1 else 'each'}" if same else f"the next {ahead} of {listed(targets)}"
    return f"reads {steps} of {listed(features)} and answers with {asked}"


def listed(names: Sequence[str]) -> str:
    if len(names) > NAMED or any(len(name) > LONGEST for name in names):
        return f"{len(names)} columns" if len(names) > 1 else "one column"
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last
