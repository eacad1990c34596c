"""A script: layers on the GPU engine, in Triton's interpreter, as torch records and transforms them; prints what it found as lines of JSON.

    TRITON_INTERPRET=1 PYTHONPATH=src:.:tests/support python tests/support/gpu_transformed.py GROUP

GROUP is one of ways, operators, watched.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
import transformations
from gpu_interpreted import BFLOAT, CPU, DOUBLE, SINGLE, Found, cast, ragged
from torch import Tensor

import byhand
from byhand import cells
from byhand.engine import dispatch, operators, reference
from byhand.engine.cpp.autograd import flatten
from byhand.engine.triton import engine
from byhand.testing.engine_cases import call_of

# As it is on CUDA, where there is no C++ engine.
dispatch.ENGINES = (engine, reference)
operators.BACKENDS["cpu"] = operators.BACKENDS["cuda"]
WAYS = {  # way -> the forms in which it says something of an engine
    **dict.fromkeys(
        ("inference_mode", "checkpoint", "compile", "export", "make_fx", "FakeTensorMode", "functionalize"), ("plain",)
    ),
    **dict.fromkeys(("subclass", "vmap"), ("plain",)),
    **dict.fromkeys(("autocast", "jit.trace", "TorchDispatchMode", "grad and jvp"), ("plain", "packed")),
}


def of_ways() -> None:
    """Every way in which torch records or transforms operations, each in a process in which the engine has run nothing before."""
    jobs = [(way, "peephole" if form == "plain" else "lstm", form) for way, forms in WAYS.items() for form in forms]
    for module in transformations.LOADED:  # which takes seconds, and runs nothing of ours
        importlib.import_module(module)
    for job in jobs:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            print(json.dumps({"job": job, "verdict": transformations.report(*job)}), flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0, job


def count(graph: torch.fx.GraphModule) -> int:
    """How many of a graph's operations are ours; all others are none of a loop's."""
    return sum("byhand" in str(node.target) for node in graph.graph.nodes)


def off(ours: Any, theirs: Any) -> float:
    return max((one.double() - other.double()).abs().max().item() for one, other in zip(ours, theirs, strict=True))


def of_operators() -> Iterator[Found]:
    """One operator for a layer and direction: compiled, exported, by torch's own check; gradients by name."""
    graphs: list[torch.fx.GraphModule] = []

    def counting(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        graphs.append(graph)
        return torch._dynamo.backends.registry.lookup_backend("aot_eager")(graph, inputs)

    layers: dict[str, dict[str, Any]] = {
        "lstm": {"num_layers": 2, "bidirectional": True},
        "peephole": {"cell": cells.peephole, "proj_size": 2},
        "lstm_1997": {"cell": cells.lstm_1997},  # whose product reads several states
        "bfloat16": {"dtype": BFLOAT, "cell": cells.peephole},
    }
    for name, options in layers.items():
        torch._dynamo.reset()
        graphs.clear()
        layer = byhand.LSTM(3, 5, **{"dtype": DOUBLE} | options)
        keys = list(layer.state_dict())
        x = torch.randn(3, 2, 3, dtype=options.get("dtype", DOUBLE), requires_grad=True)
        compiled = torch.compile(layer, fullgraph=True, backend=counting)
        found = [gradients(run, x, layer) for run in (compiled, layer)]
        yield {
            "compiled": name,
            "off": off(*found),
            "operators": [count(graph) for graph in graphs],
            "dtype": str(found[0][0].dtype),
        }
        assert list(layer.state_dict()) == keys
    layer = byhand.LSTM(3, 5, 1, bidirectional=True, cell=cells.peephole, dtype=DOUBLE)
    sizes = {"input": {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}}
    program = torch.export.export(layer, (torch.randn(4, 3, 3, dtype=DOUBLE),), dynamic_shapes=sizes)
    module = program.module()
    others = [torch.randn(steps, batch, 3, dtype=DOUBLE) for steps, batch in ((4, 3), (5, 9))]
    yield {"exported": count(program.graph_module), "off": max(off(module(x)[:1], layer(x)[:1]) for x in others)}
    yield {"inductor": off([torch.compile(layer, fullgraph=True)(others[0])[0]], [layer(others[0])[0]])}
    for cell, projected in ((cells.lstm, 0), (cells.peephole, 2)):
        call = ragged(call_of(cell, (3, 3, 3, 6), SINGLE, CPU, proj_size=projected))
        call = cast(call, SINGLE)._replace(cut=call.valid & (torch.rand(3, 3) < 0.5), restart=call.state)
        tensors = flatten(call)
        arguments = (*tensors[:6], [*tensors[6:]], call.valid, call.cut, cell.name, True, True)
        tests = ("test_schema", "test_faketensor", "test_autograd_registration", "test_aot_dispatch_static")
        yield {"opcheck": cell.name, "said": torch.library.opcheck(torch.ops.byhand.layer.default, arguments, test_utils=tests)}


def gradients(run: Callable[[Tensor], Any], x: Tensor, layer: torch.nn.Module) -> list[Tensor]:
    """Output, last states, and the gradients by the input and every parameter."""
    output, state = run(x)
    values = [output, *(state if isinstance(state, tuple) else (state,))]
    return [*values, *torch.autograd.grad(torch.stack([one.sin().sum() for one in values]).sum(), [x, *layer.parameters()])]


GROUPS: dict[str, Callable[[], Iterator[Found] | None]] = {"ways": of_ways, "operators": of_operators}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.manual_seed(20)
    torch.set_num_threads(1)
    for found in GROUPS[sys.argv[1]]() or ():
        print(json.dumps(found), flush=True)
