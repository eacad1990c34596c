"""HDF5 files as trees of arrays, in the form that h5py writes by default: groups, arrays in one piece, texts.

Read here and not by h5py, for the HDF5 library does not return from some damaged files. Every address is held against the file's
length, every part is looked at once, and no array is larger than the file. What is of another form is refused: newer groups, chunks,
filters, links to other places or files.

The format: HDF5 File Format Specification 3.0, of which this is superblock 0, object header 1, B-tree 1 and layout 3.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from byhand.errors import LoadError

BEGINNING = b"\x89HDF\r\n\x1a\n"
NOWHERE = 2**64 - 1
FLOATS = {
    (2, 5, 10): torch.float16,
    (4, 8, 23): torch.float32,
    (8, 11, 52): torch.float64,
}  # bytes, bits of exponent and of fraction
SPACE, TYPE, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE, CONTINUED, SYMBOLS = 1, 3, 7, 8, 11, 12, 16, 17  # kinds of messages
NEWER = (2, 6)  # messages of groups in a newer form
DEEPEST, MOST, LONGEST = 40, 100_000, 1000  # groups in each other; parts of any kind; letters of a name


class Group(NamedTuple):
    """A group: its attributes that are text, the groups in it, and the arrays of floating-point numbers."""

    attributes: dict[str, str]
    groups: dict[str, Group]
    arrays: dict[str, Tensor]


class Kind(NamedTuple):
    """A type of values. dtype: None if they are no numbers that are read."""

    number: int
    size: int
    dtype: torch.dtype | None
    swapped: bool


def read_hdf5(content: bytes) -> Group:
    """Return all that is in an HDF5 file: arrays of floating-point numbers with their dtype, bfloat16 as Keras keeps it, groups, texts.

    Raises:
        LoadError: it is none, is damaged, or has another form. It says what was got, for a sentence that says what was expected.
    """
    if content[:8] != BEGINNING:
        raise LoadError("a file that is no HDF5 file")
    if content[8:9] != b"\0" or content[13:15] != b"\x08\x08":
        raise LoadError("an HDF5 file of a newer form than Keras writes: open it with Keras, and save it again")
    try:
        (root,) = struct.unpack_from("<Q", content, 64)
        return Reader(content).group(root, 0)
    except (struct.error, UnicodeDecodeError, OverflowError) as problem:
        raise LoadError(f"an HDF5 file that is damaged ({type(problem).__name__})") from problem


class Reader:
    """Walks through one file."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.room = 8 * len(content) + 2**20  # bytes to look at, all together: a whole file asks for less than twice its own
        self.left = len(content)  # bytes of arrays
        self.seen = set[tuple[str, int]]()
        self.headers: dict[int, list[tuple[int, bytes]]] = {}

    def at(self, place: int, size: int) -> bytes:
        """Bytes of the file. LoadError where there are none."""
        self.room -= size
        if place + size > len(self.content) or self.room < 0:
            raise LoadError("an HDF5 file that is damaged, or whose end is missing")
        return self.content[place : place + size]

    def once(self, kind: str, place: int) -> None:
        """LoadError for a part that is met again, or one too many."""
        if (kind, place) in self.seen or len(self.seen) > MOST:
            raise LoadError("an HDF5 file whose parts are in each other")
        self.seen.add((kind, place))

    def group(self, place: int, depth: int) -> Group:
        """The group whose header is there, and all in it."""
        self.once("group", place)
        if depth > DEEPEST:
            raise LoadError("an HDF5 file with too many groups in each other")
        made = Group(self.attributes(place), {}, {})
        for kind, data in self.messages(place):
            if kind == SYMBOLS:
                tree, heap = struct.unpack_from("<QQ", data)
                for name, where in self.names(tree, heap):
                    self.part(name, where, made, depth)
            elif kind in NEWER:
                raise LoadError("an HDF5 file with groups of a newer form than Keras writes: save it again with Keras")
        return made

    def part(self, name: str, place: int, inside: Group, depth: int) -> None:
        """A group or an array in a group."""
        kinds = {kind for kind, _ in self.messages(place)}
        if kinds & {SYMBOLS, *NEWER}:
            inside.groups[name] = self.group(place, depth + 1)
        elif {SPACE, TYPE, LAYOUT} <= kinds and (value := self.array(place, name)) is not None:
            inside.arrays[name] = value

    def messages(self, place: int) -> list[tuple[int, bytes]]:
        """Those of an object's header, by their kinds."""
        if place not in self.headers:
            self.once("header", place)
            self.headers[place] = list(self.read_messages(place))
        return self.headers[place]

    def read_messages(self, place: int) -> Iterator[tuple[int, bytes]]:
        """Those in the header, and in the blocks that continue it."""
        version, count, size = struct.unpack("<BxHxxxxI", self.at(place, 12))
        if version != 1:
            raise LoadError("an HDF5 file with objects of a newer form than Keras writes: save it again with Keras")
        blocks = [(place + 16, size)]
        while blocks and count:
            start, size = blocks.pop(0)
            self.once("block", start)
            block, at = self.at(start, size), 0
            while at + 8 <= size and count:
                kind, length, flags = struct.unpack_from("<HHB", block, at)
                data = block[at + 8 : at + 8 + length]
                if flags & 2 or len(data) < length:
                    raise LoadError("an HDF5 file with shared or damaged headers")
                at, count = at + 8 + length, count - 1
                if kind == CONTINUED:
                    blocks.append(struct.unpack_from("<QQ", data))
                yield kind, data

    def names(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        """What is in a group: names, and where the headers are."""
        size, _, texts = struct.unpack("<4x4xQQQ", self.at(heap, 32))
        if self.at(heap, 4) != b"HEAP":
            raise LoadError("an HDF5 file that is damaged")
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            self.once("node", node)
            what = self.at(node, 8)
            if what[:4] == b"TREE" and what[4] == 0:
                (count,) = struct.unpack_from("<H", what, 6)
                children = struct.unpack(f"<{2 * count}Q", self.at(node + 24, 16 * count))[1::2]
                waiting += reversed(children)
            elif what[:4] == b"SNOD":
                for number in range(struct.unpack_from("<H", what, 6)[0]):
                    name, header, cached = struct.unpack("<QQI", self.at(node + 8 + 40 * number, 20))
                    end = self.content.find(b"\0", texts + name, texts + min(size, name + LONGEST))
                    text = self.content[texts + name : max(end, texts + name)].decode()
                    if cached == 2 or not text:
                        raise LoadError(f"an HDF5 file with a link, {text!r}, to another place or file")
                    yield text, header
            else:
                raise LoadError("an HDF5 file that is damaged")

    def array(self, place: int, name: str) -> Tensor | None:
        """The numbers of an array; None if they are no floating-point numbers."""
        messages = dict(self.messages(place))
        kind, shape = kind_of(messages[TYPE]), shape_of(messages[SPACE])
        half = kind.number == 5 and kind.size == 2 and self.attributes(place).get("dtype") == "bfloat16"
        dtype = torch.bfloat16 if half else kind.dtype
        if dtype is None or shape is None:
            return None
        layout = messages[LAYOUT]
        if layout[:1] != b"\3" or layout[1] > 1 or FILTERS in messages or EXTERNAL in messages:
            raise LoadError(
                f"an HDF5 file whose {name!r} is in chunks, compressed, or in another file: save it again with Keras"
            )
        size = math.prod(shape) * kind.size
        self.left -= size
        if self.left < 0:
            raise LoadError(f"an HDF5 file whose {name!r} claims more bytes than the file has")
        if layout[1] == 0:
            held = layout[4 : 4 + size]
        else:
            where, stored = struct.unpack_from("<QQ", layout, 2)
            held = self.at(where, size) if stored == size and where != NOWHERE else b""
        if len(held) != size:
            raise LoadError(f"an HDF5 file whose {name!r} has not the numbers that its shape asks for")
        numbers = torch.frombuffer(bytearray(held), dtype=torch.uint8) if size else torch.empty(0, dtype=torch.uint8)
        numbers = numbers.view(-1, kind.size).flip(1).flatten() if kind.swapped else numbers
        return numbers.view(dtype).reshape(shape)

    def attributes(self, place: int) -> dict[str, str]:
        """The attributes of an object that are one text each."""
        found: dict[str, str] = {}
        for kind, data in self.messages(place):
            if kind != ATTRIBUTE:
                continue
            version, *sizes = struct.unpack_from("<BxHHH", data)
            if version not in (1, 2, 3):
                raise LoadError("an HDF5 file with attributes of a form that is not known")
            at, parts = 9 if version == 3 else 8, []
            for size in sizes:
                parts.append(data[at : at + size])
                at += -(-size // 8) * 8 if version == 1 else size
            text = self.text(kind_of(parts[1]), shape_of(parts[2]), data[at:])
            if text is not None:
                found[parts[0].split(b"\0")[0].decode()] = text
        return found

    def text(self, kind: Kind, shape: tuple[int, ...] | None, data: bytes) -> str | None:
        """One text, held there or in a heap; None if it is something else."""
        if shape != ():
            return None
        if kind.number == 3:
            return data[: kind.size].rstrip(b"\0").decode()
        if kind.number != 9:
            return None
        length, heap, wanted = struct.unpack_from("<IQI", data)
        if self.at(heap, 4) != b"GCOL":
            raise LoadError("an HDF5 file that is damaged")
        (size,) = struct.unpack("<Q", self.at(heap + 8, 8))
        at, end = heap + 16, min(heap + size, len(self.content)) - 16
        while at <= end:
            index, held = struct.unpack("<HxxxxxxQ", self.at(at, 16))
            if index == wanted:
                return self.at(at + 16, min(held, length)).decode()
            at += 16 + -(-held // 8) * 8
        raise LoadError("an HDF5 file with a text that is missing")


def kind_of(data: bytes) -> Kind:
    """A type of values, by its message."""
    first, order, size = struct.unpack_from("<BBxxI", data)
    number, dtype = first & 15, None
    if number == 1:
        _, precision, _, exponent, _, fraction = struct.unpack_from("<HHBBBB", data, 8)
        dtype = FLOATS.get((size, exponent, fraction)) if precision == 8 * size and not order & 64 else None
    return Kind(number, size, dtype, bool(order & 1) != (sys.byteorder == "big"))


def shape_of(data: bytes) -> tuple[int, ...] | None:
    """A shape, by its message; None if there are no values at all."""
    version, dimensions, _, kind = struct.unpack_from("<BBBB", data)
    if version not in (1, 2) or dimensions > 8:
        raise LoadError("an HDF5 file with shapes of a form that is not known")
    if version == 2 and kind == 2:
        return None
    return struct.unpack_from(f"<{dimensions}Q", data, 8 if version == 1 else 4)
