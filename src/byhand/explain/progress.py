"""How far a long measurement is: on stderr, from its third second on; short ones say nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

FIRST = 2.0  # seconds before anything is said
TERMINAL, LINES = 0.5, 30.0  # seconds between two messages: on a terminal over one another, elsewhere as lines


@contextmanager
def progress(what: str, unit: str = "runs") -> Iterator[Callable[[int, int | None], None]]:
    """A function that takes how many are done, and of how many, None where nobody knows.

    A thread speaks, so that a single long run does not look like none.

    What is written on a terminal is gone at the end, at Ctrl-C and after an error too.
    """
    stream, ended, state = sys.stderr, threading.Event(), {"part": "", "said": ""}
    terminal = False
    with suppress(OSError, ValueError):
        terminal = stream is not None and stream.isatty()

    def speak() -> None:
        start, pause = time.monotonic(), FIRST
        with suppress(OSError, ValueError):  # nobody reads any more
            while stream is not None and not ended.wait(pause):
                text = f"{what}: {state['part']}{time.monotonic() - start:.0f} s"
                print(f"\r{text}" if terminal else text, end="" if terminal else "\n", file=stream, flush=True)
                state["said"], pause = text, TERMINAL if terminal else LINES

    thread = threading.Thread(target=speak, name=f"byhand progress of {what}", daemon=True)
    thread.start()
    try:
        yield lambda done, total: state.update(part=f"{done}{'' if total is None else f' of {total}'} {unit}, ")
    finally:
        ended.set()
        thread.join()
        if terminal and state["said"]:
            with suppress(OSError, ValueError):
                print(f"\r{' ' * len(state['said'])}\r", end="", file=stream, flush=True)
