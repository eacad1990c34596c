"""Programs that run the GPU engine's kernels in Triton's interpreter, each in a process of its own: Triton decides at its import."""

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

from conftest import ROOT


@cache
def found(program: str, *words: str) -> list[dict[str, Any]]:
    """What a program of tests/support prints, a line of JSON each. Run once for all tests of a process."""
    command = [sys.executable, "-W", "ignore", f"tests/support/{program}", *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["src", ".", "tests/support"]), "TRITON_INTERPRET": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
