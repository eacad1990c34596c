"""check_engine: the conformance suite for people who write an engine.

    from byhand.testing import check_engine
    print(check_engine(my_engine))

Calls of every kind that a layer makes are answered by the engine and by the reference engine, and held against each other: outputs,
last states, every gradient by name, every site; then what it prepares, and its operator. What it refuses is counted, with the reasons.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byhand.cells import Cell
from byhand.engine import reference
from byhand.engine.call import Call, Result
from byhand.engine.packing import packing_of
from byhand.errors import EngineError
from byhand.testing.engine_cases import CELLS, Case, cases

if TYPE_CHECKING:
    from byhand.engine.protocol import Engine, Prepared

CLOSE = {torch.float64: (1e-10, 1e-8), torch.float32: (2e-5, 5e-4)}  # values and gradients, of their size or of 1


@dataclass
class EngineReport:
    """agrees: kind of call -> how many were answered alike; also: how many of them when prepared, and as one operator, too. refused:
    reason -> how many.
    """

    engine: str
    agrees: Counter[str] = field(default_factory=Counter)
    also: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    differs: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [f"engine {self.engine}: {sum(self.agrees.values())} calls answered as the reference engine does"]
        rows += [f"  {kind:46} {count}" for kind, count in (self.agrees + self.also).items()]
        return "\n".join(rows + [f"  refused {count:5}  {reason}" for reason, count in self.refused.most_common()])


def check_engine(engine: Engine, *, device: torch.device | str = "cpu", chosen: Sequence[Cell] = CELLS) -> EngineReport:
    """Hold an engine against the reference engine.

    Args:
        engine: Yours: a module or object with what byhand.engine.protocol.Engine lists. It need not be among dispatch.ENGINES.
        device: Where the tensors are.
        chosen: The cells; every cell of byhand's if not given.

    Returns:
        How many calls of each kind it answered alike, and how many it refused, by reason.

    Raises:
        EngineError: It differs somewhere, or answers differently when asked again; the message says where and by how much.
    """
    report = EngineReport(engine.name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for case in cases(chosen, torch.device(device)):
            reason = engine.refuses(case.call)
            if reason is not None:
                report.refused[reason] += 1
                continue
            compare(report, engine, case)
    if report.differs:
        shown = "\n".join(f"- {one}" for one in report.differs[:20])
        more = f"\nand {len(report.differs) - 20} more" if len(report.differs) > 20 else ""
        raise EngineError(
            f"engine {engine.name!r} differs in {len(report.differs)} places from the reference engine:\n{shown}{more}"
        )
    return report


def compare(report: EngineReport, engine: Engine, case: Case) -> None:
    call, before = case.call, len(report.differs)
    expected = named(call, reference.run(call))
    for times in ("", ", asked again"):
        hold(report, f"{describe(case)}{times}", named(call, engine.run(call)), expected, call.input.dtype)
    operator = engine.traced(call._replace(sites=False)) if not call.sites else None
    if operator is not None:
        hold(report, f"{describe(case)}, as one operator", named(call, operator), expected, call.input.dtype)
    prepared = engine.prepare(call)
    if prepared is not None:
        hold_prepared(report, prepared, case, expected)
        hold_packed(report, prepared, case)
    if len(report.differs) == before:
        report.agrees[case.kind] += 1
        report.also["prepared"] += prepared is not None
        report.also["as one operator"] += operator is not None


def hold_prepared(report: EngineReport, prepared: Prepared, case: Case, expected: dict[str, Tensor]) -> None:
    """All three ways of a prepared call: run, differentiable, and step by step."""
    call, dtype = case.call, case.call.input.dtype
    state = [one.detach().contiguous() for one in call.state]
    last = [torch.empty_like(one) for one in state]
    x = call.input.detach().contiguous()
    output = prepared.run(x, [one.data_ptr() for one in state], [one.data_ptr() for one in last])
    values = {"output": output} | {f"last {name}": one for name, one in zip(call.cell.state, last, strict=True)}
    hold(report, f"{describe(case)}, prepared", values, {name: expected[name] for name in values}, dtype)
    weights = (*call.weights[:5], *call.weights.vectors)
    made = prepared.differentiable(call.input, weights, call.state)
    assert made is not None, "only packed sequences may have to go another way"
    output, *ends = made
    hold(
        report,
        f"{describe(case)}, prepared and differentiated",
        named(call, Result(output, tuple(ends), None)),
        expected,
        dtype,
    )
    if len(x) == 1:
        memory = [one.clone() for one in state]
        stepped = prepared.stepping(memory)(x[0])
        values = {"output": stepped.unsqueeze(0)} | {
            f"last {name}": one for name, one in zip(call.cell.state, memory, strict=True)
        }
        hold(report, f"{describe(case)}, as a step", values, {name: expected[name] for name in values}, dtype)


def hold_packed(report: EngineReport, prepared: Prepared, case: Case) -> None:
    """A prepared call on the rows of packed sequences, each shorter than the one before it."""
    time, batch = case.call.input.shape[:2]
    lengths = [max(1, time - row) for row in range(batch)]
    packing = packing_of(torch.tensor([sum(one > t for one in lengths) for t in range(time)]), sum(lengths))
    assert packing is not None
    call = case.call._replace(valid=packing.valid.to(case.call.input.device))
    expected, what = named(call, reference.run(call)), f"{describe(case)}, prepared and packed"
    state = [one.detach().contiguous() for one in call.state]
    last = [torch.empty_like(one) for one in state]
    x = packing.unpad(call.input)
    output = prepared.run(x.detach(), [one.data_ptr() for one in state], [one.data_ptr() for one in last], packing)
    values = {"output": packing.pad(output)} | {f"last {name}": one for name, one in zip(call.cell.state, last, strict=True)}
    hold(report, what, values, {name: expected[name] for name in values}, call.input.dtype)
    made = prepared.differentiable(x, (*call.weights[:5], *call.weights.vectors), call.state, packing)
    if made is not None:
        result = Result(packing.pad(made[0]), tuple(made[1:]), None)
        hold(report, f"{what}, differentiated", named(call, result), expected, call.input.dtype)


def named(call: Call, result: Result) -> dict[str, Tensor]:
    """Outputs, last states, sites, and the gradients of a weighed sum of the first two, by name."""
    found = {"output": result.output} | {f"last {name}": one for name, one in zip(call.cell.state, result.state, strict=True)}
    loss = torch.stack([(value.sin() * (k + 1)).sum() for k, value in enumerate(found.values())]).sum()
    if loss.requires_grad:
        inputs = gradient_names(call)
        grads = torch.autograd.grad(loss, list(inputs.values()), materialize_grads=True)
        found |= {f"gradient by {name}": grad for name, grad in zip(inputs, grads, strict=True)}
    if result.sites is not None:
        for site, values in result.sites.items():
            steps = values if isinstance(values, Tensor) else torch.stack(list(values))
            found[f"site {site}"] = steps if call.valid is None else torch.where(call.valid.unsqueeze(-1), steps, 0)
    return found


def gradient_names(call: Call) -> dict[str, Tensor]:
    weights = {name: getattr(call.weights, name) for name in call.weights._fields[:5]}
    vectors = dict(zip(call.cell.vectors, call.weights.vectors, strict=True))
    states = {f"first {name}": one for name, one in zip(call.cell.state, call.state, strict=True)}
    return {name: one for name, one in ({"x": call.input} | weights | vectors | states).items() if one is not None}


def hold(report: EngineReport, what: str, found: dict[str, Tensor], expected: dict[str, Tensor], dtype: torch.dtype) -> None:
    values, gradients = CLOSE[dtype]
    for name in expected.keys() | found.keys():
        if name not in found or name not in expected:
            report.differs.append(f"{what}: {name} is {'missing' if name not in found else 'not expected'}")
            continue
        ours, theirs = found[name].detach(), expected[name].detach()
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            report.differs.append(
                f"{what}: {name} is {ours.dtype} {tuple(ours.shape)}, expected {theirs.dtype} {tuple(theirs.shape)}"
            )
            continue
        allowed = gradients if name.startswith("gradient") else values
        off = ((ours - theirs).abs() / theirs.abs().clamp(min=1)).max().item() if theirs.numel() else 0.0
        if not off <= allowed:  # NaN is more than anything
            report.differs.append(f"{what}: {name} differs by {off:.1e}, allowed are {allowed:.0e}")


def describe(case: Case) -> str:
    call = case.call
    time, batch, width = call.input.shape
    hidden = call.weights.input.shape[0] // len(call.cell.gates)
    return (
        f"{call.cell.name}, {time} x {batch} x {width} x {hidden}, {str(call.input.dtype).removeprefix('torch.')}, {case.kind}"
    )
