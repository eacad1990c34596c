"""The number type in which a call is computed: float64 and float32 as they are, anything lower in float32.

In bfloat16 a memory that counts stops at 256, and a forget gate of 0.998 is 1. So sums and states are kept in float32 from the first
step of a sequence to the last, and rounded once, when they are returned. Under autocast the weights are not rounded at all: the output
has autocast's type, the states stay in the weights' own, so that they can be carried on from call to call.

An engine among dispatch.LOW keeps sums and states so by itself in layers of low precision that it does not refuse: those are not converted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from byhand.engine.call import Call, Result

Function = TypeVar("Function", bound=Callable[..., Any])
COMPUTED_IN = {
    torch.float32: torch.float32,
    torch.float64: torch.float64,
    torch.bfloat16: torch.float32,
    torch.float16: torch.float32,
}


LOW = (torch.bfloat16, torch.float16)


def in_pairs(call: Call) -> str:
    """What is to be known of a call that an engine among dispatch.LOW computes as it is."""
    own = name(call.input.dtype)
    return f"products of {own}, sums and states in float32, output in {own}"


def in_words(call: Call) -> str | None:
    """What is to be known of a call in low precision; None for any other."""
    computed = computed_in(call)
    if computed is None:
        return None
    given = autocast_type(call) or call.input.dtype
    return f"computed in {name(computed)}, output in {name(given)}"


def name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def autocast_type(call: Call) -> torch.dtype | None:
    """The number type that autocast wants of the output; None where it is off, or leaves these weights alone, as it does float64."""
    kind = call.input.device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind) or call.weights.input.dtype == torch.float64:
        return None
    return torch.get_autocast_dtype(kind)


def computed_in(call: Call) -> torch.dtype | None:
    """The number type in which to compute instead of the call's own; None if there is nothing to convert."""
    own = call.weights.input.dtype
    computed = COMPUTED_IN.get(own)
    return None if computed == own and autocast_type(call) is None else computed


def run(call: Call, engine: Callable[[Call], Result]) -> Result:
    """The engine's answer to the call, computed and returned in the right number types; the sites as they were computed, since copies
    of them would be outside the graph in which gradients by them are to be had.
    """
    computed = computed_in(call)
    if computed is None:
        return engine(call)
    output, state = autocast_type(call) or call.input.dtype, call.weights.input.dtype
    with exactly(call.input.device.type):
        result = engine(converted(call, computed))
    return result._replace(output=result.output.to(output), state=tuple(one.to(state) for one in result.state))


@contextmanager
def exactly(device: str) -> Iterator[None]:
    """Autocast is off inside, for what has the number type that it is to have."""
    if device == "meta" or not torch.is_autocast_enabled(device):
        yield
        return
    with torch.autocast(device, enabled=False):
        yield


def exact(function: Function) -> Function:
    """The function outside autocast: for derivatives, which backward() may ask for inside it."""

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        if torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return run(*arguments, **options)
        if torch.is_autocast_enabled("cuda"):
            with torch.autocast("cuda", enabled=False):
                return run(*arguments, **options)
        return function(*arguments, **options)

    return run  # type: ignore[return-value]


def converted(call: Call, dtype: torch.dtype) -> Call:
    """The same call in another number type."""

    def to(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(dtype)

    weights = call.weights._replace(**{field: to(getattr(call.weights, field)) for field in call.weights._fields[:5]})
    return call._replace(
        input=call.input.to(dtype),
        state=tuple(one.to(dtype) for one in call.state),
        weights=weights._replace(vectors=tuple(one.to(dtype) for one in call.weights.vectors)),
        noise=tuple(one.to(dtype) for one in call.noise),
        restart=tuple(one.to(dtype) for one in call.restart),
    )
