"""What the C++ engine takes on, and how it answers."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byhand.engine import compiler
from byhand.engine.call import Call, Listener, Result
from byhand.engine.cpp.gradient import Fixed, Layer, flatten, given
from byhand.engine.cpp.kernel import Given, Ran, kernel
from byhand.engine.cpp.ready import Ready, fits
from byhand.engine.programs import programs
from byhand.engine.tracing import UntraceableError

if TYPE_CHECKING:
    from byhand.cells import Cell

logger = logging.getLogger("byhand")
COMPUTED_IN = {torch.float32: torch.float32, torch.float64: torch.float64, torch.bfloat16: torch.float32}


def is_plain() -> bool:
    """Whether torch is at nothing that changes what operations mean."""
    return obstacle() is None


def obstacle() -> str | None:
    """What torch is at that changes what operations mean."""
    if torch._C._functorch.peek_interpreter_stack() is not None:  # type: ignore[attr-defined]
        return "a transform of torch.func is at work"
    if torch.is_autocast_enabled("cpu"):
        return "autocast is on"
    if torch.autograd.forward_ad._current_level >= 0:
        return "forward-mode differentiation is at work"
    return None


def refuses(call: Call) -> str | None:
    """Why it cannot run this call, or None."""
    x = call.input
    if x.device.type != "cpu":
        return f"the input is on {x.device}, the engine runs on the cpu"
    if x.dtype not in COMPUTED_IN:
        return f"the input is of {x.dtype}: expected float32, float64 or bfloat16"
    if call.edited:
        return "values are edited inside the steps"
    if call.live and torch.is_grad_enabled():
        return "the values inside the steps are wanted in the graph"
    strange = next((type(one) for one in flatten(call) if one is not None and type(one) not in PLAIN), None)
    if strange is not None:
        return f"a tensor is of a subclass, {strange.__name__}"
    return obstacle() or refuses_cell(call.cell, COMPUTED_IN[x.dtype])


PLAIN = (Tensor, torch.nn.Parameter)


@cache
def refuses_cell(cell: Cell, dtype: torch.dtype) -> str | None:
    """Why there is no kernel for this cell, or None: then there is one from here on."""
    try:
        programs(cell)
        kernel(cell, dtype)
    except UntraceableError as problem:
        return str(problem)
    except compiler.CompilerError as problem:
        tell_once(str(problem))
        return str(problem)
    return None


@cache
def tell_once(problem: str) -> None:
    """One clear line for who wonders where the speed is."""
    logger.warning("byhand runs on its reference engine, a Python loop, for want of compiled code: %s", problem)


def run(call: Call) -> Result:
    """The whole sequence in one call of the kernel."""
    dtype = COMPUTED_IN[call.input.dtype]
    if call.input.dtype != dtype:
        result = run(converted(call, dtype))
        seen: Any = result.sites
        sites = None if seen is None else {name: value.to(call.input.dtype) for name, value in seen.items()}
        return Result(
            result.output.to(call.input.dtype), tuple(one.to(call.input.dtype) for one in result.state), sites, result.tell
        )
    tensors = flatten(call)
    lengths = None if call.valid is None else call.valid.sum(0)
    listeners: list[Listener] = []
    fixed = Fixed(call.cell, call.reverse, call.valid, lengths, call.noise)
    if torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors):
        kept: list = []
        output, *last = Layer.apply(fixed, kept, listeners, *tensors)  # type: ignore[misc]
        what, ran = kept[0]
    else:
        what = given(fixed, call)
        ran = kernel(call.cell, dtype).forward(what, keep=call.sites)
        output, last = ran.output, ran.last
    sites = sites_of(call, what, ran, output) if call.sites else None
    return Result(output, tuple(last), sites, listeners.append if call.sites else None)


def ready(call: Call, *, packed: bool) -> Ready | None:
    """The call made ready for others of its shape and weights; None if the engine refuses it or it is not of that kind."""
    if refuses(call) is not None or COMPUTED_IN[call.input.dtype] != call.input.dtype or call.sites:
        return None
    compiled = kernel(call.cell, call.input.dtype)
    what = given(Fixed(call.cell, call.reverse, None, None, call.noise), call)
    if call.valid is not None or not fits(compiled, what):
        return None
    return Ready(compiled, what, compiled.pack(what) if packed else None)


def sites_of(call: Call, what: Given, ran: Ran, output: Tensor) -> dict[str, Any]:
    """The sites; the states among them are those that were carried on."""
    with torch.no_grad():
        made = {call.public_name(name): value for name, value in kernel(call.cell, what.input.dtype).sites(what, ran).items()}
    return made | {call.cell.state[0]: output.detach()}


def converted(call: Call, dtype: torch.dtype) -> Call:
    """The same in another dtype."""

    def to(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(dtype)

    weights = call.weights._replace(**{name: to(getattr(call.weights, name)) for name in call.weights._fields[:5]})
    weights = weights._replace(vectors=tuple(one.to(dtype) for one in call.weights.vectors))
    return call._replace(
        input=call.input.to(dtype),
        state=tuple(one.to(dtype) for one in call.state),
        weights=weights,
        noise=tuple(one.to(dtype) for one in call.noise),
    )
