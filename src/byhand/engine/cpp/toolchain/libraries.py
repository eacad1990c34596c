"""Compiled libraries in the cache folder: checked before anything in it is loaded, whole whoever is killed when.

A library lies there as <key>-<digest>.so: the key says what it was made from, the digest what it must hold. It is written somewhere
else in the folder and renamed into place, so under this name there is all of it or nothing. What does not match its name, what
others could write to, and what cannot be loaded is removed, and compiled again.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger("byhand")

WORKPLACE = ".compiling-"  # with something behind it: where one compiler is at work
FORGOTTEN = 3600.0  # seconds after which a workplace is one whose process was killed
PATIENCE = 900.0  # seconds to wait for another process that compiles the same


def load(folder: Path, key: str) -> ctypes.CDLL | None:
    """The library that was kept under this key, None if there is none that can be trusted and loaded."""
    for path in folder.glob(f"{key}-*.so"):
        try:
            if _as_written(path):
                return ctypes.CDLL(str(path))
            reason = "it is not as it was written"
        except OSError as error:  # a link or gone, or made for another system
            reason = str(error)
        logger.info("%s is not loaded but compiled again: %s", path, reason)
        path.unlink(missing_ok=True)
    return None


def _as_written(path: Path) -> bool:
    """Looked at through one descriptor, so that it is one file of which all this is said."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return False
        return path.stem.endswith("-" + _digest(file.read()))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def keep(folder: Path, key: str, library: Path) -> Path:
    """Move a library that was compiled in a workplace to where load finds it. OSError."""
    library.chmod(0o700)
    with library.open("rb") as file:
        kept = folder / f"{key}-{_digest(file.read())}.so"
        os.fsync(file.fileno())
    library.replace(kept)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return kept


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """An empty folder inside that one, gone afterwards; those that killed processes have left, too."""
    for left in folder.glob(f"{WORKPLACE}*"):
        try:
            if time.time() - left.lstat().st_mtime > FORGOTTEN:
                shutil.rmtree(left, ignore_errors=True)
        except FileNotFoundError:
            pass  # its process has just finished
    place = Path(tempfile.mkdtemp(prefix=WORKPLACE, dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def alone(folder: Path, key: str) -> Iterator[None]:
    """In here, one process at a time for each key. It is a record lock: it ends with the process that holds it, however that ends,
    and a forked child has no share in it; one byte of one file stands for each key, so nothing is left lying about. Not for threads.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _wait(descriptor, int(key[:12], 16))
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _wait(descriptor: int, byte: int) -> None:
    import fcntl  # noqa: PLC0415 (there is none on Windows)

    end, reported = time.monotonic() + PATIENCE, False
    while time.monotonic() < end:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            return
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                return  # a file system without locks: then each process compiles for itself
        if not reported:
            logger.info("waiting for another process that is compiling the same")
            reported = True
        time.sleep(0.02)
    # It hangs, or is stopped. Two that compile the same do each other no harm.
