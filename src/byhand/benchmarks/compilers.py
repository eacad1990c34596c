"""What others make of the same layer: torch.compile of the plain loop, and the LSTM operators of ONNX Runtime and OpenVINO."""

import logging
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from byhand.benchmarks.cases import Case
from byhand.benchmarks.contenders import Contender, Given, Work, chosen, contender, ready, twins
from byhand.benchmarks.naive import layer

MOST_STEPS = 20  # torch.compile writes a Python loop out step by step; compiling takes minutes beyond this
COMPILE_SECONDS = 120.0


class PlainLoop(nn.Module):
    """The naive loop with weights of its own: torch.compile refuses whatever holds an nn.LSTM."""

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(weight.detach().clone()) for weight in lstm.all_weights[0])

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, h, c = layer(x, *self.weights)
        return output, (h, c)


class TooSlowError(BaseException):
    """Compiling took too long. No Exception, so that nothing between here and the compiler takes it for an error of its own."""


def compilers(case: Case, asked: str | None) -> Work:
    """nn.LSTM, byhand.LSTM, and those of the three that there are."""
    theirs, ours, task = twins(case)
    engine, first = ready(ours, task.x, asked), contender("nn.LSTM", theirs, task)
    made, notes = [first, contender("byhand", ours, task, engine=engine, around=chosen(asked), truth=first)], []
    others = {
        "torch.compile": partial(compiled, case, theirs),
        "ONNX Runtime": partial(onnx_runtime, theirs),
        "OpenVINO": partial(openvino, theirs),
    }
    for name, make in others.items():
        found = make(task)
        if isinstance(found, str):
            notes.append(f"{name}: {found}")
        else:
            made.append(found._replace(name=name, operations=first.operations, truth=first))
    return Work(made, notes)


def compiled(case: Case, lstm: nn.LSTM, task: Given) -> Contender | str:
    """Compiled by its first calls, or why not."""
    if case.shape.time > MOST_STEPS:
        return f"left out, for it writes the loop out: more than {MOST_STEPS} steps"
    torch._dynamo.reset()  # or it remembers other shapes, and gives up after eight
    module: Any = torch.compile(PlainLoop(lstm), dynamic=False, fullgraph=True)
    made = contender("", module, task)
    try:
        with within(COMPILE_SECONDS):
            for quantity, call in made.calls.items():
                with made.scope(quantity):
                    call()
    except TooSlowError:
        return f"does not compile in {COMPILE_SECONDS:g} s"
    except Exception as problem:  # noqa: BLE001 (whatever a compiler cannot do, the others can still be timed)
        return f"does not compile: {type(problem).__name__}: {first_line(problem)}"
    return made


def first_line(problem: Exception) -> str:
    return next(iter(str(problem).strip().splitlines()), "")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raises TooSlowError after `seconds`. In the main thread only."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def onnx_runtime(lstm: nn.LSTM, task: Given, *, int8: bool = False) -> Contender | str:
    """Inference by ONNX Runtime with as many threads as torch has, or why not. int8: quantised dynamically."""
    try:
        onnx, runtime = import_module("onnx"), import_module("onnxruntime")
    except ImportError as problem:
        return f"not measured, {problem}: pip install --group bench"
    model = onnx_model(onnx, lstm)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.force_spinning_stop", "1")  # or its threads spin on in the next contender's turn
    session = runtime.InferenceSession(
        (quantised(model) if int8 else model).SerializeToString(), options, ["CPUExecutionProvider"]
    )
    x = task.x
    assert isinstance(x, Tensor)
    return Contender("", {"forward": onnx_call(session.run, x)})


def openvino(lstm: nn.LSTM, task: Given) -> Contender | str:
    """Inference by OpenVINO in float32, compiled for the input's size, with as many threads as torch has, or why not."""
    try:
        onnx, runtime = import_module("onnx"), import_module("openvino")
    except ImportError as problem:
        return f"not measured, {problem}: pip install --group bench"
    x = task.x
    assert isinstance(x, Tensor)
    core = runtime.Core()
    model = core.read_model(onnx_model(onnx, lstm).SerializeToString())
    model.reshape(list(x.shape))
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = core.compile_model(model, "CPU", settings)
    values = x.detach().numpy()
    return Contender("", {"forward": lambda: [torch.from_numpy(found) for found in compiled(values).values()]})


def quantised(model: Any) -> Any:
    """The model with the weights of its LSTM as integers of 8 bits."""
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)  # it advises of a step that one operator does not need
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "int8.onnx"
            import_module("onnxruntime.quantization").quantize_dynamic(model, file, op_types_to_quantize=["LSTM"])
            return import_module("onnx").load(file)
    finally:
        log.setLevel(level)


def onnx_call(run: Callable[..., list[Any]], x: Tensor) -> Callable[[], list[Tensor]]:
    values = {"x": x.detach().numpy()}
    return lambda: [torch.from_numpy(found) for found in run(None, values)]


def onnx_model(onnx: ModuleType, lstm: nn.LSTM) -> Any:
    """A graph of one LSTM operator with these weights: x (time, batch, input) -> outputs, and last states h and c."""
    helper, single = onnx.helper, onnx.TensorProto.FLOAT

    def in_their_order(weight: Tensor) -> Tensor:
        i, f, g, o = weight.detach().chunk(4)
        return torch.cat([i, o, f, g])

    w, u, b, d = (in_their_order(weight) for weight in lstm.all_weights[0])
    constants = {"w": w.unsqueeze(0), "u": u.unsqueeze(0), "b": torch.cat([b, d]).unsqueeze(0)}
    node = helper.make_node("LSTM", ["x", *constants], ["y", "h", "c"], hidden_size=lstm.hidden_size)
    graph = helper.make_graph(
        [node],
        "lstm",
        [helper.make_tensor_value_info("x", single, ["time", "batch", lstm.input_size])],
        [helper.make_tensor_value_info(name, single, None) for name in node.output],
        [onnx.numpy_helper.from_array(value.numpy(), name) for name, value in constants.items()],
    )
    # Versions that every ONNX Runtime of recent years can read.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
