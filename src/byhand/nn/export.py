"""Export: torch.jit.trace and torch.onnx.export write torch's own operator where there is one.

It runs wherever TorchScript or ONNX runs. A cell without one is traced as byhand's operator, which needs `import byhand` where the
model is loaded; torch.onnx.export has nothing for it, and it is refused: byhand.export_onnx writes it. In a graph of torch.fx a layer is
one node.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.rnn import PackedSequence

from byhand import cells
from byhand.engine import transforms

if TYPE_CHECKING:
    Twin = nn.RNNBase | nn.RNNCellBase

LAYERS: dict[str, type[nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
SINGLE: dict[str, type[nn.RNNCellBase]] = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}
OPTIONS = ("num_layers", "bias", "batch_first", "dropout", "bidirectional")
WRITES = "byhand.export_onnx(model, file, {'x': x}, axes={'x': {0: 'time', 1: 'batch'}}) writes it"
recorder: ContextVar[Callable[..., Any] | None] = ContextVar(
    "recorder", default=None
)  # inside byhand.export_onnx: writes each layer


def is_leaving(input: Any) -> bool:
    """Whether torch.jit.trace, an ONNX exporter or torch.fx.symbolic_trace is at work."""
    if torch.compiler.is_dynamo_compiling():
        return False
    return torch._C._get_tracing_state() is not None or transforms.is_in_onnx_export() or isinstance(input, fx.Proxy)


@contextmanager
def sizes_are_numbers() -> Iterator[None]:
    """Without torch.jit.trace's warnings that a size was compared: what a layer decides by sizes, it decides for the layer's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        yield


def twin(module: Any) -> Twin | None:
    """Torch's layer of the same arguments, reading the very parameters of ours; None if torch has none."""
    name = module.cell.name
    if name not in LAYERS or module.cell != getattr(cells, name):
        return None
    if any(one.reverse for one in getattr(module, "sublayers", ())[:1]):  # it reads from the end only
        return None
    sizes = module.input_size, module.hidden_size
    if not hasattr(module, "num_layers"):
        theirs: Any = SINGLE[name](*sizes, bias=module.bias, device="meta")  # type: ignore[call-arg]
    else:
        options = {option: getattr(module, option) for option in OPTIONS}
        if name == "lstm":
            options["proj_size"] = module.proj_size
        theirs = LAYERS[name](*sizes, **options, device="meta")  # type: ignore[arg-type]
    for parameter in list(theirs._parameters):
        del theirs._parameters[parameter]
        setattr(theirs, parameter, getattr(module, parameter))  # or what a parametrisation makes of it
    return theirs.train(module.training)


def forward(module: Any, input: Any, hx: Any, reset: Any = None) -> Any:
    """What the module gives, as torch's own operator or one node of a graph; None where byhand's operator is to be traced.
    RuntimeError where neither is right.
    """
    if isinstance(input, fx.Proxy):
        tracer: Any = input.tracer
        named = {} if reset is None else {"reset": reset}
        return tracer.create_proxy("call_module", tracer.path_of_module(module), (input,) if hx is None else (input, hx), named)
    record = recorder.get()
    if record is not None:
        return record(module, input, hx, reset)
    learnt = hx is None and getattr(module, "learn_initial_state", False)
    theirs = twin(module) if reset is None and not learnt else None
    if transforms.is_in_onnx_export():
        check_exported(module, input, theirs)
    if theirs is not None:
        return theirs.forward(input, hx)
    if isinstance(input, PackedSequence):
        raise RuntimeError(
            f"torch.jit.trace cannot follow a PackedSequence through cell {module.cell.name!r} or learnt first states: trace the model"
            " on padded tensors"
        )
    return None


def check_exported(module: Any, input: Any, theirs: Twin | None) -> None:
    """RuntimeError where torch.onnx.export would write something wrong, or fail without saying what to do."""
    sizes = input.data.shape if isinstance(input, Tensor | PackedSequence) else ()
    if theirs is not None and getattr(module, "proj_size", 0):
        raise RuntimeError(
            f"torch.onnx.export leaves out the weights of a projection or refuses it, got proj_size={module.proj_size}: {WRITES}"
        )
    if any(isinstance(size, torch.SymInt) for size in sizes):
        raise RuntimeError(
            f"torch.onnx.export(dynamo=True) writes an LSTM of one length and batch only, got dynamic_shapes: {WRITES}; or use"
            " torch.onnx.export(..., dynamo=False, dynamic_axes=...), which writes it for all of them"
        )
    if theirs is None:
        raise RuntimeError(
            f"torch.onnx.export knows no operator for cell {module.cell.name!r}, nor for reset=... and learnt first states: {WRITES}; or"
            " put `with byhand.use_engine('reference'):` around it, which writes the steps one by one, for the length of the example"
        )


def refuse_script(module: Any) -> NoReturn:
    """NotImplementedError: torch.jit.script reads the code of what it is given, and would put what stands in for ours into the model."""
    kind, name = type(module).__name__, module.cell.name
    way = (
        "script a copy, after byhand.convert(copy, back=True)"
        if twin(module) is not None
        else "torch.jit.trace(model, example)"
    )
    raise NotImplementedError(f"torch.jit.script cannot read byhand.{kind} with cell {name!r}: {way}")
