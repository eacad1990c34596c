"""What has been found so far: one line of JSON a case, appended, so that a run that ends anywhere leaves whole lines behind."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

Line = dict[str, Any]


class BusyError(Exception):
    """Another run writes into this journal."""


class Journal:
    """The lines with this key; those of other machines and sources are left where they are.

    Args:
        path: The file; it is made where it is not there yet.
        key: What a line must agree in to count.
        further: What each line that is added says besides.

    Raises:
        BusyError: Another process has it open.
    """

    def __init__(self, path: Path, key: Mapping[str, str], **further: str) -> None:
        self.path, self.key, self.further = path, dict(key), further
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.file)
            raise BusyError(f"another run writes into {path}: wait for it, or name another: --folder FOLDER") from None
        self.lines = {line["case"]: line for line in self.read()}

    def read(self) -> Iterator[Line]:
        """Lines with the key. What a killed process left half-written is none; the next one begins on a line of its own."""
        content = self.path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.write(self.file, b"\n")
        for text in content.decode("utf-8", "replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and "case" in line and all(line.get(name) == value for name, value in self.key.items()):
                yield line

    def add(self, case: str, answer: Mapping[str, Any]) -> None:
        """In one write, and onto the disk."""
        when = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"case": case, **answer, **self.key, **self.further, "when": when}
        os.write(self.file, json.dumps(line).encode() + b"\n")
        os.fsync(self.file)
        self.lines[case] = line

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self.file)
