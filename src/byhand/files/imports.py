"""Imports without a search for garbage, and without what nothing asks for."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def uncollected() -> Iterator[None]:
    """Import large packages inside this block: Python's garbage collector is paused in it, and on again after it.

    Torch's and Lightning's modules are a million objects that stay until the end. To look through them while they come takes a third of
    the time of their import.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class StandIn(ModuleType):
    """In a module's place until somebody asks it for anything that it does not have itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # which Python itself asks of every module
            raise AttributeError(name)
        withdraw(self)
        return getattr(importlib.import_module(self.__name__), name)


def withdraw(module: StandIn) -> None:
    """Whoever imports its name from here on gets the module itself."""
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


@contextmanager
def postponed(name: str, **present: object) -> Iterator[None]:
    """Inside the block a module is imported only if it is asked for anything but what is `present`, and is as ever after the block.

    For torchmetrics, which imports scipy.signal, where there is one, to see whether it has `hamming`: a sixth of the start of a training.
    """
    if name in sys.modules or importlib.util.find_spec(name.partition(".")[0]) is None:
        yield
        return
    module = StandIn(name)
    vars(module).update(present)
    sys.modules[name] = module
    try:
        yield
    finally:
        withdraw(module)


def leave() -> None:
    """Before a program ends: Python would look through all objects once more, half a second after torch, a second after Lightning.

    Not where Triton is loaded: its bindings print a line for everything of theirs that is not collected.
    """
    if "triton" in sys.modules:
        gc.unfreeze()
    else:
        gc.freeze()
