"""Scopes that watch or change what layers compute, for as long as a `with` block lasts.

Nothing is ever attached to a module: the scopes that are open stand in a context variable, and a layer asks for those that name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from byhand.engine.dispatch import run, run_compiled, tries_cpp_first

if TYPE_CHECKING:
    from byhand.engine.call import Call, Result

EditFunction = Callable[[Tensor, int, int], Tensor]


class Place(NamedTuple):
    """A layer and direction; layer None in a single cell."""

    layer: int | None
    reverse: bool = False

    def __str__(self) -> str:
        return "" if self.layer is None else f"l{self.layer}{'.reverse' if self.reverse else ''}"


class Scope(Protocol):
    """What is told of every call of the modules that it names."""

    paths: Mapping[nn.Module, str]  # the modules it concerns, and their names in the model
    reads: bool  # whether it wants to see the sites
    live: bool  # and in the graph

    def edits(self, place: str) -> Mapping[str, EditFunction]:
        """Site -> edit(value (batch, hidden), time, number of steps), for a place named like "encoder.l0"."""
        ...

    def see(self, place: str, call: Call, result: Result) -> None:
        """Told after each call."""
        ...


_open: ContextVar[tuple[Scope, ...]] = ContextVar("scopes", default=())


def unwatched() -> bool:
    """Whether no scope is open, and the C++ engine is the first to be tried."""
    return not _open.get() and tries_cpp_first()


@contextmanager
def opened(scope: Scope) -> Iterator[None]:
    """The scope is open inside the block, and gone after it however it ends."""
    token = _open.set((*_open.get(), scope))
    try:
        yield
    finally:
        _open.reset(token)


def join(*parts: object) -> str:
    """A name in dots, out of those parts that are not empty."""
    return ".".join(filter(None, map(str, parts)))


def run_watched(module: nn.Module, place: Place, call: Call) -> Result:
    """Run a call of this module under the open scopes that name it: edits of the outer ones first, then each is told."""
    if torch.compiler.is_compiling():  # scopes are for eager calls
        return run_compiled(call)
    scopes = [scope for scope in _open.get() if module in scope.paths]
    if not scopes:
        return run(call)
    functions: dict[str, list[EditFunction]] = {}
    for scope in scopes:
        for site, function in scope.edits(join(scope.paths[module], place)).items():
            functions.setdefault(site, []).append(function)
    steps = len(call.input)

    def edit(site: str, time: int, value: Tensor) -> Tensor:
        for function in functions[site]:
            value = function(value, time, steps)
        return value

    sites, live = any(scope.reads for scope in scopes), any(scope.live for scope in scopes)
    call = call._replace(edited=frozenset(functions), edit=edit, sites=sites, live=live)
    result = run(call)
    for scope in scopes:
        scope.see(join(scope.paths[module], place), call, result)
    return result
