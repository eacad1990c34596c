"""A process that answers tasks: lines of JSON in, [kind, name], and out, an answer each. pool.py starts it.

python -m tools.gpu.worker check "resident / lstm / float64 / plain"      one task, for compute-sanitizer; ends with 1 if it is wrong
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from tools.gpu import bench, checks, uses
from tools.gpu.machine import INTERPRETED
from tools.gpu.pool import Answer

if INTERPRETED:
    import tools.triton_interpreter  # noqa: F401 (it puts the interpreter right)

DO: dict[str, Callable[[str], Answer]] = {
    "check": checks.answer,
    "use": uses.answer,
    "warm": bench.warm,
    "bench": bench.answer,
}


def answer(kind: str, name: str) -> Answer:
    """What came of a task. "leaves": of this process CUDA may answer nothing more."""
    began = time.monotonic()
    try:
        made = DO[kind](name)
    except torch.OutOfMemoryError:
        made = {"ok": None, "said": "it needs more memory than the GPU has left", "leaves": True}
    except Exception as problem:  # noqa: BLE001 (of a compiler, a driver, a launch: each is what is looked for)
        said = (str(problem).strip().splitlines() or ["nothing is said"])[0]
        made = {"ok": False, "said": f"{type(problem).__name__}: {said[:500]}", "leaves": not INTERPRETED}
    return made | {"seconds": round(time.monotonic() - began, 3)}


def main(words: list[str]) -> int:
    torch.set_num_threads(1)
    if words:
        made: dict[str, Any] = answer(*words)
        print(made["said"])
        return made["ok"] is False
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else prints
    for line in sys.stdin:
        made = answer(*json.loads(line))
        print(json.dumps(made), file=out, flush=True)
        if made.get("leaves"):
            return 0
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # what a broken context says at its end is of no use
