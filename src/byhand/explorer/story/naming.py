"""Answers, steps and sequences of a story in words."""

from __future__ import annotations

import math

from torch import Tensor

from byhand.explorer.document.targets import Targets
from byhand.explorer.load.model import Trained
from byhand.explorer.still.picture import figure
from byhand.explorer.story.measure import Broken, likely, says_classes


def number(value: float) -> str:
    """Four digits; a word for what is none."""
    return "no number" if math.isnan(value) else "∞" if math.isinf(value) else f"{value:.4g}".replace("-", "−")


def answer(shown: Trained, out: Tensor, broken: Broken) -> str:
    """The likeliest class, or the value of the output that changes most, in its own unit."""
    seen = likely(shown, out)
    if says_classes(shown):
        best = int(seen.argmax())
        return f"“{name_of(shown, best)}” ({figure(seen[best].item())})"
    at = changed(broken)
    return f"{name_of(shown, at)} = {number(in_unit(shown, out[at].item(), at, broken.item))}"


def target(shown: Trained, broken: Broken) -> str:
    assert broken.target is not None
    if not broken.target.is_floating_point():
        return f"“{name_of(shown, int(broken.target))}”"
    at = changed(broken)
    return number(in_unit(shown, broken.target.flatten()[at].item(), at, broken.item))


def changed(broken: Broken) -> int:
    return int((broken.before - broken.after).abs().argmax())


def in_unit(shown: Trained, value: float, output: int, item: int) -> float:
    """The value as it is in the task's own unit, offset + spread · output, where it has one."""
    given = (shown.example or {}).get("targets")
    if not isinstance(given, Targets) or given.spreads is None:
        return value
    offsets = given.own_offsets[item] if given.own_offsets is not None else given.offsets
    return value * given.spreads[output] + (0.0 if offsets is None else offsets[output])


def name_of(shown: Trained, output: int) -> str:
    names = shown.options.get("names")
    return str(names[output]) if names else f"output {output}"


def item_name(shown: Trained, item: int) -> str:
    items = (shown.example or {}).get("items")
    return str(items[item]) if items else f"sequence {item}"


def came_in(shown: Trained, step: int | None, item: int) -> str:
    """A step, with what was read there where that is a symbol or a few numbers."""
    if step is None:
        return "the first memory"
    example = shown.example or {}
    if example.get("characters"):
        return f"step {step} (“{example['characters'][item][step]}”)"
    read = example["x"][0][step, item]
    values = f" ({', '.join(figure(one) for one in read.tolist())})" if read.is_floating_point() and read.numel() <= 4 else ""
    return f"step {step}{values}"
