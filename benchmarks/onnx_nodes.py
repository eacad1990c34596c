"""What byhand costs inside an ONNX model: a layer as OnnxModel runs it, beside onnxruntime's own node, in turn on the same numbers.

    python -m benchmarks.onnx_nodes [--rounds 30] [--threads 2]

node      onnxruntime's session of a model that is that one node.
in model  byhand inside OnnxModel's run: from the array that the runtime hands over to the arrays that it gets back.
ratio     in model / node, the median of the ratios within a round; the aim is 1.0 at most.

Before the clock starts both must agree to 1e-5. Run it on an idle machine.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from byhand.interop.onnx_in.execute import Scope
from byhand.interop.onnx_in.model import OnnxModel
from byhand.interop.onnx_in.plan import Recurrent
from byhand.interop.onnx_in.runtime import onnx, session, values_of

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
BATCH, INPUTS = 32, 64
TURN = 0.005  # seconds that one turn takes at least


def model_of(kind: str, units: int, direction: str) -> Any:
    """A model that is one node with random weights, as torch's exporter writes it."""
    helper, rng, rows = onnx().helper, np.random.default_rng(0), GATES[kind] * units
    directions = 2 if direction == "bidirectional" else 1
    shapes = {"W": (directions, rows, INPUTS), "R": (directions, rows, units), "B": (directions, 2 * rows)}
    weights = [
        onnx().numpy_helper.from_array((rng.uniform(-1, 1, size) / units**0.5).astype(np.float32), name)
        for name, size in shapes.items()
    ]
    options: dict[str, Any] = {"hidden_size": units, "direction": direction}
    if kind == "GRU":
        options["linear_before_reset"] = 1
    node = helper.make_node(kind, ["X", "W", "R", "B"], ["Y"], name="rnn", **options)
    value = onnx().TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("X", value, ["time", "batch", INPUTS])]
    outputs = [helper.make_tensor_value_info("Y", value, ["time", directions, "batch", units])]
    graph = helper.make_graph([node], "node", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def calls(kind: str, units: int, direction: str, steps: int) -> dict[str, Callable[[], Any]]:
    """Name -> call. RuntimeError if they disagree."""
    made = model_of(kind, units, direction)
    feeds = {"X": np.random.default_rng(1).normal(size=(steps, BATCH, INPUTS)).astype(np.float32)}
    model, runtime = OnnxModel("one node", made), session(made)
    (step,) = (one for one in model._plan.steps if isinstance(one, Recurrent))
    scope = Scope(model._plan.graph, dict(feeds))

    def ours() -> Any:
        with torch.no_grad():
            return model._executor.recurrent(step, scope)

    found = {"node": lambda: values_of(runtime, feeds), "in model": ours}
    apart = float(np.abs(found["node"]()["Y"] - ours()[0]).max())
    if not apart <= 1e-5:
        raise RuntimeError(f"{kind} with {units} units: byhand and onnxruntime differ by {apart:.1e}")
    return found


def measure(found: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Name -> seconds of one call, round by round; each round begins with the other one."""
    turns = []
    for name, call in found.items():
        start = time.perf_counter()
        for _ in range(3):
            call()
        turns.append((name, call, max(1, round(TURN / ((time.perf_counter() - start) / 3)))))
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, call, repeats in turns:
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            times[name].append((time.perf_counter() - start) / repeats)
        turns.reverse()
    return times


def main(argv: list[str] | None = None) -> int:
    """Print the table. Gives the exit code: 1 if a case takes longer than the runtime."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=30, help="of each case (30)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of both (torch's number)")
    options = parser.parse_args(argv)
    if options.rounds < 1 or options.threads < 1:
        parser.error(f"expected --rounds and --threads of at least 1, got {options.rounds} and {options.threads}")
    torch.set_num_threads(options.threads)
    print(f"{BATCH} sequences, {INPUTS} inputs, float32, {options.threads} threads, {options.rounds} rounds")
    print(f"{'case':28}{'steps':>7}{'units':>7}{'node ms':>10}{'in model':>10}{'ratio':>8}")
    slow = 0
    for kind, direction in (("LSTM", "forward"), ("LSTM", "bidirectional"), ("GRU", "forward"), ("RNN", "forward")):
        for steps in (10, 100):
            for units in (64, 256):
                times = measure(calls(kind, units, direction, steps), options.rounds)
                ratio = statistics.median(b / a for a, b in zip(times["node"], times["in model"], strict=True))
                node, ours = (statistics.median(times[name]) * 1000 for name in ("node", "in model"))
                slow += ratio > 1
                print(f"{kind + ', ' + direction:28}{steps:>7}{units:>7}{node:>10.3f}{ours:>10.3f}{ratio:>8.2f}", flush=True)
    print(f"{slow} of 16 cases take longer than the runtime")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
