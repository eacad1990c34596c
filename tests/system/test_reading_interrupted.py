"""Ctrl-C while a cell's step is read."""

import os
import signal
import subprocess
import sys

PROGRAM = """
import sys, time, torch
from byhand.cells import Cell
from byhand.ir import program_of

def step(x, u, s, p):
    print("reading", flush=True)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        torch.allclose(torch.ones(40, 40), torch.zeros(40, 40))
    h = torch.tanh(x["a"] + u["a"])
    return {"h": h}, {}

try:
    program_of(Cell("slow", gates=("a",), state=("h",), step=step))
except KeyboardInterrupt:
    sys.exit(7)
"""


def test_the_program_ends_as_it_says() -> None:
    """The thread that reads is inside torch when the interpreter ends: a daemon there aborts the process with SIGABRT."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 7 and not error, error
