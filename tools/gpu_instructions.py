"""How many instructions a compiled kernel runs at a step, read from its machine code by the nvdisasm that Triton brings."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import triton

LABEL = re.compile(r"\s*(\.L_\w+):")
INSTRUCTION = re.compile(r"\s*/\*[0-9a-f]{4,}\*/\s+(.*?);")
BACK = re.compile(r"\bBRA\b.*`\((\.L_\w+)\)")


def listing(cubin: bytes) -> str:
    """The machine code of a compiled file in words, a line each."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/nvdisasm"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(cubin)
        return subprocess.run([tool, "-c", file], capture_output=True, text=True, check=True).stdout


def a_step(text: str, *, looped: bool) -> int:
    """The instructions of the longest loop, which is that over the steps; where a launch is a step (not looped), all there are up to the
    end. A loop inside, over blocks of the state, counts once.
    """
    rows: list[str] = []
    labels: dict[str, int] = {}
    longest = 0
    for line in text.splitlines():
        if found := LABEL.match(line):
            labels[found[1]] = len(rows)
        elif found := INSTRUCTION.match(line):
            rows.append(found[1])
            if (back := BACK.search(found[1])) and back[1] in labels:
                longest = max(longest, len(rows) - labels[back[1]])
    return longest if looped else sum(not row.startswith(("NOP", "BRA")) for row in rows)
