"""What the system says of the processor, which decides what compiled code it runs."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from itertools import takewhile
from pathlib import Path

TELLING = ("flags", "Features", "model name", "CPU implementer", "CPU part", "isa")
NOTABLE = ("sve2", "sve", "neon", "amx_tile", "avx512_bf16", "avx512f", "avx2", "avx", "fma", "sse4_2")


def cpu() -> str:
    """The processor's kind, and the features that decide what code it runs, as in "x86_64 avx512f avx2 avx fma sse4_2"."""
    features = processor().lower().replace("sse4.2", "sse4_2").split()
    if platform.machine() in ("arm64", "aarch64"):
        features.append("neon")
    return " ".join([platform.machine(), *(name for name in NOTABLE if name in features)])


def features() -> frozenset[str]:
    """All features of the processor, by Linux's names; none where the system does not list them so."""
    lines = (line.partition(":") for line in processor().splitlines())
    return frozenset(word for name, _, words in lines if name.strip() in ("flags", "Features") for word in words.split())


@cache
def processor() -> str:
    """All that the system says of the first processor's kind and features; empty where it says nothing."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            return "".join(line for line in takewhile(str.strip, file) if line.startswith(TELLING))
    except OSError:
        pass
    try:
        asked = ["sysctl", "machdep.cpu", "hw.optional"]
        return subprocess.run(asked, capture_output=True, text=True, errors="replace", timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
