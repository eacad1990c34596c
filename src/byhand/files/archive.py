"""Files of torch.save, such as checkpoints: verified before they are read, for torch.load takes damaged numbers as they stand.

torch.save writes a zip archive with a checksum (CRC-32) for each of its records: the pickle, which holds names, words and sizes, and
the numbers of each tensor. Every record is held against its checksum first; then nothing in it can claim more memory than the file
has bytes.
"""

from __future__ import annotations

import os
import re
import struct
import zipfile
from collections.abc import Iterator
from pickletools import genops
from typing import Any, BinaryIO

import torch
from torch import Tensor

from byhand.errors import LoadError
from byhand.files.regular_file import open_regular

BEGINNING = b"PK\x03\x04"  # of a zip archive
CHUNK = 2**20  # bytes
STRANGE = "a file that torch.save has not written, or one that is damaged"
DIFFERS = "its bytes differ from the checksums in it"
# What a pickle may name: plain data, and views of the numbers in the file. Others could make much memory out of a number or two.
PLAIN = re.compile(
    r"(collections (OrderedDict|Counter)|(builtins|__builtin__) (set|complex)|_codecs encode|torch (Size|device|[a-z]+\d+\w*|bool)"
    r"|torch(\.storage)? \w+Storage|torch\._utils _rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state)"
    r"|torch\.nn\.parameter Parameter|torch\._tensor _rebuild_from_type_v2|torch\.serialization _get_layout)"
)


def read_archive(path: str | os.PathLike[str], *, older: bool = False) -> Any:
    """Return what torch.save wrote, every number as it was written; nothing in it is run or imported.

    Args:
        path: of the file.
        older: whether to read the form that torch.save had before torch 1.6 too, which has no checksums.

    Raises:
        LoadError: for a file that is missing, cannot be read, is none of torch.save's, or whose checksums do not fit. It says what
            was got, for a sentence that says what was expected.
    """
    try:
        with open_regular(path) as file:
            length, archive = _length(file), file.read(len(BEGINNING)) == BEGINNING
            if archive or not older:
                _verify(file, length)
    except OSError as problem:
        raise LoadError(f"nothing that can be read: {problem.strerror or problem}") from problem
    try:
        # Mapped: a record that claims to be longer than it is must not be read past its end into this process's memory.
        content = torch.load(path, map_location="cpu", mmap=archive, weights_only=True)
    except Exception as problem:
        said = "a file that is damaged, or holds more than numbers and words" if archive else STRANGE
        raise LoadError(f"{said} ({type(problem).__name__})") from problem
    _check_tensors(content, length)
    return content


def _length(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _verify(file: BinaryIO, length: int) -> None:
    """Hold all records against their checksums. LoadError, OSError."""
    file.seek(0)
    if file.read(len(BEGINNING)) != BEGINNING:
        raise LoadError(STRANGE)
    try:
        pickles = _pickles(file, length)
        names = {str(word) for one in pickles for operation, word, _ in genops(one) if operation.name == "GLOBAL"}
    except zipfile.BadZipFile as problem:
        short = "not a zip file" in str(problem)  # it begins as one
        raise LoadError("a file that is damaged: " + ("its end is missing" if short else DIFFERS)) from problem
    except (OSError, EOFError, RuntimeError, LookupError, ValueError, OverflowError, struct.error) as problem:  # offsets, names
        raise LoadError(f"a file that is damaged: {DIFFERS}") from problem
    strange = sorted(name for name in names if not PLAIN.fullmatch(name))
    if strange:
        raise LoadError(f"a file that holds more than numbers and words: {strange[0]!r}")


def _pickles(file: BinaryIO, length: int) -> list[bytes]:
    """Those in an archive whose records fit their checksums; otherwise one of many errors."""
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        if sum(record.file_size for record in records) > length or any(map(_packed, records)):
            raise zipfile.BadZipFile(DIFFERS)
        for record in records:
            with archive.open(record) as opened:
                while opened.read(CHUNK):
                    pass
        return [archive.read(record) for record in records if record.filename.endswith("/data.pkl")]


def _packed(record: zipfile.ZipInfo) -> bool:
    """Whether it is compressed or encrypted, which torch.save's are not."""
    return record.compress_type != zipfile.ZIP_STORED or record.compress_size != record.file_size or bool(record.flag_bits & 1)


def _check_tensors(content: Any, length: int) -> None:
    """LoadError if tensors claim more numbers than there are in the file, or show the same ones over and over."""
    found = list(tensors(content))
    strange = any(value.layout != torch.strided or value.is_meta for value in found)
    if strange or any(value.nbytes > value.untyped_storage().nbytes() for value in found):
        raise LoadError("a file whose tensors claim other sizes than their numbers have")
    storages = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes() for value in found}
    if sum(storages.values()) > length:
        raise LoadError(f"a file whose tensors claim {sum(storages.values()):,} bytes, of {length:,}")


def tensors(content: Any) -> Iterator[Tensor]:
    """All in dicts, lists, tuples and sets, each object looked at once."""
    seen, waiting = set[int](), [content]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set):
            waiting += one
