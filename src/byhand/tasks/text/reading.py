"""The user's own text: a file or a folder of files in UTF-8."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

ENDINGS = (".txt", ".md")


def read_text(path: str | os.PathLike[str]) -> str:
    """What a file holds, or all *.txt and *.md of a folder and its folders, in the order of their paths, a line break between two.

    UTF-8, with or without a mark in front; the line breaks of all systems become one character. FileNotFoundError, OSError, or
    ValueError where there is no text.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"text: expected a file or a folder, got {str(place)!r}, which does not exist")
    files = [place]
    if place.is_dir():
        found = (file for file in place.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
        files = sorted(found, key=lambda file: file.relative_to(place).parts)
        if not files:
            raise ValueError(
                f"text: expected *.txt or *.md in the folder {str(place)!r}, found none; give a file, or another folder"
            )
    return "\n".join(read_file(file) for file in files)


def read_file(file: Path) -> str:
    """Of one file."""
    try:
        data = file.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise type(error)(f"text: {str(file)!r} cannot be read: {error.strerror or error}") from error
    if not data.strip():
        raise ValueError(f"text: expected text in {str(file)!r}, got {'white space only' if data else 'an empty file'}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"text: expected UTF-8 in {str(file)!r}, got byte 0x{data[error.start]:02x} in line {line}; if it is text of another"
            " encoding: iconv -f latin1 -t utf-8 OLD > NEW"
        ) from error
    if "\0" in text:
        raise ValueError(f"text: expected text in {str(file)!r}, got zero bytes, as other kinds of file have them")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def python_topics() -> str:
    """What Python's help() says about the language: pydoc_data.topics, in the alphabetical order of the topics. It differs a little
    from one version of Python to the next.
    """
    from pydoc_data.topics import topics  # noqa: PLC0415 (half a megabyte, for one task)

    return "\n".join(text for _, text in sorted(topics.items()))
