"""compute-sanitizer on a short run of each tier: accesses outside tensors (memcheck), races inside a program (racecheck)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from byhand.engine.triton import tiers
from tools.gpu.machine import ROOT
from tools.gpu.pool import Answer

TOOLS = ("memcheck", "racecheck")
SECONDS = 150.0
PLACES = ("/usr/local/cuda/bin", "/opt/cuda/bin")
SUMMARY = re.compile(r"(ERROR|RACECHECK) SUMMARY: (.*)")


def program() -> str | None:
    """Where it is, or None."""
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path=os.pathsep.join(PLACES))


def runs() -> list[str]:
    """Names, as "memcheck / resident"."""
    return [f"{tool} / {tier.value}" for tier in tiers.BUILT for tool in TOOLS]


def answer(name: str, found: str) -> Answer:
    """One run of one check; each tensor has memory of its own, so that the next one's is not taken for it."""
    tool, _, tier = name.partition(" / ")
    check = f"{tier} / peephole / float32 / ragged, reverse"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
        "PYTORCH_NO_CUDA_MEMORY_CACHING": "1",
    }
    words = [found, "--tool", tool, "--target-processes", "all", sys.executable, "-W", "ignore", "-m", "tools.gpu.worker"]
    try:
        done = subprocess.run(
            [*words, "check", check], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return {"ok": False, "said": f"no end within {SECONDS:g} s"}
    summary = SUMMARY.findall(done.stdout + done.stderr)
    if not summary:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
        return {"ok": False, "said": f"{Path(found).name} gave no summary: {last[0][:300]}"}
    clean = all(re.match(r"0 (errors|hazards)", words) for _, words in summary)
    return {"ok": clean and done.returncode == 0, "said": "; ".join(words for _, words in summary)}
