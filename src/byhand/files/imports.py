"""Imports without a search for garbage."""

from __future__ import annotations

import gc
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
