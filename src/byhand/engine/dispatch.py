"""Which engine runs a call: the first, in order, that does not refuse it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from byhand.engine import aten, precision, reference, transforms
from byhand.engine.call import Call, Result
from byhand.engine.cpp import engine as cpp
from byhand.engine.protocol import Engine, Prepared
from byhand.engine.triton import engine as triton

ENGINES: tuple[Engine, ...] = (cpp, aten, triton, reference)
# Those that keep sums and states in float32 by themselves in low precision, where they do not refuse it.
LOW: tuple[Engine, ...] = (cpp, triton)
_chosen: ContextVar[str | None] = ContextVar("engine", default=None)


def chosen() -> str | None:
    """The engine that was asked for by name, or None."""
    return _chosen.get()


def is_chosen() -> bool:
    """Whether an engine was asked for by name."""
    return chosen() is not None


def run(call: Call) -> Result:
    """Run the call, in the number type that is right for it, on the engine that was asked for by name, else on the first that does
    not refuse. RuntimeError if the one asked for refuses: nothing falls back silently.
    """
    if call.input.dtype in precision.LOW and not is_recorded(call):
        engine = first_in_low(call)
        if engine is not None:
            return engine.run(call)
    return precision.run(call, run_as_it_is)


def first_in_low(call: Call) -> Engine | None:
    """The engine that computes a call in low precision as it is; None if it is to be converted first, as it is for the first engine that
    takes it and is not among LOW.
    """
    for engine in ENGINES:
        if _chosen.get() in (None, engine.name) and engine.refuses(call) is None:
            return engine if engine in LOW else None
    return None


def run_as_it_is(call: Call) -> Result:
    chosen = None if torch.compiler.is_dynamo_compiling() else _chosen.get()  # which dynamo cannot read
    if chosen is None and is_recorded(call):
        made = (engine.traced(call) for engine in ENGINES)
        result = next((one for one in made if one is not None), None)
        if result is not None:
            return result
    if torch.compiler.is_compiling() and chosen is None:
        return reference.run(call)
    for engine in ENGINES:
        if chosen is not None and engine.name != chosen:
            continue
        reason = engine.refuses(call)
        if reason is None:
            return engine.run(call)
        if chosen is not None:
            raise RuntimeError(f"engine {chosen!r} was asked for and cannot run this: {reason}; leave the choice to byhand")
    raise AssertionError("the reference engine refuses nothing")


def prepare(call: Call, *, pack: bool = False, frozen: str | None = None) -> Prepared | None:
    """The call prepared by the engine that would run it; see Engine.prepare."""
    low = {} if frozen is None else {"frozen": frozen}
    for engine in ENGINES:
        if _chosen.get() in (None, engine.name) and engine.refuses(call) is None:
            return engine.prepare(call, pack=pack, **low)
    return None


def is_recorded(call: Call) -> bool:
    """Whether the call has to be an operator that torch.compile, torch.export, a trace or a mode of torch's sees."""
    return torch.compiler.is_compiling() or (
        transforms.transform() is None and transforms.is_recorded((call.input, *call.state, *call.weights[:5]))
    )


def states(call: Call) -> list[tuple[str, str]]:
    """Every engine in order, with "ready" (in low precision "ready: ...", with the number types; on a GPU the tier of kernels, and why) or
    why it would not run this call.
    """
    words = precision.in_words(call)
    ready = "ready" if words is None else f"ready: {words}"
    low = [engine for engine in LOW if call.input.dtype in precision.LOW and engine.refuses(call) is None]
    computed = precision.computed_in(call)
    with precision.exactly(call.input.device.type):
        asked = call if computed is None else precision.converted(call, computed)
        found = [
            (engine, call, f"ready: {precision.in_pairs(call)}") if engine in low else (engine, asked, ready)
            for engine in ENGINES
        ]
        return [(engine.name, state(engine, call, ready)) for engine, call, ready in found]


def state(engine: Engine, call: Call, ready: str) -> str:
    """Why an engine refuses a call, or that it is ready for it, and how."""
    reason = engine.refuses(call)
    if reason is not None:
        return reason
    return f"{ready}; {triton.how(call)}" if engine is triton else ready


@contextmanager
def use_engine(name: str) -> Iterator[None]:
    """Inside the block every byhand layer runs on this engine, or raises RuntimeError. ValueError for an unknown name."""
    known = [engine.name for engine in ENGINES]
    if name not in known:
        raise ValueError(f"use_engine expected one of {', '.join(map(repr, known))}, got {name!r}")
    token = _chosen.set(name)
    try:
        with transforms.as_written():
            yield
    finally:
        _chosen.reset(token)
