"""The threads that kernels run on: those of the OpenMP library that torch has loaded."""

from __future__ import annotations

import ctypes
import os
from array import array
from functools import cache

NO_POOL = array("q", [0, 0, 0])
forked = False  # whether this process is a child: arguments that were listed before have its parent's pool in them


@cache
def pool() -> array[int]:
    """Addresses in the OpenMP library that torch has loaded; zeros if there is none: each call then starts its own threads."""
    try:
        loaded = ctypes.CDLL(None)
        functions = (loaded.GOMP_parallel, loaded.omp_get_thread_num, loaded.omp_get_num_threads)
    except (AttributeError, OSError):
        return NO_POOL
    return array("q", [ctypes.cast(one, ctypes.c_void_p).value or 0 for one in functions])


def _after_fork() -> None:
    """The pool's threads are not there any more in a forked process; each call starts its own."""
    pool.cache_clear()
    globals().update(pool=cache(lambda: NO_POOL), forked=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
