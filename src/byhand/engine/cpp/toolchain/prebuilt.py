"""Libraries that came with the package: each compiled from one source, for one system and instruction set, and loaded for nothing else.

A manifest lists them. One is loaded if it was made from the very source and with the very flags that would be compiled now, if the
processor has all its instructions, and if the file is what was built, to the bit. All others are passed over, as if they were not there.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from byhand.engine.cpp.toolchain.instructions import system, usable
from byhand.files import prebuilt
from byhand.files.atomic import digest

logger = logging.getLogger("byhand")

FORMAT = 1
MANIFEST = "manifest.json"


class Entry(NamedTuple):
    """A library in the manifest. source, library: SHA-256 of the text that was compiled and of the file. compiler: for readers."""

    file: str
    source: str
    instructions: str
    flags: tuple[str, ...]
    library: str
    compiler: str

    @classmethod
    def read(cls, found: Any) -> Entry:
        """TypeError, KeyError or ValueError if it is none."""
        values = {name: found[name] for name in cls._fields}
        values["flags"] = tuple(values["flags"])
        entry = cls(**values)
        words = [value for name, value in values.items() if name != "flags"]
        if not all(isinstance(one, str) for one in (*words, *entry.flags)) or Path(entry.file).name != entry.file:
            raise ValueError(f"expected words and the bare name of a file, got {entry}")
        return entry


def load(source: str, flags: tuple[str, ...]) -> ctypes.CDLL | None:
    """The library of this source, compiled with these flags and those of the fastest instruction set that the processor has."""
    for entry in trusted(source, flags):
        path = folder() / entry.file
        try:
            return ctypes.CDLL(str(path))
        except OSError as error:  # the system is older than it needs, or no program may be run from there
            logger.warning("%s is passed over: %s", path, error)
    return None


def trusted(source: str, flags: tuple[str, ...]) -> Iterator[Entry]:
    """The libraries that may be loaded for this source, the fastest first."""
    of_source = [one for one in listed(folder()) if one.source == digest(source.encode())]
    for wanted in usable() if of_source else ():
        for one in of_source:
            if (one.instructions, one.flags) == (wanted.name, (*flags, *wanted.flags)) and _is_as_built(one):
                yield one


def folder() -> Path:
    """Where those of this system are, if any are."""
    return prebuilt.FOLDER / system()


@lru_cache
def listed(folder: Path) -> tuple[Entry, ...]:
    """The manifest of a folder; nothing where there is none, or none that can be read."""
    found = prebuilt.read_json(folder / MANIFEST)
    if found is None and not (folder / MANIFEST).exists():
        return ()
    try:
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"expected JSON of format {FORMAT}")
        return tuple(map(Entry.read, found["libraries"]))
    except (TypeError, KeyError, ValueError) as error:
        logger.warning("%s is no list of prebuilt kernels, and they are passed over: %s", folder / MANIFEST, repr(error))
        return ()


def _is_as_built(entry: Entry) -> bool:
    path = folder() / entry.file
    try:
        if digest(path.read_bytes()) == entry.library:
            return True
        reason = "it is not as it was built"
    except OSError as error:
        reason = str(error)
    logger.warning("%s is passed over: %s; to repair it, install byhand again", path, reason)
    return False
