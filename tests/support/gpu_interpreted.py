"""A script: the GPU engine's kernels in Triton's interpreter, one group of checks at a time; prints what it found as lines of JSON.

    TRITON_INTERPRET=1 PYTHONPATH=src:.:tests/support python tests/support/gpu_interpreted.py GROUP

GROUP is one of numbers, cells, blocks, cuts, fences, layers, proof, engine.

Its own process, because Triton decides at its import whether kernels are interpreted or compiled.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
import triton
import triton.language as tl
from every_function import ARGUMENTS, every_function
from fenced import checks as fences
from torch import Tensor

import byhand
import tools.triton_interpreter as interpreter
from byhand import cells
from byhand.cells import Cell
from byhand.engine import precision, reference
from byhand.engine.call import Call
from byhand.engine.triton import engine, kernel, layer, proof, tiers
from byhand.testing import check_engine
from byhand.testing.check_engine import named
from byhand.testing.engine_cases import CELLS, call_of
from tools.gpu.calls import PRECISIONS, Errors, cast, errors, ragged

Found = dict[str, Any]
DOUBLE, SINGLE, BFLOAT, HALF = torch.float64, torch.float32, torch.bfloat16, torch.float16
LABELS = ("float64", "float32", "tf32", "bfloat16", "float16")
CPU = torch.device("cpu")


def held(call: Call, label: str) -> tuple[Errors, Errors]:
    """The engine's errors, and those of the reference engine in the same number type, against that in float64."""
    torch.backends.cudnn.rnn.fp32_precision = "tf32" if label == "tf32" else "ieee"  # type: ignore[attr-defined]
    call = cast(call, PRECISIONS[label])
    reason = engine.refuses(call)
    if reason is not None:
        raise SystemExit(f"{call.cell.name} in {label}: {reason}")
    exact = cast(call, DOUBLE)
    right = named(exact, reference.run(exact))
    ours = errors(named(call, engine.run(call)), right)
    return ours, errors(named(call, reference.run(call)), right)


def variants(cell: Cell, label: str) -> Iterator[tuple[str, Call]]:
    """The calls of a cell: in float64 alone those that ask for more than arithmetic."""
    plain = call_of(cell, (3, 3, 3, 10), DOUBLE, CPU)
    yield "plain", plain
    if label == "float64":
        yield "reverse", plain._replace(reverse=True)
        yield "ragged", ragged(plain, reverse=False)
        yield "two programs", call_of(cell, (2, 11, 2, 6), DOUBLE, CPU, bias=False)
    yield "ragged, reverse", ragged(plain)
    if not cell.reads_its_output:
        projected = call_of(cell, (3, 3, 3, 10), DOUBLE, CPU, proj_size=3)
        yield "projection", projected
        if label == "float64":
            yield "projection, ragged, reverse", ragged(projected)


def elementwise() -> list[Cell]:
    return [cell for cell in CELLS if cell.elementwise]


def of_cells() -> Iterator[Found]:
    """Every elementwise cell in every number type that the engine takes it in."""
    for cell in elementwise():
        for label in LABELS:
            if label in ("bfloat16", "float16") and engine.refuses_low(cast(call_of(cell, (1, 1, 1, 2), DOUBLE, CPU), BFLOAT)):
                yield {"cell": cell.name, "precision": label, "refused": True}
                continue
            for variant, call in variants(cell, label):
                ours, theirs = held(call, label)
                yield {"cell": cell.name, "precision": label, "variant": variant, "ours": ours, "theirs": theirs}


def of_blocks() -> Iterator[Found]:
    """Sizes that two blocks cover; and three products of tf32 in place of one of float32."""
    for cell in (cells.lstm, cells.gru, cells.peephole, cells.lstm_1997, cells.zoneout(cells.lstm, h=0.2, c=0.3)):
        yield {"cell": cell.name, "errors": held(call_of(cell, (2, 2, 3, 40), DOUBLE, CPU), "float64")[0]}
    projected = ragged(call_of(cells.lstm, (2, 2, 3, 40), DOUBLE, CPU, proj_size=35))
    yield {"cell": "lstm, projected", "errors": held(projected, "float64")[0]}
    kernel.IEEE = 0
    yield {"cell": "lstm, tf32x3", "errors": held(call_of(cells.lstm, (3, 3, 3, 10), DOUBLE, CPU), "float32")[0]}


def of_cuts() -> Iterator[Found]:
    """Sequences that start again inside, with gradients by what they start again from."""
    torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    for cell in (cells.lstm, cells.gru, cells.lstm_1997, cells.zoneout(cells.peephole, h=0.2, c=0.3)):
        plain = call_of(cell, (4, 3, 3, 6), DOUBLE, CPU)
        empty = plain._replace(
            valid=torch.arange(4).unsqueeze(1) < torch.tensor([2, 0, 4]), reverse=True
        )  # a sequence of no step
        shapes = [plain, plain._replace(reverse=True), empty, ragged(plain)._replace(reverse=False), ragged(plain)]
        if not cell.reads_its_output:
            shapes.append(ragged(call_of(cell, (4, 3, 3, 6), DOUBLE, CPU, proj_size=3)))
        for shape in shapes:
            cut = torch.rand(4, 3) < 0.5
            restart = tuple(torch.randn_like(one).requires_grad_() for one in shape.state)
            call = shape._replace(cut=cut if shape.valid is None else cut & shape.valid, restart=restart, sites=shape is plain)

            def values(run: Callable[[Call], Any], call: Call = call) -> dict[str, Tensor]:
                result = run(call)
                made = [result.output, *result.state]
                by = torch.autograd.grad(
                    torch.stack([one.sin().sum() for one in made]).sum(), call.restart, materialize_grads=True
                )
                return named(call, run(call)) | {f"gradient by restart {i}": one for i, one in enumerate(by)}

            found = errors(values(engine.run), values(reference.run))
            yield {"cuts": f"{cell.name}, {'ragged' if call.valid is not None else 'whole'}", "errors": found}


def of_numbers() -> Iterator[Found]:
    """The interpreter with what was put right in it, and without."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(16, 16, generator=generator, dtype=DOUBLE) for _ in range(2))

    def product(dtype: torch.dtype, name: str) -> Tensor:
        made = torch.empty(16, 16, dtype=DOUBLE if dtype == DOUBLE else SINGLE)
        products.multiply[(1,)](a.to(dtype), b.to(dtype), made, name, tl.float64 if dtype == DOUBLE else tl.float32)
        return made.double()

    products = kernel.load("<products>", PRODUCTS, ("multiply", "rounded"))
    rounded = {label: (a.to(dtype).double(), b.to(dtype).double()) for label, dtype in PRECISIONS.items()}
    rounded["tf32"] = ten_bits(a.float()), ten_bits(b.float())
    rounded["tf32x3"] = rounded["float32"]
    for label, (left, right) in rounded.items():
        exact, dtype = left @ right, PRECISIONS.get(label, SINGLE)
        found = product(dtype, label if label.startswith("tf32") else "ieee")
        yield {"product": label, "off": (found - exact).abs().max().item()}
    yield {"product": "tf32 is not float32", "off": (product(SINGLE, "tf32") - a @ b).abs().max().item()}
    mended, plain = interpreter.create_dot, interpreter.DOT
    interpreter.interpreter.InterpreterBuilder.create_dot = plain
    yield {"product": "bfloat16, nothing put right", "off": (product(BFLOAT, "ieee") - a @ b).abs().max().item()}
    interpreter.interpreter.InterpreterBuilder.create_dot = mended
    values = torch.randn(64, generator=generator, dtype=SINGLE)
    rounded_by_triton = torch.empty(64, dtype=BFLOAT)
    products.rounded[(1,)](values, rounded_by_triton)
    yield {
        "product": "float32 stored as bfloat16",
        "off": (rounded_by_triton.double() - values.to(BFLOAT).double()).abs().max().item(),
    }
    for dtype in (DOUBLE, SINGLE):
        for fast in (False, True):
            text, programs = every_function()
            functions = kernel.load(f"<every function, {fast}>", text, ("functions",))
            given = [torch.tensor(values, dtype=dtype) for values in ARGUMENTS]
            made = torch.empty(len(programs.results), len(given[0]), dtype=dtype)
            functions.functions[(1,)](*given, made, fast, tl.float64 if dtype == DOUBLE else tl.float32)
            expected = programs.run({name: one.double() for name, one in zip(programs.inputs, given, strict=True)})
            for place, (name, right) in enumerate(expected.items()):
                same_kind = torch.equal(made[place].isnan(), right.isnan()) and torch.equal(made[place].isinf(), right.isinf())
                there = right.isfinite()
                off = ((made[place].double() - right)[there].abs() / right[there].abs().clamp(min=1)).max().item()
                number = f"{str(dtype).removeprefix('torch.')}{', fast' if fast else ''}"
                yield {"function": name, "number": number, "off": off, "same_kind": same_kind}
    yield {"version": triton.__version__}


def ten_bits(values: Tensor) -> Tensor:
    """float32 rounded to 10 bits of mantissa, computed in float64: 2^e · round(m · 2^10) / 2^10 with 1 <= m < 2, ties away from zero."""
    wide = values.double()
    size = torch.exp2(wide.abs().log2().floor() - 10)
    return torch.sign(wide) * torch.floor(wide.abs() / size + 0.5) * size


PRODUCTS = """import triton
import triton.language as tl


@triton.jit
def multiply(A, B, C, PREC: tl.constexpr, ACC: tl.constexpr):
    at = tl.arange(0, 16)[:, None] * 16 + tl.arange(0, 16)[None, :]
    made = tl.dot(tl.load(A + at), tl.load(B + at), tl.zeros((16, 16), ACC), input_precision=PREC, out_dtype=ACC)
    tl.store(C + at, made)


@triton.jit
def rounded(A, B):
    at = tl.arange(0, 64)
    tl.store(B + at, tl.load(A + at))
"""


def of_layers() -> Iterator[Found]:
    """What byhand.LSTM makes of it: autograd twice, autocast, outputs that are written into, recording and editing, transforms."""
    torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    lstm = byhand.LSTM(3, 5, num_layers=2, bidirectional=True, dtype=DOUBLE)
    x = torch.randn(3, 2, 3, dtype=DOUBLE, requires_grad=True)

    def both(work: Callable[[], Any]) -> tuple[Any, Any]:
        found = []
        for name in ("triton", "reference"):
            with byhand.use_engine(name):
                found.append(work())
        return found[0], found[1]

    def off(one: Tensor, other: Tensor) -> float:
        return (one.double() - other.double()).abs().max().item()

    def twice() -> Tensor:
        (grad,) = torch.autograd.grad(lstm(x)[0].sin().sum(), x, create_graph=True)
        return torch.autograd.grad(grad.pow(2).sum(), lstm.weight_hh_l0)[0]  # type: ignore[arg-type]

    yield {"layer": "differentiated twice", "off": off(*both(twice))}

    def in_place() -> Tensor:
        output, (h, _) = lstm(x)
        output, h = output.mul_(2), h.mul_(3)
        return torch.autograd.grad(output.sum() + h.sum(), x)[0]

    yield {"layer": "outputs written into", "off": off(*both(in_place))}

    def recorded() -> dict[str, Tensor]:
        with byhand.record(lstm) as trace:
            output, _ = lstm(x)
        return {name: trace[name] for name in ("l0.c", "l1.reverse.f", "l1.h")} | {"output": output}

    ours, theirs = both(recorded)
    yield {"layer": "recorded", "off": max(off(ours[name], theirs[name]) for name in theirs)}
    with byhand.use_engine("triton"):
        yield {"layer": "recording changes no bit", "off": 0.0 if torch.equal(lstm(x)[0], ours["output"]) else 1.0}

    def edited() -> Tensor:
        with byhand.edit(lstm, {"l0.f": byhand.at(0.5, time=1), "l1.reverse.c": byhand.at(0.1, unit=2)}):
            return lstm(x)[0]

    yield {"layer": "edited by values", "off": off(*both(edited))}
    low, there = byhand.LSTM(3, 5).eval(), torch.randn(3, 2, 3)

    def automatically() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return low(there)[0]

    ours, theirs = both(automatically)
    yield {"layer": "autocast", "off": off(ours, theirs), "dtype": str(ours.dtype)}
    call = lstm.call(lstm.sublayers[0], x, tuple(torch.zeros(2, 5, dtype=DOUBLE) for _ in range(2)))
    wide, large = (call_of(cells.lstm, (1, 1, 1, units), dtype, CPU) for units, dtype in ((208, SINGLE), (96, DOUBLE)))
    refused = {
        "cell": call_of(cells.layernorm_lstm, (1, 1, 1, 4), SINGLE, CPU),
        "device": precision.converted(call, SINGLE)._replace(input=torch.empty(3, 2, 3, device="meta")),
    }
    found = {name: engine.refuses(one) for name, one in refused.items()}
    for tier in tiers.BUILT:
        with tiers.only(tier):
            found |= {f"{name}, {tier.value}": engine.refuses(one) for name, one in (("wide", wide), ("large", large))}
    yield {"refused": found}
    yield {"how": {name: engine.how(one) for name, one in (("small", call), ("wide", wide), ("large", large))}}
    with byhand.use_engine("triton"):
        yield {"engines": dict(byhand.engines(byhand.LSTM(3, 5), torch.randn(3, 2, 3)))["triton"]}
    yield {"traced": engine.traced(call) is None, "prepared": engine.prepare(call) is None}


def of_proof() -> Iterator[Found]:
    """The engine's own proof on a device, and on one whose kernels are wrong, or do not run."""
    for tier in (tiers.Tier.resident, tiers.Tier.stepwise):
        for dtype in (DOUBLE, SINGLE, BFLOAT, HALF):
            with tiers.only(tier):
                off = proof.distance(CPU, dtype, tier)
            yield {"proof": f"{tier.value}, {dtype}", "off": off, "fails": proof.fails(CPU, dtype, tier)}
    run_kernel, call = layer.run_kernel, call_of(cells.gru, (3, 2, 2, 3), SINGLE, CPU)

    def wrong(call: Call, *, keep: bool) -> Any:
        outputs = run_kernel(call, keep=keep)
        outputs.output[1, 0, 0] += 0.5
        return outputs

    def broken(call: Call, *, keep: bool) -> Any:
        raise RuntimeError("no kernel image is available\nfor this device")

    for name, run in (("wrong", wrong), ("broken", broken)):
        proof.found.clear()
        tiers._distrusted.clear()
        layer.run_kernel = run
        yield {"device": name, "refused": engine.refuses(call)}


def of_engine() -> Iterator[Found]:
    """The conformance suite."""
    torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    report = check_engine(engine, chosen=[getattr(cells, name) for name in sys.argv[2:]] or elementwise())
    yield {"agrees": report.agrees, "refused": report.refused}


GROUPS: dict[str, Callable[[], Iterator[Found]]] = {
    "numbers": of_numbers,
    "cells": of_cells,
    "blocks": of_blocks,
    "cuts": of_cuts,
    "fences": fences,
    "layers": of_layers,
    "proof": of_proof,
    "engine": of_engine,
}

if __name__ == "__main__":
    torch.manual_seed(20)
    torch.set_num_threads(1)
    for found in GROUPS[sys.argv[1]]():
        print(json.dumps(found), flush=True)
