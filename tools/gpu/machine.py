"""What a run depends on: the device, the versions, the sources; and why there may be nothing to run on."""

from __future__ import annotations

import hashlib
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("src/byhand/cells", "src/byhand/ir", "src/byhand/engine", "src/byhand/nn", "src/byhand/testing", "tools/gpu")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # as Triton itself reads it
DEVICE = "cpu" if INTERPRETED else "cuda"

OLDEST = [2, 11]  # torch, as pyproject.toml has it


class Machine(NamedTuple):
    """device: torch's. name: what the GPU is called. about: further facts, in words. code: a digest of the sources."""

    device: str
    name: str
    about: str
    torch: str
    triton: str
    commit: str
    code: str

    @property
    def key(self) -> dict[str, str]:
        """What an answer in the journal must agree in, to be one of this machine and these sources."""
        return {"code": self.code, "device": self.name, "torch": self.torch, "triton": self.triton}

    def __str__(self) -> str:
        return f"{self.name}{self.about}, torch {self.torch}, Triton {self.triton}, commit {self.commit}"


def refuses() -> str | None:
    """What was found and what to type, in one line, where nothing can run; or None."""
    if [int(one) for one in torch.__version__.split(".")[:2]] < OLDEST:
        return (
            f"found torch {torch.__version__}, byhand needs {'.'.join(map(str, OLDEST))} or later: make gpu PYTHON=python3.12"
        )
    if find_spec("triton") is None:
        return "found no Triton beside torch; type: pip install triton"
    reason = None if INTERPRETED else refuses_device()
    return None if reason is None else f"found {reason}; without a GPU type: make gpu INTERPRET=1"


def refuses_device() -> str | None:
    if torch.version.hip is not None:
        return f"torch {torch.__version__} for AMD's GPUs, on which the kernels were never tried"
    if torch.version.cuda is None:
        return f"torch {torch.__version__}, which is built without CUDA"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} and no GPU that it can use"
    major, minor = torch.cuda.get_device_capability()
    return None if major >= 8 else f"{torch.cuda.get_device_name()}, sm_{major}{minor}; the kernels need sm_80 or later"


def machine() -> Machine:
    """The machine and the sources of this run."""
    import triton  # noqa: PLC0415 (refuses says where it is missing)

    name, about = "Triton's interpreter", ""
    if not INTERPRETED:
        made = torch.cuda.get_device_properties(0)
        name, about = made.name, f" (sm_{made.major}{made.minor}, {made.total_memory / 1e9:.0f} GB)"
    return Machine(DEVICE, name, about, torch.__version__, triton.__version__, commit(), digest())


def commit() -> str:
    """Git's name of what is checked out, with a + where files were changed; "unknown" in a copy without git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def digest() -> str:
    """Of all Python that an answer depends on, so that a commit of texts throws no answer away, and a change without a commit does."""
    made = hashlib.sha256()
    for path in sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")):
        made.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:16]


def processes() -> int:
    """How many processes check side by side: each compiles its own kernels, and holds about 3 GB here and 1 GB on the GPU."""
    if INTERPRETED:
        return 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    there = torch.cuda.get_device_properties(0).total_memory
    return max(1, min(len(os.sched_getaffinity(0)), 16, memory // (4 << 30), there // (1 << 30)))
