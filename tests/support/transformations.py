"""A script: layers under every way in which torch records or transforms operations, each form of input in a process that has run
nothing before.

Reads a list of [way, cell, form] and prints each with its verdict, as JSON: "right, DIGEST", with a digest of what a plain call gives
afterwards, or what went wrong. The processes are forked from one that has only imported, so that each is as fresh as a new one.
--cold: each with an empty cache of compiled code, too, and without torch's parts that are imported late.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.utils.checkpoint import checkpoint

import byhand
from byhand import cells

LOADED = (
    "torch._dynamo",
    "torch._decomp",
    "torch.export",
    "torch._functorch.aot_autograd",
    "torch.fx.experimental.proxy_tensor",
)
TIME, BATCH, INPUT, HIDDEN = 4, 3, 2, 5
Job = tuple[str, str, str]  # way, cell, form
CELLS = {cell.name: cell for cell in (cells.lstm, cells.gru, cells.peephole, cells.layernorm_lstm, cells.gru_reset_before)}
TORCHS: dict[str, type[nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Form(NamedTuple):
    """A form of input. lengths: of the sequences of a batch, if they differ."""

    options: Mapping[str, Any] = MappingProxyType({})
    shape: tuple[int, ...] = (TIME, BATCH, INPUT)
    lengths: tuple[int, ...] = ()
    states: bool = False


FORMS = {
    "plain": Form(),
    "unbatched": Form(shape=(TIME, INPUT)),
    "batch_first": Form({"batch_first": True}, (BATCH, TIME, INPUT)),
    "packed": Form(lengths=(4, 2, 1)),
    "packed, not sorted": Form(lengths=(2, 4, 1)),
    "states": Form(states=True),
    "projected": Form({"proj_size": 2}),
    "bidirectional": Form({"bidirectional": True}),
    "stacked": Form({"num_layers": 2}),
}


class Refused(Exception):  # noqa: N818 (the right answer of some)
    """One line that says so, and what to type."""


class Case(NamedTuple):
    """A layer with what it is given."""

    layer: byhand.LSTM
    form: Form
    x: Tensor
    hx: Any

    def input(self, x: Tensor) -> Any:
        return pack_padded_sequence(x, torch.tensor(self.form.lengths), enforce_sorted=False) if self.form.lengths else x

    def run(self, module: Callable[..., Any], x: Tensor) -> list[Tensor]:
        """Outputs and last states."""
        return flat(module(self.input(x)) if self.hx is None else module(self.input(x), self.hx))


def flat(result: Any) -> list[Tensor]:
    if isinstance(result, PackedSequence):
        return [result.data]
    return [result] if isinstance(result, Tensor) else [one for part in result for one in flat(part)]


def case(cell: str, form: Form, dtype: torch.dtype = torch.float64) -> Case:
    torch.manual_seed(5)
    layer = byhand.LSTM(INPUT, HIDDEN, cell=CELLS[cell], dtype=dtype, **form.options)
    hx = tuple(torch.randn(1, BATCH, HIDDEN, dtype=dtype) for _ in layer.cell.state) if form.states else None
    return Case(layer, form, torch.randn(form.shape, dtype=dtype), hx[0] if hx and len(hx) == 1 else hx)


def gradients(values: list[Tensor], by: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(weighed(values), by, materialize_grads=True))


def weighed(values: list[Tensor]) -> Tensor:
    """One number, to which all values contribute differently."""
    return sum((value * torch.linspace(-1, 2, value.numel()).to(value).view_as(value)).sum() for value in values)  # type: ignore[return-value]


def with_gradients(this: Case, run: Callable[[Tensor], list[Tensor]]) -> list[Tensor]:
    """What a run gives, and its gradients by the input and every parameter."""
    x = this.x.clone().requires_grad_()
    values = run(x)
    return [*values, *gradients(values, [x, *this.layer.parameters()])]


def expected(this: Case) -> list[Tensor]:
    """By torch's own layer, where there is one; else by the reference engine."""
    kind = TORCHS.get(this.layer.cell.name)
    if kind is None:
        with byhand.use_engine("reference"):
            return with_gradients(this, lambda x: this.run(this.layer, x))
    theirs = kind(INPUT, HIDDEN, dtype=this.x.dtype, **this.form.options)
    theirs.load_state_dict(this.layer.state_dict())
    x = this.x.clone().requires_grad_()
    values = this.run(theirs, x)
    return [*values, *gradients(values, [x, *theirs.parameters()])]


def plain(this: Case) -> list[Tensor]:
    return with_gradients(this, lambda x: this.run(this.layer, x))


def inference_mode(this: Case) -> list[Tensor]:
    with torch.inference_mode():
        this.run(this.layer, this.x)
    return plain(this)


def meta_device(this: Case) -> list[Tensor]:
    given = this.input(this.x)
    with torch.device("meta"):
        found = flat(this.layer(given, this.hx))
    assert not any(one.is_meta for one in found)
    return plain(this)


def anomaly(this: Case) -> list[Tensor]:
    with torch.autograd.detect_anomaly(check_nan=True):
        return plain(this)


def save_on_cpu(this: Case) -> list[Tensor]:
    with torch.autograd.graph.save_on_cpu():
        return plain(this)


def checkpointed(this: Case) -> list[Tensor]:
    return with_gradients(this, lambda x: checkpoint(lambda y: this.run(this.layer, y), x, use_reentrant=False))


def checkpointed_reentrant(this: Case) -> list[Tensor]:
    x, parameters = this.x.clone().requires_grad_(), list(this.layer.parameters())
    values = list(checkpoint(lambda y: tuple(this.run(this.layer, y)), x, use_reentrant=True))  # type: ignore[arg-type]
    weighed(values).backward()
    return [*values, *(one.grad for one in (x, *parameters))]  # type: ignore[list-item]


def autocast(this: Case) -> list[Tensor]:
    """float64 is left alone; float32 is compared in its own test."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return plain(this)


def compiled(this: Case) -> list[Tensor]:
    module = torch.compile(this.layer, backend="aot_eager")
    return with_gradients(this, lambda x: this.run(module, x))


def exported(this: Case, *, strict: bool) -> list[Tensor]:
    if this.form.lengths:
        raise Refused("torch.export takes no PackedSequence")  # of nn.LSTM either
    time, batch = (1, 0) if this.layer.batch_first else (0, 1)
    sizes: dict[int, Any] = {time: torch.export.Dim.DYNAMIC, batch: torch.export.Dim.DYNAMIC}
    if this.x.dim() == 2:
        sizes = {0: torch.export.Dim.DYNAMIC}
    states = None if this.hx is None else tuple({1: torch.export.Dim.DYNAMIC} for _ in this.layer.cell.state)
    given = (this.x,) if this.hx is None else (this.x, this.hx)
    if states is not None and len(states) == 1:
        states = states[0]
    if not this.layer.cell.elementwise:  # a loop, for one length
        sizes.pop(time)
    shapes = {"input": sizes} if this.hx is None else {"input": sizes, "hx": states}
    program = torch.export.export(this.layer, given, dynamic_shapes=shapes, strict=strict)
    module = program.module()
    if this.hx is None and this.layer.cell.elementwise:  # another length and batch
        other = torch.randn(*[size + 2 for size in this.x.shape[:-1]], INPUT, dtype=this.x.dtype)
        for ours, theirs in zip(this.run(module, other), this.run(this.layer, other), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    return in_graph(this, module, lambda x: this.run(module, x))


def exported_strictly(this: Case) -> list[Tensor]:
    return exported(this, strict=True)


def exported_unstrictly(this: Case) -> list[Tensor]:
    return exported(this, strict=False)


class Around(nn.Module):
    """A model with the layer inside, which packs its input itself."""

    def __init__(self, this: Case) -> None:
        super().__init__()
        self.layer, self.this = this.layer, this

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.this.run(self.layer, x))


def in_graph(this: Case, module: nn.Module, values: Callable[[Tensor], list[Tensor]]) -> list[Tensor]:
    """As with_gradients, where the parameters are the module's, under their names in it."""
    x = this.x.clone().requires_grad_()
    made, names = values(x), {name.removeprefix("layer."): one for name, one in module.named_parameters()}
    return [*made, *gradients(made, [x, *(names[name] for name, _ in this.layer.named_parameters())])]


def traced(this: Case) -> list[Tensor]:
    module = torch.jit.trace(Around(this), (this.x,), check_trace=False)
    if this.hx is None and not this.form.lengths:
        other = torch.randn(*[size + 2 for size in this.x.shape[:-1]], INPUT, dtype=this.x.dtype)
        if not this.layer.cell.elementwise:  # a loop, for one length
            try:
                module(other)
            except RuntimeError:
                pass
            else:
                raise AssertionError("another length gives a result")
        else:
            for ours, theirs in zip(module(other), this.run(this.layer, other), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    return in_graph(this, module, lambda x: list(module(x)))


def scripted(this: Case) -> list[Tensor]:
    torch.jit.script(nn.ModuleDict({"layer": this.layer}))
    return plain(this)


def made_fx(this: Case) -> list[Tensor]:
    from torch.fx.experimental.proxy_tensor import make_fx  # noqa: PLC0415

    parameters = list(this.layer.parameters())
    names = [name for name, _ in this.layer.named_parameters()]

    def both(x: Tensor, *values: Tensor) -> list[Tensor]:
        def run(given: Any, *hx: Any) -> Any:
            return torch.func.functional_call(this.layer, dict(zip(names, values, strict=True)), (given, *hx))

        made = this.run(run, x)
        return [*made, *gradients(made, [x, *values])]

    x = this.x.clone().requires_grad_()
    graph = make_fx(both)(x, *parameters)
    return graph(x * 1, *parameters)


def fake(this: Case) -> list[Tensor]:
    from torch._subclasses import FakeTensorMode  # noqa: PLC0415

    if this.form.lengths:
        raise Refused("a PackedSequence's sizes are data, which fake tensors have not")  # for nn.LSTM either
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        found = this.run(this.layer, mode.from_tensor(this.x))
    right = plain(this)
    assert [one.shape for one in found] == [one.shape for one in right[: len(found)]]
    return right


def functionalized(this: Case) -> list[Tensor]:
    values = torch.func.functionalize(lambda x: this.run(this.layer, x))(this.x)
    return [*values, *plain(this)[len(values) :]]


def dispatch_mode(this: Case) -> list[Tensor]:
    from torch.utils._python_dispatch import TorchDispatchMode  # noqa: PLC0415

    class Seen(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.reached: set[int] = set()

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            self.reached |= {id(one) for one in torch.utils._pytree.tree_leaves(result)}
            self.last = result  # so that no identity is used again
            keep.append(result)
            return result

    keep: list[Any] = []
    with torch.no_grad(), Seen() as mode:
        values = this.run(this.layer, this.x)
    assert all(id(one) in mode.reached for one in values), "a result that the mode has not seen"
    with Seen():
        return plain(this)


def subclass(this: Case) -> list[Tensor]:
    class Mine(Tensor):
        pass

    if this.form.lengths:
        raise Refused("packing makes plain tensors")
    return [one.as_subclass(Tensor) for one in with_gradients(this, lambda x: this.run(this.layer, x.as_subclass(Mine)))]


def mapped(this: Case) -> list[Tensor]:
    if this.form.lengths:
        raise Refused("pack_padded_sequence has no batching rule")
    values = torch.func.vmap(lambda x: this.run(this.layer, x))(torch.stack([this.x, 2 * this.x]))
    return [*(one[0] for one in values), *plain(this)[len(values) :]]


def differentiated(this: Case) -> list[Tensor]:
    """torch.func.grad by the parameters, jvp by the input."""
    named = dict(this.layer.named_parameters())
    given = this.input(this.x)

    def loss(values: dict[str, Tensor], given: Any) -> Tensor:
        return weighed(flat(torch.func.functional_call(this.layer, values, (given, *([] if this.hx is None else [this.hx])))))

    by_parameters = torch.func.grad(loss)({name: one.detach() for name, one in named.items()}, given)
    right = plain(this)
    count = len(right) - len(named)
    if not this.form.lengths:
        direction = torch.ones_like(this.x)
        tangent = torch.func.jvp(lambda x: loss({n: v.detach() for n, v in named.items()}, x), (this.x,), (direction,))[1]
        torch.testing.assert_close(tangent, right[count - 1].sum(), rtol=1e-10, atol=1e-12)
    return [*right[:count], *by_parameters.values()]


def symbolically(this: Case) -> list[Tensor]:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = this.layer

        def forward(self, x: Any, hx: Any = None) -> Any:
            return self.layer(x, hx)

    traced = torch.fx.symbolic_trace(Outer())
    assert [node.op for node in traced.graph.nodes].count("call_module") == 1, traced.graph
    return with_gradients(this, lambda x: this.run(traced, x))


REFUSALS = (
    "proj_size expected a cell that reads its output through weight_hh only",
    "torch.jit.script cannot read byhand.LSTM with cell",
    "torch.jit.trace cannot follow a PackedSequence",
    "a PackedSequence expected sizes that can be read as numbers",
)
WAYS: dict[str, Callable[[Case], list[Tensor]]] = {
    "eager": plain,
    "inference_mode": inference_mode,
    "device meta": meta_device,
    "anomaly": anomaly,
    "save_on_cpu": save_on_cpu,
    "checkpoint": checkpointed,
    "checkpoint, reentrant": checkpointed_reentrant,
    "autocast": autocast,
    "compile": compiled,
    "export": exported_unstrictly,
    "export, strict": exported_strictly,
    "jit.trace": traced,
    "jit.script": scripted,
    "make_fx": made_fx,
    "FakeTensorMode": fake,
    "functionalize": functionalized,
    "TorchDispatchMode": dispatch_mode,
    "subclass": subclass,
    "vmap": mapped,
    "grad and jvp": differentiated,
    "fx.symbolic_trace": symbolically,
}


def report(way: str, cell: str, form: str) -> str:
    """What became of a case: "right, DIGEST", "refused: ...", or what is wrong."""
    try:
        return verdict(way, case(cell, FORMS[form]))
    except Refused as reason:
        return f"not asked: {reason}"
    except Exception as problem:  # noqa: BLE001 (any is a finding)
        said = f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}"
        return f"refused: {said}" if any(words in said for words in REFUSALS) else f"WRONG {said}"


def verdict(way: str, this: Case) -> str:
    for index, (ours, theirs) in enumerate(zip(WAYS[way](this), expected(this), strict=True)):
        torch.testing.assert_close(
            ours.detach(), theirs.detach(), rtol=1e-10, atol=1e-11, msg=lambda said, i=index: f"value {i}: {said}"
        )
    engine = byhand.engines(this.layer, this.input(this.x))[0][1]
    without = not this.layer.cell.elementwise
    return (
        f"right, {digest(plain(this))}" if engine.startswith("ready") is not without else f"WRONG engine afterwards: {engine}"
    )


def digest(values: list[Tensor]) -> str:
    """All bits of a plain call that comes after, and of its gradients."""
    return hashlib.sha256(b"".join(one.detach().numpy().tobytes() for one in values)).hexdigest()[:16]


def run(job: Job, *, cold: bool) -> None:
    """One case, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        if cold:
            os.environ["BYHAND_CACHE"] = folder
        print(json.dumps([*job, report(*job)]), flush=True)


def verdicts(jobs: Iterable[Job], *options: str, **environment: str) -> dict[Job, str]:
    """What this script says of each."""
    said = subprocess.run(
        [sys.executable, __file__, *options],
        input=json.dumps(list(jobs)),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return {(way, cell, form): verdict for way, cell, form, verdict in map(json.loads, said.stdout.splitlines())}


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--cold", action="store_true")
    asked = words.parse_args()
    warnings.simplefilter("ignore")
    for module in () if asked.cold else LOADED:  # once for all; it takes seconds, and runs nothing of ours
        importlib.import_module(module)
    torch.set_num_threads(1)
    gc.freeze()  # else each child looks through, and so copies, all that was imported
    for job in map(tuple, json.load(sys.stdin)):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run(job, cold=asked.cold)
                code = 0
            finally:
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        if status:
            print(json.dumps([*job, f"WRONG ended with {status}"]), flush=True)


if __name__ == "__main__":
    main()
