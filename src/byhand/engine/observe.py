"""Observers, which watch or change what layers compute, for as long as a `with` block lasts.

Nothing is ever attached to a module: the observers that are open stand in a context variable, and a layer asks for those that name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from byhand.engine import transforms
from byhand.engine.dispatch import is_chosen, run
from byhand.engine.edits import EditFunction, found_once
from byhand.engine.names import Sublayer, join

if TYPE_CHECKING:
    from byhand.engine.call import Call, Result


class Observer(Protocol):
    """Watches, or changes, every call of the modules that it names."""

    paths: Mapping[nn.Module, str]  # the modules it concerns, and their names in the model
    reads: bool  # whether it wants to see the sites
    in_graph: bool  # and in the graph

    def edits(self, place: str) -> Mapping[str, EditFunction]:
        """Site -> edit(value (batch, hidden), time, number of steps), for a place named like "encoder.l0". One with a method `held`
        may run as a value instead of a function: see byhand.engine.edits.values_of.
        """
        ...

    def observe(self, place: str, call: Call, result: Result) -> None:
        """Called after each call, with its result."""
        ...


_open: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())
_lock = Lock()
open_anywhere = 0  # how many observers are open in the process: all that torch.compile can look at, and compiles again for


def unobserved() -> bool:
    """Whether no observer is open, and no engine was asked for by name."""
    return not _open.get() and not is_chosen()


@contextmanager
def active(observer: Observer) -> Iterator[None]:
    """The observer is open inside the block, and gone after it however it ends."""
    token = _open.set((*_open.get(), observer))
    count(1)
    try:
        with transforms.as_written():
            yield
    finally:
        count(-1)
        _open.reset(token)


@contextmanager
def unwatched() -> Iterator[None]:
    """Inside the block no observer is open; those of outside are again after it."""
    token = _open.set(())
    try:
        yield
    finally:
        _open.reset(token)


def answered(module: nn.Module, given: tuple[Any, ...], run: Callable[..., Any]) -> Any:
    """run(*given): a module's own answer to what it is given. An open observer with a method `answer`, which takes these three and
    whether it is alone in naming the module, gives the answer in its place.
    """
    if torch.compiler.is_dynamo_compiling():
        return run(*given)
    observers = [observer for observer in _open.get() if module in observer.paths]
    for observer in observers:
        answer = getattr(observer, "answer", None)
        if answer is not None:
            return answer(module, given, run, alone=len(observers) == 1)
    return run(*given)


def count(change: int) -> None:
    global open_anywhere  # noqa: PLW0603 (a number that torch.compile can guard)
    with _lock:
        open_anywhere += change


def run_observed(module: nn.Module, place: Sublayer, call: Call) -> Result:
    """Run a call under the open observers that name its module: edits of the outer ones first, then all observe the result."""
    if torch.compiler.is_dynamo_compiling():
        if open_anywhere:
            raise RuntimeError(
                "a byhand layer cannot be watched or changed by torch.compile's first call: call the compiled model once before the block"
            )
        return run(call)
    observers = [observer for observer in _open.get() if module in observer.paths]
    if not observers:
        return run(call)
    functions: dict[str, list[EditFunction]] = {}
    for observer in observers:
        for site, function in observer.edits(join(observer.paths[module], place)).items():
            functions.setdefault(site, []).append(function)
    steps = len(call.input)

    def edit(site: str, time: int, value: Tensor) -> Tensor:
        for function in functions[site]:
            value = function(value, time, steps)
        return value

    sites, in_graph = any(observer.reads for observer in observers), any(observer.in_graph for observer in observers)
    held = found_once(functions)
    call = call._replace(edited=frozenset(functions), edit=edit, held=held, sites=sites, in_graph=in_graph)
    result = run(call)
    for observer in observers:
        observer.observe(join(observer.paths[module], place), call, result)
    # The caller may write into the states that it gets, which are sites of the last step, or tensors that an edit put there.
    return result._replace(state=tuple(one.clone() for one in result.state))
