"""Why a file cannot be read as weights, and what to type instead: for the kinds of files that are met."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

OTHERS = {
    ".npy": "numpy",
    ".tflite": "TFLite",
    ".pb": "TensorFlow",
    ".mlmodel": "Core ML",
    ".gguf": "GGUF",
}
# What is needed, as torch says it and as a check of ours before it.
NEEDED = re.compile(r"GLOBAL (\S+) (?:was not an allowed|whose module)|numbers and words: '(\S+ \S+)'")


def other_kind(path: Path) -> str | None:
    """What a file is that is none of weights, and what to do; None if it may be one."""
    if path.suffix.lower() in OTHERS:
        return f"it is a file of {OTHERS[path.suffix.lower()]}, which is not read yet: save the weights in a .pt or .safetensors file"
    if not is_program(path):
        return None
    return (
        "it is TorchScript, a program, of which only the weights are wanted; in Python:"
        f" torch.save(torch.jit.load({str(path)!r}).state_dict(), 'weights.pt')"
    )


def needs_code(path: Path, said: str) -> str | None:
    """What would have to be run to read a file, and what to do. said: what was wrong when it was read; None if it was something else."""
    match = NEEDED.search(said)
    if match is None:
        return None
    needed = (match[1] or match[2]).replace(" ", ".")
    return (
        f"to read it, {needed} would have to be run, and what else the file says; if you trust it, in Python:"
        f" torch.load({str(path)!r}, weights_only=False), then torch.save(ITS_STATE_DICT, 'weights.pt')"
    )


def is_program(path: Path) -> bool:
    """Whether it is an archive of TorchScript."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False
