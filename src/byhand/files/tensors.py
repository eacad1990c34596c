"""Tensors in one file, with words about them beside the values: safetensors, written whole or not at all, read only as written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from byhand.files.atomic import sync, write_through
from byhand.files.regular_file import read_regular

Content = dict[str, Any]  # JSON
UNREADABLE = (OSError, LookupError, TypeError, AttributeError, ValueError, RuntimeError, safetensors.SafetensorError)
METADATA = "__metadata__"  # in a safetensors header, beside the tensors' names


def write_tensors(file: str | Path, format: str, tensors: dict[str, Tensor], content: Content) -> None:
    """In the place of what was there. format: what kind of file it is, with its version. OSError."""
    path = Path(file)
    words = {"format": format, **content}
    words["sha256"] = _sha256(json.dumps(words).encode(), safetensors.torch.save(tensors))
    new = path.with_name(f".{path.name}.saving")
    try:
        write_through(new, safetensors.torch.save(tensors, {"byhand": json.dumps(words)}))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    sync(path.parent)


def read_tensors(file: str | Path, format: str, before: str) -> tuple[dict[str, Tensor], Content]:
    """What write_tensors wrote, with this format. Anything else is one of UNREADABLE. At most twice the file is in memory.

    before: the format of files whose sha256 is of the values alone, not of the words beside them, as they were written at first.
    """
    data = read_regular(file)
    start = 8 + int.from_bytes(data[:8], "little")
    described = json.loads(data[8:start])
    content = json.loads(described[METADATA]["byhand"])
    if content["format"] not in (format, before):
        raise ValueError(f"a file of another kind, {content['format']!r}")
    words = {name: value for name, value in content.items() if name != "sha256"}
    plain = {name: value for name, value in described.items() if name != METADATA}
    sealed = [json.dumps(words).encode()] if content["format"] == format else []
    found = _sha256(*sealed, _header(plain), memoryview(data)[start:])
    canonical = _header({METADATA: {"byhand": json.dumps(content)}, **plain}) == data[:start]
    if not canonical or content["sha256"] != found:
        raise ValueError("bytes that differ from what was written")
    return safetensors.torch.load(data), content


def _sha256(*parts: bytes | memoryview) -> str:
    made = hashlib.sha256()
    for part in parts:
        made.update(part)
    return made.hexdigest()


def _header(described: Mapping[str, Any]) -> bytes:
    """How a safetensors file begins: the length of a JSON text, and the text, filled up with blanks to a multiple of eight bytes."""
    text = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
