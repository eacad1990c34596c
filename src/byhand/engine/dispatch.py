"""Which engine runs a call: the first, in order, that does not refuse it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from byhand.engine import reference
from byhand.engine.call import Call, Result
from byhand.engine.cpp import engine as cpp


class Engine(NamedTuple):
    """refuses(call): None, or why not. run(call): the answer."""

    name: str
    refuses: Callable[[Call], str | None]
    run: Callable[[Call], Result]


ENGINES: tuple[Engine, ...] = (
    Engine("cpp", cpp.refuses, cpp.run),
    Engine("reference", reference.refuses, reference.run),
)
_chosen: ContextVar[str | None] = ContextVar("engine", default=None)


def tries_cpp_first() -> bool:
    """Whether the C++ engine is the first to be tried, and no engine was asked for by name."""
    return _chosen.get() is None and ENGINES[0].run is cpp.run


def run(call: Call) -> Result:
    """Run the call on the engine that was asked for by name, else on the first that does not refuse. RuntimeError if the one
    asked for refuses: nothing falls back silently.
    """
    chosen = _chosen.get()
    for engine in ENGINES:
        if chosen is not None and engine.name != chosen:
            continue
        reason = engine.refuses(call)
        if reason is None:
            return engine.run(call)
        if chosen is not None:
            raise RuntimeError(f"engine {chosen!r} was asked for and cannot run this: {reason}; leave the choice to byhand")
    raise AssertionError("the reference engine refuses nothing")


def run_compiled(call: Call) -> Result:
    """Inside torch.compile and torch.export: one operator if there is a kernel for the cell, else the loop, unrolled."""
    from byhand.engine.cpp import operators  # noqa: PLC0415 (it loads the half of torch that compiles)

    cell = call.cell
    if call.input.device.type == "cpu" and operators.ready(cell.name, call.input.dtype, cell.gates, cell.state):
        return operators.run(call)
    return reference.run(call)


def states(call: Call) -> list[tuple[str, str]]:
    """Every engine in order, with "ready" or the reason why it would not run this call."""
    return [(engine.name, engine.refuses(call) or "ready") for engine in ENGINES]


@contextmanager
def use_engine(name: str) -> Iterator[None]:
    """Inside the block every byhand layer runs on this engine, or raises RuntimeError. ValueError for an unknown name."""
    known = [engine.name for engine in ENGINES]
    if name not in known:
        raise ValueError(f"use_engine expected one of {', '.join(map(repr, known))}, got {name!r}")
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)
