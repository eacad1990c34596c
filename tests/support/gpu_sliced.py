"""A script: the GPU engine's kernels in slices in Triton's interpreter, one group of checks at a time; prints JSON as gpu_interpreted.py.

    TRITON_INTERPRET=1 PYTHONPATH=src:.:tests/support python tests/support/gpu_sliced.py GROUP

GROUP is one of cells, shapes, fences, steps, layers, engine, meetings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from fenced import checks_of
from gpu_interpreted import BFLOAT, CPU, DOUBLE, PRECISIONS, SINGLE, cast, elementwise, held, ragged
from gpu_meetings import of_meetings
from torch import Tensor

import byhand
from byhand import cells
from byhand.engine.triton import engine, sliced, slices, steps, tiers
from byhand.testing import check_engine
from byhand.testing.engine_cases import call_of

Found = dict[str, Any]
UNITS = {"float64": 20}  # of two blocks; in the other number types of one


def of_cells() -> Iterator[Found]:
    """Every elementwise cell in every number type that the engine takes it in: sequences of different lengths, in reverse, with masks."""
    for cell in elementwise():
        for label in PRECISIONS:
            if label in ("bfloat16", "float16") and engine.refuses_low(cast(call_of(cell, (1, 1, 1, 2), DOUBLE, CPU), BFLOAT)):
                yield {"cell": cell.name, "precision": label, "refused": True}
                continue
            call = ragged(call_of(cell, (2, 3, 3, UNITS.get(label, 10)), DOUBLE, CPU))
            ours, theirs = held(call, label)
            yield {"cell": cell.name, "precision": label, "ours": ours, "theirs": theirs}


def of_shapes() -> Iterator[Found]:
    """Several blocks of sequences, of units and of what is summed; projections; both orders."""
    one_of_each = (cells.lstm, cells.gru, cells.lstm_1997, cells.min_lstm, cells.zoneout(cells.peephole, h=0.2, c=0.3))
    for cell in one_of_each:
        call = call_of(cell, (2, 18, 3, 20), DOUBLE, CPU)
        yield {"shape": f"{cell.name}, 18 sequences", "errors": held(call, "float64")[0]}
        yield {"shape": f"{cell.name}, reverse", "errors": held(call._replace(reverse=True), "float64")[0]}
    wide = call_of(cells.lstm, (3, 2, 3, 40), DOUBLE, CPU)  # 16 + 16 + a rest of 8
    yield {"shape": "lstm, a rest", "errors": held(wide, "float64")[0]}
    projected = call_of(cells.lstm, (3, 18, 3, 20), DOUBLE, CPU, proj_size=17)
    yield {"shape": "lstm, projected", "errors": held(projected, "float64")[0]}
    yield {"shape": "lstm, projected, ragged, reverse", "errors": held(ragged(projected), "float64")[0]}
    inner, slices.INNER[SINGLE] = slices.INNER[SINGLE], 16
    ours, theirs = held(call_of(cells.lstm, (2, 2, 3, 70), DOUBLE, CPU), "float32")  # in three products of tf32
    slices.INNER[SINGLE] = inner
    yield {"shape": "tf32x3", "ours": ours, "theirs": theirs}


def of_steps() -> Iterator[Found]:
    """More steps than one graph has: one launch after the other, and by graphs that are none, but are replayed as if they were."""
    torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    longest, steps.LONGEST = steps.LONGEST, 4
    kinds, seen = steps.Recent(lambda: None), []

    def run(self: sliced.Sliced, asked: sliced.Request, device: torch.device) -> None:
        launches = kinds.get((self, asked.name, sliced.scalars_of(asked)), lambda: self.launches(asked, device))

        def capture(work: steps.Work) -> steps.Work:
            seen.append(asked.name)
            return work

        launches.run(lambda table: self.write(asked, table), asked.steps + (asked.name == "backward"), capture)

    for time in (11, 9, 4):
        call = call_of(cells.gru, (time, 2, 2, 3), DOUBLE, CPU)
        plain = held(call, "float64")[0]
        launched, sliced.Sliced.run = sliced.Sliced.run, run
        replayed = held(call, "float64")[0]
        sliced.Sliced.run = launched  # type: ignore[method-assign]
        yield {"steps": time, "plain": plain, "replayed": replayed, "graphs": len(seen), "kinds": len(kinds.found)}
    steps.LONGEST = longest


def of_layers() -> Iterator[Found]:
    """What a layer says of it, wider than the weights of a chip; recording; a derivative of a derivative."""
    torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    lstm = byhand.LSTM(3, 5, bidirectional=True, dtype=DOUBLE)
    x = torch.randn(3, 2, 3, dtype=DOUBLE, requires_grad=True)

    def off(work: Callable[[], Tensor]) -> float:
        found = []
        for name in ("triton", "reference"):
            with byhand.use_engine(name):
                found.append(work())
        return (found[0] - found[1]).abs().max().item()

    def recorded() -> Tensor:
        with byhand.record(lstm) as trace:
            lstm(x)
        return torch.cat([trace[name] for name in ("l0.c", "l0.reverse.f", "l0.h")])

    def twice() -> Tensor:
        (grad,) = torch.autograd.grad(lstm(x)[0].sin().sum(), x, create_graph=True)
        return torch.autograd.grad(grad.pow(2).sum(), lstm.weight_hh_l0)[0]  # type: ignore[arg-type]

    yield {"layer": "recorded", "off": off(recorded)}
    yield {"layer": "differentiated twice", "off": off(twice)}


def of_fences() -> Iterator[Found]:
    """Every pointer of every kernel."""
    yield from checks_of(sliced.Sliced, (cells.lstm, cells.zoneout(cells.peephole, h=0.2, c=0.3)))


def of_engine() -> Iterator[Found]:
    """The conformance suite."""
    torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    report = check_engine(engine, chosen=[getattr(cells, name) for name in sys.argv[2:]] or elementwise())
    yield {"agrees": report.agrees, "refused": report.refused}


GROUPS: dict[str, Callable[[], Iterator[Found]]] = {
    "cells": of_cells,
    "shapes": of_shapes,
    "fences": of_fences,
    "steps": of_steps,
    "layers": of_layers,
    "engine": of_engine,
    "meetings": of_meetings,
}

if __name__ == "__main__":
    torch.manual_seed(20)
    torch.set_num_threads(1)
    with tiers.only(tiers.Tier.stepwise):
        for found in GROUPS[sys.argv[1]]():
            print(json.dumps(found), flush=True)
