"""A script: what the GPU engine does around its kernels, without a GPU; prints what it found as lines of JSON.

    TRITON_INTERPRET=1 PYTHONPATH=src:.:tests/support python tests/support/gpu_launched.py GROUP

GROUP is one of waits, launches, processes, watched.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from gpu_interpreted import DOUBLE, Found
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils.rnn import pack_padded_sequence
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import byhand
from byhand import cells
from byhand.engine import transforms
from byhand.engine.triton import engine, proof, refusal
from byhand.engine.triton.kernel import Kernel
from byhand.engine.triton.tiers import Tier
from byhand.testing.engine_cases import call_of

WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "unique", "lift_fresh", "lift_fresh_copy")


class NoWaiting(TorchDispatchMode):
    """Operations on tensors of a GPU; RuntimeError at one for which the CPU would wait for it, or the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        tensors = [one for one in tree_leaves((args, kwargs, result)) if isinstance(one, Tensor)]
        places = {one.device.type for one in tensors if one.dim()}
        if name in WAITING or len(places) > 1:
            raise RuntimeError(f"waits: {name} on {sorted(places)}")
        self.seen += places == {"meta"}
        return result


class NoCopying(TorchFunctionMode):
    """The same of what torch does before there is an operation: numbers of Python that become a tensor on the GPU."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        indexed = function in (Tensor.__getitem__, Tensor.__setitem__) and args[0].device.type == "meta"
        if indexed and any(isinstance(one, list) for one in (args[1] if isinstance(args[1], tuple) else (args[1],))):
            raise RuntimeError("waits: a list of indices")
        made = function in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu").type == "meta"
        if made or (function == Tensor.new_tensor and args[0].device.type == "meta"):
            raise RuntimeError("waits: numbers")
        return function(*args, **kwargs)


@contextmanager
def as_on_a_gpu(launched: list[str]) -> Iterator[NoWaiting]:
    """Tensors without values on a device of their own take a GPU's place: nothing can be read from them either."""

    def launch(kernel: Kernel, name: str, inputs: Any, arguments: dict[str, Any]) -> None:
        launched.append(name)

    with (
        mock.patch.object(transforms, "is_recorded", return_value=False),
        mock.patch.object(transforms, "is_plain", return_value=True),
        mock.patch.object(refusal, "DEVICES", {"meta"}),
        mock.patch.object(proof, "fails", return_value=None),
        mock.patch.object(Kernel, "launch", launch),
        NoCopying(),
        NoWaiting() as mode,
    ):
        yield mode


def of_waits() -> Iterator[Found]:
    """Whole calls and their derivatives on tensors of a GPU, in which nothing waits."""
    gpu = torch.device("meta")
    kinds: dict[str, dict[str, Any]] = {
        "peephole": {"cell": cells.peephole, "num_layers": 2, "bidirectional": True, "learn_initial_state": True},
        "slstm, projected": {"cell": cells.slstm, "proj_size": 2, "batch_first": True},
        "lstm_1997": {"cell": cells.lstm_1997, "bias": False},
        "zoneout": {"cell": cells.zoneout(cells.peephole, h=0.2, c=0.3)},
        "bfloat16": {"cell": cells.peephole, "dtype": torch.bfloat16},
    }
    for name, options in kinds.items():
        launched: list[str] = []
        with as_on_a_gpu(launched) as mode:
            lstm = byhand.LSTM(3, 5, device=gpu, **options)
            x = torch.randn(2, 4, 3, device=gpu, dtype=options.get("dtype"))
            reset = torch.zeros(2, 4, dtype=torch.bool, device=gpu)
            for output, _ in (lstm(x), lstm(x, lstm(x)[1]), lstm(x, reset=reset)):
                output.sum().backward()
            if not lstm.bidirectional:
                step = x[:, 0] if lstm.batch_first else x[0]
                lstm.stepper(len(step))(step)
            yield {"waits": name, "launched": len(launched), "seen": mode.seen}
    for cell in (cells.peephole, cells.gru, cells.lstm_1997):
        launched = []
        with as_on_a_gpu(launched) as mode:
            call = call_of(cell, (3, 4, 3, 6), torch.float32, gpu)
            valid = torch.ones(3, 4, dtype=torch.bool, device=gpu)
            cut = torch.zeros(3, 4, dtype=torch.bool, device=gpu)
            call = call._replace(valid=valid, cut=cut, restart=call.state, reverse=True, sites=True)
            result = engine.run(call) if engine.refuses(call) is None else None
            assert result is not None
            torch.stack([one.sum() for one in (result.output, *result.state)]).sum().backward()
            yield {"waits": f"{cell.name}, watched", "launched": len(launched), "seen": mode.seen}
    for control in ("x[[0, 1]]", "x + torch.ones(2)", "x.new_tensor([1.0])", "x.sum().item()", "x.nonzero()", "x.cpu()"):
        try:
            with as_on_a_gpu([]):
                eval(control, {"x": torch.ones(2, device=gpu), "torch": torch})
        except (RuntimeError, NotImplementedError) as problem:
            yield {"control": control, "refused": str(problem)}


def of_launches() -> Iterator[Found]:
    """Which device and stream a kernel is launched on, and what happens at its first launch inside a capture."""
    kernel = Kernel(cells.gru, 6, None)
    on: list[str] = []
    launched: list[tuple[str, ...]] = []

    @contextmanager
    def device(one: torch.device) -> Iterator[None]:
        on.append(str(one))
        yield
        on.pop()

    class Function:
        def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
            return lambda **_: launched.append((*on, str(grid)))

    kernel.module = SimpleNamespace(forward=Function())
    capturing = mock.patch.object(torch.cuda, "is_current_stream_capturing", return_value=False)
    product = SimpleNamespace(device=torch.device("cuda:1"), shape=(3, 20, 18))
    inputs: Any = SimpleNamespace(product=product, cut=None, state=(torch.zeros(20, 6),))
    with mock.patch.object(torch.cuda, "device", device), capturing as is_capturing:

        def launch(**arguments: Any) -> str:
            try:
                kernel.launch("forward", inputs, arguments)
            except RuntimeError as problem:
                return str(problem)
            return "launched"

        x = torch.zeros(20, 18)
        said = [launch(X=x, T=3)]
        is_capturing.return_value = True
        said += [launch(X=x, T=3), launch(X=x, T=8), launch(X=x.double(), T=3), launch(X=None, T=3), launch(X=x[0, 1:], T=3)]
        proof.found.clear()
        with mock.patch.object(proof, "distance", return_value=0.0):
            for is_capturing.return_value in (True, False, True):
                try:
                    said.append(str(proof.fails(torch.device("cuda:1"), torch.float32, Tier.resident)))
                except RuntimeError as problem:
                    said.append(str(problem))
    yield {"said": said, "launched": launched}


def of_processes() -> Iterator[Found]:
    """DistributedDataParallel in two processes: the gradients of both halves of a batch, averaged while backward runs."""
    lstm = byhand.LSTM(3, 5, num_layers=2, bidirectional=True, cell=cells.peephole, dtype=DOUBLE)
    x = torch.randn(3, 4, 3, dtype=DOUBLE)
    with tempfile.TemporaryDirectory() as folder:
        children = []
        for rank in range(2):
            children.append(os.fork())
            if children[-1] == 0:
                dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
                heard: list[Tensor] = []
                parallel = DistributedDataParallel(lstm)
                for one in lstm.parameters():
                    one.register_post_accumulate_grad_hook(heard.append)
                with byhand.use_engine("triton"):
                    parallel(x[:, 2 * rank : 2 * rank + 2])[0].sin().sum().backward()
                found = {name: one.grad for name, one in lstm.named_parameters()}
                torch.save((found, len(heard)), f"{folder}/{rank}")
                dist.destroy_process_group()
                os._exit(0)
        ended = [os.waitpid(child, 0)[1] for child in children]
        assert ended == [0, 0], ended
        made = [torch.load(f"{folder}/{rank}") for rank in range(2)]
    with byhand.use_engine("reference"):
        (lstm(x)[0].sin().sum() / 2).backward()
    right = {name: one.grad for name, one in lstm.named_parameters()}
    off = [max((found[name] - right[name]).abs().max().item() for name in right) for found, _ in made]
    yield {"off": off, "heard": [heard for _, heard in made], "parameters": len(right)}


def of_watched() -> Iterator[Found]:
    """Every site, the gradients by them, and edits by values at every site, of whatever a layer takes."""
    torch.backends.cudnn.rnn.fp32_precision = "ieee"  # type: ignore[attr-defined]
    for cell, options in (
        (cells.lstm, {}),
        (cells.peephole, {"proj_size": 2, "bidirectional": True}),
        (cells.gru, {}),
        (cells.lstm_1997, {}),
    ):
        lstm = byhand.LSTM(3, 6, cell=cell, dtype=DOUBLE, **options)
        x = torch.randn(3, 3, 3, dtype=DOUBLE)
        packed = pack_padded_sequence(x, torch.tensor([3, 1, 2]), enforce_sorted=False)
        reset = torch.rand(3, 3) < 0.4

        def recorded(given: Any, reset: Tensor, lstm: byhand.LSTM = lstm) -> dict[str, Tensor]:
            with byhand.record(lstm, gradients=True) as trace:
                output = lstm(given, reset=reset)[0]
                (output if isinstance(output, Tensor) else output.data).sin().sum().backward()
            return {name: trace[name] for name in trace} | {f"by {name}": trace.grad[name] for name in trace}

        for form, given in (("whole", x), ("ragged", packed)):
            ours, theirs = both(lambda given=given, reset=reset, run=recorded: run(given, reset))
            yield {"recorded": f"{cell.name}, {form}", "off": off(ours, theirs), "sites": len(ours)}

        def edited(given: Any, reset: Tensor, lstm: byhand.LSTM = lstm) -> dict[str, Tensor]:
            with byhand.record(lstm) as trace:
                lstm(given, reset=reset)
            found = {}
            for name in trace:
                if ".reverse." in name or (lstm.proj_size and name.endswith(".h")):  # after the projection: no part of the step
                    continue
                width = trace[name].shape[-1]
                changes = [
                    byhand.at(0.25, time=[0, -1], batch=1),
                    byhand.at(torch.linspace(-1, 1, width), time=1, unit=slice(1, 2)),
                ]
                with byhand.edit(lstm, {name: changes}):
                    output, state = lstm(given, reset=reset)
                values = [
                    output if isinstance(output, Tensor) else output.data,
                    *(state if isinstance(state, tuple) else (state,)),
                ]
                loss = torch.stack([one.sin().sum() for one in values]).sum()
                by = torch.autograd.grad(loss, list(lstm.parameters()), materialize_grads=True)
                found |= {f"{name} {i}": one.detach() for i, one in enumerate((*values, *by))}
            return found

        if cell is not cells.lstm:
            ours, theirs = both(lambda reset=reset, run=edited, packed=packed: run(packed, reset))
            yield {"edited": cell.name, "off": off(ours, theirs), "values": len(ours)}


def both(work: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """On the GPU engine, which raises what it refuses, and on the reference engine."""
    found = []
    for name in ("triton", "reference"):
        with byhand.use_engine(name):
            found.append(work())
    return found[0], found[1]


def off(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """The largest difference; a trace holds NaN where a sequence has ended."""
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name].isnan(), theirs[name].isnan()) for name in theirs)
    return max((ours[name] - theirs[name]).nan_to_num().abs().max().item() for name in theirs)


GROUPS: dict[str, Callable[[], Iterator[Found]]] = {
    "waits": of_waits,
    "launches": of_launches,
    "processes": of_processes,
    "watched": of_watched,
}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.manual_seed(20)
    torch.set_num_threads(1)
    for found in GROUPS[sys.argv[1]]():
        print(json.dumps(found), flush=True)
