"""The process behind started.py: one for all tests of this process that ask for it, gone when they are over."""

import atexit
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SCRIPT = Path(__file__).with_name("started.py")


def python(*words: str) -> list[str]:
    """What is typed for `python WORDS ...` where nothing hangs on its start."""
    return [sys.executable, "-S", "-E", str(SCRIPT), address(), *words]


@cache
def address() -> str:
    folder = tempfile.TemporaryDirectory(prefix="byhand-")
    place = f"{folder.name}/socket"
    server = subprocess.Popen(
        [sys.executable, SCRIPT, "serve", place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(end, server, folder)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    return place


def end(server: subprocess.Popen[str], folder: tempfile.TemporaryDirectory[str]) -> None:
    """It ends when its input does; its seconds count as those of this process's children, for who measures."""
    server.communicate()
    folder.cleanup()
