"""A file that is written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """In the place of what was there; through links, and into what is no file of a folder, such as /dev/stdout, as it is. OSError,
    which names the file; then what was there is whole.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with naming(path):
            path.write_bytes(content)
        return
    path = path.resolve() if path.is_symlink() else path
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"{path}: cannot be written: it is a folder; name a file, as in {path / 'FILE'}")
    with naming(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.chmod(0o666 & ~umask())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError says which file could not be written."""
    try:
        yield
    except OSError as problem:
        raise type(problem)(problem.errno, f"{path}: cannot be written: {problem.strerror or problem}") from problem


def umask() -> int:
    """Which can be read only by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows cannot open a folder
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
