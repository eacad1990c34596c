"""What explain.find_units and explain.match give for recorded runs, and these runs' values: for the page's own."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn.functional import one_hot
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

import byhand
from byhand import LSTM, explain
from byhand.explain import Span, tracks
from byhand.explorer.load.model import visible

ALPHABET = "ab1² \t\n\"'([])_é漢"
ALL = 10**6  # turns: more than there are
UNITS = 6
SITES = ["*.h", "*.c"]


def finding() -> list[dict[str, Any]]:
    return [text(331), text(180, 120, 151), series(260, period=12.0), series(90, 70, period=0.0)]


def recorded(inputs: list[torch.Tensor]) -> byhand.Trace:
    """Sequences of different lengths, read by a layer of strong weights, so that units are on for a while."""
    torch.manual_seed(len(inputs[0]))
    lstm = LSTM(inputs[0].shape[1], UNITS, dtype=torch.float64)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.mul_(3)
    packed = pack_padded_sequence(pad_sequence(inputs), torch.tensor([len(one) for one in inputs]), enforce_sorted=False)
    with torch.no_grad(), byhand.record(lstm, sites=SITES) as trace:
        lstm(packed)
    return trace


def text(*lengths: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(sum(lengths))
    drawn = [torch.randint(len(ALPHABET), (length,), generator=generator) for length in lengths]
    texts = ["".join(ALPHABET[one] for one in numbers.tolist()) for numbers in drawn]
    trace = recorded([one_hot(numbers, len(ALPHABET)).double() for numbers in drawn])
    marks = [torch.zeros(length) for length in lengths]
    for mark in marks:
        mark[20:45] = mark[-40:-20] = 1
    told = tracks.text(*texts) | {"marked": pad_sequence(marks, padding_value=torch.nan)}
    characters = [[visible(one) for one in text] for text in texts]
    return case(trace, told, lengths, {"characters": characters, "marked": [one.tolist() for one in marks]})


def series(*lengths: int, period: float) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(sum(lengths))
    inputs = [torch.randn(length, 1, generator=generator, dtype=torch.float64).cumsum(0) / 4 for length in lengths]
    numbers = pad_sequence([one[:, 0] for one in inputs], padding_value=torch.nan)
    events = pad_sequence([(torch.arange(length) % 17 == 3).double() for length in lengths])
    told = tracks.series(numbers, period=period or None, events=events)
    found = {"numbers": [one[:, 0].tolist() for one in inputs], "period": period}
    return case(recorded(inputs), told, lengths, found)


def case(trace: byhand.Trace, told: dict[str, torch.Tensor], lengths: tuple[int, ...], given: dict[str, Any]) -> dict[str, Any]:
    found = explain.find_units(trace, told, sites=SITES, shifts=ALL)
    values = {
        site: [trace[f"l0.{site}"][:length, item].flatten().tolist() for item, length in enumerate(lengths)]
        for site in ("h", "c")
    }
    rows = [[one.site[3:], one.unit, one.track, one.chosen, one.score, one.auc, one.p] for one in found.rows()]
    matches = [matched(trace, span) for span in spans(lengths)]
    return given | {
        "values": values,
        "rows": [[None if isinstance(one, float) and math.isnan(one) else one for one in row] for row in rows],
        "left_out": sorted(found.left_out),
        "shifts": found.shifts,
        "steps": found.steps,
        "matches": matches,
    }


def spans(lengths: tuple[int, ...]) -> list[Span]:
    """Of several lengths and places, at thresholds at which units are on."""
    last = len(lengths) - 1
    return [
        Span((start, start + size), batch=item, site=site, threshold=threshold)
        for item in {0, last}
        for start, size in ((0, 1), (7, 2), (30, 3), (lengths[item] - 4, 4))
        for site, threshold in (("h", 0.0), ("c", 0.1), ("h", -0.5))
    ]


def matched(trace: byhand.Trace, span: Span) -> dict[str, Any]:
    given = {"item": span.batch, "steps": span.steps, "site": span.site, "threshold": span.threshold}
    try:
        found = explain.match(trace, span, trace, most=10**6)
    except ValueError:  # no unit is on
        return given | {"units": [], "places": []}
    places = [[one.batch, one.steps, one.units, one.others] for one in found.places]
    return given | {"units": found.units, "places": places}
