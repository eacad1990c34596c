"""Who takes part in a unit of the bench: torch's own layer, byhand as it chooses and in each tier, loops; all with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

import byhand
from byhand.benchmarks.compilers import MOST_STEPS, PlainLoop
from byhand.benchmarks.contenders import Contender, Given, contender, first_ready, given
from byhand.benchmarks.naive import first_states, step
from byhand.engine.triton import tiers
from tools.gpu.calls import PRECISIONS
from tools.gpu.machine import DEVICE, INTERPRETED
from tools.gpu.shapes import Unit


class Unfit(Exception):  # noqa: N818 (it is no error: this tier has no kernel for it)
    """Why a contender does not take part."""


def contenders(unit: Unit) -> tuple[list[Contender], list[str]]:
    """Torch's own layer, which is first; byhand as it chooses, and in each tier; and loops. With who does not take part, and why."""
    theirs, ours, task = layers(unit)
    torchs = theirs if same_cell(unit) else plain(unit)
    first = contender(f"nn.{type(torchs).__name__}", torchs, task)
    chosen = first_ready(byhand.engines(ours, task.x), None)
    made, notes = [first], list[str]()
    if chosen != "reference":
        made.append(contender("byhand", ours, task, engine=chosen))
    for tier in tiers.BUILT:
        try:
            made.append(in_tier(tier, ours, task))
        except Unfit as reason:
            notes.append(f"{tier.value}: {reason}")
    if unit.loops:
        made += loops(theirs, ours, task, unit)
    return made, notes


def layers(unit: Unit) -> tuple[nn.Module, byhand.LSTM, Given]:
    """Torch's layer, or ours in float64 where torch has none, and ours with the same weights; and what both are given."""
    torch.manual_seed(0)
    shape, options, dtype = unit.case.shape, dict(unit.case.options), PRECISIONS[unit.precision]
    sizes = (shape.input, shape.hidden)
    ours = byhand.LSTM(*sizes, cell=unit.case.cell, **options)
    theirs = plain(unit) if same_cell(unit) else ours
    if same_cell(unit):
        ours.load_state_dict(theirs.state_dict())
    task = given(unit.case, dtype=dtype, device=DEVICE)
    return deepcopy(theirs).to(DEVICE, dtype), deepcopy(ours).to(DEVICE, dtype), task


def same_cell(unit: Unit) -> bool:
    return unit.case.cell.name in ("lstm", "gru")


def plain(unit: Unit) -> nn.Module:
    """Torch's own layer: of another cell than its own, nn.LSTM of that shape, which is what people would take instead."""
    kind = nn.GRU if unit.case.cell.name == "gru" else nn.LSTM
    made = kind(unit.case.shape.input, unit.case.shape.hidden, **dict(unit.case.options))
    return made.to(DEVICE, PRECISIONS[unit.precision])


def in_tier(tier: tiers.Tier, ours: byhand.LSTM, task: Given) -> Contender:
    """Raises Unfit where the engine refuses."""

    @contextmanager
    def around() -> Iterator[None]:
        with byhand.use_engine("triton"), tiers.only(tier):
            yield

    with tiers.only(tier):
        state = dict(byhand.engines(ours, task.x))["triton"]
    if not state.startswith("ready"):
        raise Unfit(state)
    return contender(tier.value, ours, task, engine="triton", around=around)


def loops(theirs: nn.Module, ours: byhand.LSTM, task: Given, unit: Unit) -> Iterator[Contender]:
    """Our own loop over the steps, and what torch.compile makes of one: of all steps where they are few, else of each."""
    around: Callable[[], AbstractContextManager[Any]] = partial(byhand.use_engine, "reference")
    yield contender("reference", ours, task, engine="reference", around=around)
    if isinstance(theirs, nn.LSTM):
        torch._dynamo.reset()
        options: dict[str, Any] = {"backend": "eager"} if INTERPRETED else {}
        if unit.case.shape.time <= MOST_STEPS:
            whole: Any = torch.compile(PlainLoop(theirs), dynamic=False, fullgraph=True, **options)
            yield contender("torch.compile", whole, task)
        else:
            yield contender("torch.compile of a step", CompiledSteps(theirs, **options), task)


class CompiledSteps(nn.Module):
    """What torch.compile makes of a loop that is too long to be written out: the step compiled, the loop in Python. One layer, one
    direction.
    """

    def __init__(self, lstm: nn.LSTM, **options: Any) -> None:
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(weight.detach().clone()) for weight in lstm.all_weights[0])
        self.step = torch.compile(step, dynamic=False, fullgraph=True, **options)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As nn.LSTM's."""
        w, u, b, d = self.weights
        h, c = first_states(x, x.shape[1], u)
        outputs = []
        for inputs in linear(x, w, b + d).unbind(0):
            h, c = self.step(inputs, h, c, u.t(), None)
            outputs.append(h)
        return torch.stack(outputs), (h[None], c[None])
