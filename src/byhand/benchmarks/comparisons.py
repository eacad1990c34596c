"""The suites that compare something else than whole layers with nn.LSTM: single steps, cells, engines."""

from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import nn

import byhand
from byhand.benchmarks.cases import Case
from byhand.benchmarks.contenders import Contender, NotMeasuredError, Work, chosen, contender, data, given, ready, twins


def step(case: Case, asked: str | None) -> Work:
    """One step of a layer, of its stepper where it has one, and of a cell."""
    theirs, ours, task = twins(case)
    engine, around, operations = ready(ours, task.x, asked), chosen(asked), contender("", theirs, task).operations
    pair = nn.LSTMCell(case.shape.input, case.shape.hidden), byhand.LSTMCell(case.shape.input, case.shape.hidden)
    pair[1].load_state_dict(pair[0].state_dict())
    x, state = data(task.x).detach(), (torch.randn_like(task.pull[0]), torch.randn_like(task.pull[0]))
    layer = Contender("nn.LSTM", {"step": partial(theirs, x)}, operations)
    cell = Contender("nn.LSTMCell", {"cell": partial(pair[0], x[0], state)}, operations)
    mine = Contender("byhand", {"step": partial(ours, x)}, operations, engine=engine, around=around, truth=layer)
    single = mine._replace(name="byhand.LSTMCell", calls={"cell": partial(pair[1], x[0], state)}, truth=cell)
    made = [layer, mine, cell, single]
    make_stepper = getattr(ours, "stepper", None)
    if make_stepper is None:
        return Work(made, ["byhand.LSTM has no stepper here"])
    output = Contender("nn.LSTM's output", {"step": lambda: theirs(x)[0]})
    with torch.no_grad(), around():
        stepper = make_stepper(batch=case.shape.batch)
    made.append(mine._replace(name="stepper", calls={"step": partial(stepper, x[0])}, truth=output))
    return Work(made)


def cell(case: Case, asked: str | None) -> Work:
    """A cell against lstm on the same engine, or against torch's own layer. Its results must be those of the reference engine."""
    torch.manual_seed(0)
    task, sizes = given(case), (case.shape.input, case.shape.hidden)
    ours = byhand.LSTM(*sizes, cell=case.cell)
    engine = ready(ours, task.x, asked)
    if case.against == "lstm":
        first = contender("lstm", byhand.LSTM(*sizes), task, engine=engine, around=chosen(engine))
        truth = contender(f"{case.cell} on the reference engine", ours, task, around=chosen("reference"), resting=rested(ours))
    else:
        theirs = {"nn.GRU": nn.GRU}[case.against](*sizes)
        ours.load_state_dict(theirs.state_dict())
        first = truth = contender(case.against, theirs, task)
    mine = contender("cell", ours, task, engine=engine, around=chosen(engine), resting=rested(ours), truth=truth)
    return Work([first, mine])


def rested(lstm: byhand.LSTM) -> byhand.LSTM:
    """The same layer in eval mode, where masks are not drawn."""
    return deepcopy(lstm).eval()


def engines(case: Case, asked: str | None) -> Work:
    """Every engine that can, or the one asked for, against the reference engine."""
    _, ours, task = twins(case)
    states = {name: state for name, state in byhand.engines(ours, task.x) if name != "reference" and asked in (None, name)}
    able = [name for name, state in states.items() if state.startswith("ready")]
    refused = [f"engine {name!r}: {state}" for name, state in states.items() if not state.startswith("ready")]
    if not able:
        raise NotMeasuredError("; ".join(["no engine but the reference", *refused]))

    def training(name: str, **further: Any) -> Contender:
        made = contender(name, ours, task, engine=name, around=chosen(name), **further)
        return made._replace(calls={"training": made.calls["training"]})

    first = training("reference")
    return Work([first, *(training(name, truth=first) for name in able)], refused)
