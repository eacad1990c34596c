"""Tensors in one file, with words about them beside the values: safetensors, written whole or not at all, read only as written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from byhand.saving.model_folder import digest, sync, write_through

Content = dict[str, Any]  # JSON
UNREADABLE = (OSError, KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError)


def write_tensors(file: str | Path, format: str, tensors: dict[str, Tensor], content: Content) -> None:
    """In the place of what was there. format: what kind of file it is, with its version. OSError."""
    path = Path(file)
    told = {"format": format, **content, "sha256": digest(safetensors.torch.save(tensors))}
    new = path.with_name(f".{path.name}.saving")
    try:
        write_through(new, safetensors.torch.save(tensors, {"byhand": json.dumps(told)}))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    sync(path.parent)


def read_tensors(file: str | Path, format: str) -> tuple[dict[str, Tensor], Content]:
    """What write_tensors wrote, with this format. Anything else is one of UNREADABLE."""
    data = Path(file).read_bytes()
    tensors = safetensors.torch.load(data)
    with safetensors.safe_open(file, "pt") as opened:
        content = json.loads((opened.metadata() or {})["byhand"])
    whole = safetensors.torch.save(tensors, {"byhand": json.dumps(content)}) == data
    if not whole or content["format"] != format or content["sha256"] != digest(safetensors.torch.save(tensors)):
        raise ValueError("bytes that differ from what was written")
    return tensors, content
