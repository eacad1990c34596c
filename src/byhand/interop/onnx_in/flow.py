"""If, Loop and Scan around recurrent nodes, as the operators' text says (ONNX 1.23; Scan from opset 9 on): bodies run by an executor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byhand.errors import LoadError
from byhand.interop.onnx_in.graph import attributes
from byhand.interop.onnx_in.values import tensor

if TYPE_CHECKING:
    from byhand.interop.onnx_in.execute import Executor, Scope
    from byhand.interop.onnx_in.plan import Flow, Plan

EMPTY = {
    1: torch.float32,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    2: torch.uint8,
    3: torch.int8,
}


def run_if(executor: Executor, step: Flow, scope: Scope) -> list[Any]:
    """The outputs of the branch that is chosen."""
    branch = "then_branch" if truth(scope.value(step.proto.input[0])) else "else_branch"
    return executor.run(step.bodies[branch], {}, scope)


def run_loop(executor: Executor, step: Flow, scope: Scope) -> list[Any]:
    """The carried values after the last round, then what each round put out, stacked."""
    body, names = step.bodies["body"], step.proto.input
    most = int(scope.value(names[0]).reshape(-1)[0]) if names[0] else None
    going = truth(scope.value(names[1])) if len(names) > 1 and names[1] else True
    carried = [scope.value(name) for name in names[2:]]
    rounds: list[list[Any]] = []
    number = 0
    while going and (most is None or number < most):
        given = [torch.tensor(number).numpy(), torch.tensor(going).numpy(), *carried]
        condition, *made = executor.run(body, dict(zip(body.graph.inputs, given, strict=True)), scope)
        going, carried = truth(condition), made[: len(carried)]
        rounds.append(made[len(carried) :])
        number += 1
    count = len(body.graph.outputs) - 1 - len(carried)
    return [*carried, *(stacked(body, 1 + len(carried) + at, [one[at] for one in rounds], 0) for at in range(count))]


def run_scan(executor: Executor, step: Flow, scope: Scope) -> list[Any]:
    """The states after the last slice, then what each slice put out, stacked along its axis."""
    body, named, names = step.bodies["body"], attributes(step.proto), step.proto.input
    count = named["num_scan_inputs"]
    states = [scope.value(name) for name in names[: len(names) - count]]
    scanned = [numbers(scope.value(name)) for name in names[len(names) - count :]]
    axes = [*named.get("scan_input_axes", ())] or [0] * count
    backward = [*named.get("scan_input_directions", ())] or [0] * count
    for value, axis in zip(scanned, axes, strict=True):
        if not -value.dim() <= axis < value.dim():
            raise RuntimeError(f"Scan expected an input with an axis {axis}, got sizes {list(value.shape)}")
    lengths = {value.shape[axis] for value, axis in zip(scanned, axes, strict=True)}
    if len(lengths) != 1:
        raise RuntimeError(f"Scan expected inputs of one length, got {sorted(lengths)}")
    (length,) = lengths
    rounds: list[list[Any]] = []
    for number in range(length):
        at = [length - 1 - number if back else number for back in backward]
        slices = [value.select(axis, place).contiguous().numpy() for value, axis, place in zip(scanned, axes, at, strict=True)]
        made = executor.run(body, dict(zip(body.graph.inputs, [*states, *slices], strict=True)), scope)
        states = made[: len(states)]
        rounds.append(made[len(states) :])
    outputs = len(body.graph.outputs) - len(states)
    axes = [*named.get("scan_output_axes", ())] or [0] * outputs
    backward = [*named.get("scan_output_directions", ())] or [0] * outputs
    return [
        *states,
        *(
            stacked(body, len(states) + at, [one[at] for one in rounds], axes[at], back=bool(backward[at]))
            for at in range(outputs)
        ),
    ]


RUN: dict[str, Callable[[Executor, Flow, Scope], list[Any]]] = {"If": run_if, "Loop": run_loop, "Scan": run_scan}


def check(node: Any, bodies: Mapping[str, Any]) -> None:
    """LoadError unless a node and its bodies have as many inputs and outputs as the operator's text says."""
    kind, named, inputs, outputs = node.op_type, attributes(node), len(node.input), len(node.output)
    sizes = {name: (len(body.input), len(body.output)) for name, body in bodies.items()}
    if kind == "If":
        fits = inputs == 1 and sizes == dict.fromkeys(("then_branch", "else_branch"), (0, outputs))
    elif kind == "Loop":
        carried = inputs - 2
        fits = carried >= 0 and sizes == {"body": (inputs, 1 + outputs)} and all(list(node.input)[2:])
    else:
        count = named.get("num_scan_inputs", 0)
        lists = [("scan_input_axes", count), ("scan_input_directions", count)]
        lists += [(name, outputs - inputs + count) for name in ("scan_output_axes", "scan_output_directions")]
        fits = 1 <= count <= inputs and sizes == {"body": (inputs, outputs)} and all(node.input)
        fits = fits and all(len(named.get(name, ())) in (0, size) for name, size in lists)
    if not fits:
        got = f"{inputs} inputs, {outputs} outputs and bodies of {sizes}"
        raise LoadError(f"expected {kind} {node.name!r} to fit its bodies, got {got}")


def truth(value: Any) -> bool:
    """A condition: one boolean."""
    if value.size != 1:
        raise RuntimeError(f"a condition expected one value, got sizes {list(value.shape)}")
    return bool(value.reshape(-1)[0])


def stacked(body: Plan, output: int, values: list[Any], axis: int, *, back: bool = False) -> Any:
    """What the rounds put out, along a new axis; where there was none, empty in the sizes that the body declares. back: the last first."""
    if values:
        return torch.stack([numbers(value) for value in (values[::-1] if back else values)], axis).numpy()
    kind = body.graph.proto.output[output].type.tensor_type
    if kind.elem_type not in EMPTY:
        raise RuntimeError(f"{body.graph.outputs[output]} of a loop without a round has a type that byhand does not make")
    sizes = [one.dim_value for one in kind.shape.dim]  # 0 where the file does not say
    sizes.insert(axis if axis >= 0 else len(sizes) + 1 + axis, 0)
    return torch.empty(sizes, dtype=EMPTY[kind.elem_type]).numpy()


def numbers(value: Any) -> Tensor:
    """RuntimeError for text, which torch does not hold."""
    try:
        return tensor(value)
    except TypeError as problem:
        raise RuntimeError(f"a loop around a recurrent node expected numbers, got {value.dtype}") from problem
