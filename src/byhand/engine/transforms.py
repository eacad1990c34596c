"""What torch is doing around a call: transforms that change what operations mean, and modes that record or intercept them.

A kernel works on memory, behind torch's back. Where somebody records or intercepts operations, the call has to be one operator that
they see; where operations mean something else (a batch of calls, a directional derivative), it has to be the loop of the reference
engine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch.nn import Parameter

if TYPE_CHECKING:
    from torch import Tensor

PLAIN = (torch.Tensor, Parameter)


def is_plain() -> bool:
    """Whether nothing of the kind is active, in well under a microsecond."""
    return (
        torch._C._len_torch_dispatch_stack() == 0
        and torch._C._functorch.peek_interpreter_stack() is None  # type: ignore[attr-defined]
        and torch.autograd.forward_ad._current_level < 0
        and torch._C._get_tracing_state() is None
        and not torch.is_autocast_enabled("cpu")
    )


def transform() -> str | None:
    """The active transform that changes what operations mean (torch.func, forward-mode differentiation), in words, or None."""
    if torch._C._functorch.peek_interpreter_stack() is not None:  # type: ignore[attr-defined]
        return "a transform of torch.func is active"
    return "forward-mode differentiation is active" if is_forward_mode() else None


def is_forward_mode() -> bool:
    """Whether directional derivatives are computed, by torch.func.jvp or torch.autograd.forward_ad."""
    return torch.autograd.forward_ad._current_level >= 0


def is_in_onnx_export() -> bool:
    """Whether one of torch's ONNX exporters is at work."""
    return "torch.onnx" in sys.modules and torch.onnx.is_in_onnx_export()


def refuse_onnx_export() -> None:
    """RuntimeError in one of torch's ONNX exporters, which know no operator of ours."""
    if is_in_onnx_export():
        raise RuntimeError(
            "torch.onnx.export has nothing for byhand's operator: byhand.export_onnx(model, file, ...) writes every cell; or put"
            " `with byhand.use_engine('reference'):` around it, for the length of the example"
        )


@contextmanager
def as_written() -> Iterator[None]:
    """Inside, what torch.compile compiled runs as it was written: no graph asks who watches, or which engine was asked for."""
    if "torch._dynamo" not in sys.modules:  # which is how torch.compile starts
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def is_recorded(tensors: Iterable[Tensor | None]) -> bool:
    """Whether operations are recorded or intercepted: by torch.jit.trace, a dispatch mode (make_fx, FakeTensorMode, a mode of the
    user's), or by tensors that stand for others.
    """
    return (
        torch._C._len_torch_dispatch_stack() > 0
        or torch._C._get_tracing_state() is not None
        or any(one is not None and stands_for_another(one) for one in tensors)
    )


def strange_tensor(tensors: Sequence[Tensor]) -> str | None:
    """Why one of the tensors cannot be read as numbers in memory, or None."""
    for one in tensors:
        if type(one) not in PLAIN:
            return f"a tensor is of a subclass, {type(one).__name__}"
        if one.layout != torch.strided or one.is_nested or stands_for_another(one):
            return "a tensor is not laid out in memory"
    there = {(one.dtype, one.device) for one in tensors}
    return None if len(there) == 1 else "the tensors differ in number type or device"


def stands_for_another(tensor: Tensor) -> bool:
    """Whether the tensor has no memory of its own: a fake or a functional one."""
    functional: bool = torch._is_functional_tensor(tensor)  # type: ignore[attr-defined]
    return functional or (type(tensor) not in PLAIN and is_fake(tensor))


def is_fake(tensor: Tensor) -> bool:
    """Whether it is a FakeTensor, or wraps one."""
    module = sys.modules.get("torch._subclasses.fake_tensor")
    return module is not None and module.is_fake(tensor)
