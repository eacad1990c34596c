"""What follows from a cell alone is computed once, outside every mode of torch's that the caller is in.

torch.inference_mode, a default device, autocast, a trace, hooks on saved tensors: each changes what operations do or keep, for the
thread that entered it. A cell that was read, traced or checked under one of them would stay wrong for the whole process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from contextvars import copy_context
from functools import cache, wraps
from typing import Any, TypeVar

import torch

Function = TypeVar("Function", bound=Callable[..., Any])
_here = threading.local()


def outside_modes(function: Function) -> Function:
    """functools.cache, whose function runs in a thread of its own: torch's modes, but for anomaly detection, belong to threads.

    An error is raised to the caller and not kept.
    """
    kept: dict[tuple[Hashable, ...], Any] = {}

    @wraps(function)
    def answer(*arguments: Any, **options: Any) -> Any:
        if torch.compiler.is_dynamo_compiling():  # which reads the function itself, and knows no threads
            return function(*arguments, **options)
        key = (*arguments, *options.items())
        if key not in kept:
            kept[key] = run_outside_modes(function, *arguments, **options)
        return kept[key]

    return answer  # type: ignore[return-value]


@cache
def _enter_once() -> None:
    """Torch 2.11's builds for CUDA can end a process without a GPU, by SIGSEGV, when a cell is read in the other thread, unless this one
    has been in FakeTensorMode before (seen with 2.11.0+cu130; builds for the CPU are sound).
    """
    if torch.version.cuda is not None:
        from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: PLC0415 (few need it)

        with FakeTensorMode():
            pass


def run_outside_modes(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The function's result, or its error; nested calls stay in the one thread.

    Ctrl-C leaves at once, and the thread ends what it began. It is no daemon: Python ends those at its exit by unwinding them,
    and where one is inside torch at that moment the whole process aborts (CPython 3.11, torch 2.13).
    """
    if getattr(_here, "outside", False):
        return function(*arguments, **options)
    made: list[Any] = []
    errors: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        _here.outside = True
        try:
            made.append(function(*arguments, **options))
        except BaseException as error:  # noqa: BLE001 (raised again below, in the caller's thread)
            errors.append(error)
        finally:
            ended.set()

    anomaly = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    _enter_once()
    thread = threading.Thread(target=run, name="byhand reads a cell", daemon=False)
    torch.autograd.set_detect_anomaly(False)  # the one mode that belongs to the process
    try:
        thread.start()
        ended.wait()  # not join at once, which CPython 3.11 takes for the thread's end where Ctrl-C interrupts it
        thread.join()
    finally:
        torch.autograd.set_detect_anomaly(*anomaly)
    if errors:
        raise errors[0]
    return made[0]


def run_with_context(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """run_outside_modes, but with the caller's context variables: the engine of use_engine is the other thread's, too."""
    return run_outside_modes(copy_context().run, function, *arguments, **options)
