"""Records of zip archives of others (.npz, .keras): read whole, held against their checksums, and never more than they may claim."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib

from byhand.errors import LoadError
from byhand.files.regular_file import open_regular

MOST = 20  # times the archive's bytes that its records may unpack to; weights hardly shrink at all
SMALL = 2**20  # bytes that any archive may unpack to


def read_records(path: str | os.PathLike[str], names: tuple[str, ...] | None = None) -> dict[str, bytes]:
    """Return the records of an archive.

    Args:
        path: of the file.
        names: those that are wanted; all if not given.

    Returns:
        Name -> content, which fits its checksum.

    Raises:
        LoadError: the file is missing or no zip archive, a wanted record is missing, damaged, encrypted or there twice, or records
            claim to be far larger than the file. It says what was got, for a sentence that says what was expected.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return _read(archive, os.fstat(file.fileno()).st_size, names)
    except zipfile.BadZipFile as problem:
        raise LoadError(f"a file that is damaged, or no zip archive ({problem})") from problem
    except OSError as problem:
        raise LoadError(f"nothing that can be read: {problem.strerror or problem}") from problem
    except (EOFError, RuntimeError, LookupError, ValueError, OverflowError, struct.error, zlib.error) as problem:
        if isinstance(problem, LoadError):
            raise
        raise LoadError(f"a zip archive that is damaged ({type(problem).__name__})") from problem


def _read(archive: zipfile.ZipFile, length: int, names: tuple[str, ...] | None) -> dict[str, bytes]:
    found: dict[str, zipfile.ZipInfo] = {}
    for record in archive.infolist():
        if record.filename in found:
            raise LoadError(f"a zip archive with two records called {record.filename!r}")
        found[record.filename] = record
    missing = [name for name in names or () if name not in found]
    if missing:
        raise LoadError(f"a zip archive without {missing[0]}")
    wanted = [found[name] for name in names or found]
    if any(record.flag_bits & 1 for record in wanted):
        raise LoadError("a zip archive that is encrypted")
    claimed = sum(record.file_size for record in wanted)
    if claimed > max(MOST * length, SMALL):
        raise LoadError(f"a zip archive of {length:,} bytes whose records claim {claimed:,}")
    return {record.filename: archive.read(record) for record in wanted}
