"""Imports without a search for garbage."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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


def leave() -> None:
    """Before a program ends: Python would look through all objects once more, half a second after torch, a second after Lightning.

    Not where Triton is loaded: its bindings print a line for everything of theirs that is not collected.
    """
    if "triton" in sys.modules:
        gc.unfreeze()
    else:
        gc.freeze()
