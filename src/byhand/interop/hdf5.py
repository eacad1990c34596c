"""HDF5 files as trees of arrays, with h5py: without links to other files, without filters, and no more numbers than the file has."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import torch
from torch import Tensor

from byhand.errors import LoadError
from byhand.interop.arrays import needed, tensor_of

DEEPEST = 40  # groups in each other
MOST = 100_000  # groups and datasets
UNREADABLE = (OSError, LookupError, TypeError, AttributeError, ValueError, RuntimeError, ArithmeticError, EOFError, MemoryError)


class Group(NamedTuple):
    """A group: its attributes that are text, the groups in it and the arrays in it."""

    attributes: dict[str, str]
    groups: dict[str, Group]
    arrays: dict[str, Tensor]


def read_hdf5(content: bytes) -> Group:
    """Return all that is in an HDF5 file: arrays of floating-point numbers, with their dtype, groups and texts; nothing else.

    Raises:
        LoadError: it is none, or damaged; it has links to other files or filters, or arrays that claim more than the file holds. It
            says what was got, for a sentence that says what was expected.
        ImportError: h5py is missing; it says what to install.
    """
    h5py = needed("h5py", "keras", "reading an HDF5 file")
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return Reader(h5py, len(content)).group(file, 0)
    except LoadError:
        raise
    except UNREADABLE as problem:
        raise LoadError(f"a file that is no HDF5 file, or a damaged one ({type(problem).__name__})") from problem


class Reader:
    """Walks through one file, counting what it has seen."""

    def __init__(self, h5py: Any, length: int) -> None:
        self.h5py, self.left, self.count = h5py, length, 0

    def group(self, group: Any, depth: int) -> Group:
        """A group and all in it. LoadError."""
        if depth > DEEPEST:
            raise LoadError("an HDF5 file with groups in each other without end")
        made = Group(texts(group.attrs), {}, {})
        for name in group:
            self.count += 1
            if self.count > MOST:
                raise LoadError("an HDF5 file with too many groups")
            if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
                raise LoadError(f"an HDF5 file with a link, {name!r}, to another place or file")
            found = group[name]
            if isinstance(found, self.h5py.Group):
                made.groups[name] = self.group(found, depth + 1)
            elif isinstance(found, self.h5py.Dataset) and (value := self.array(found, name)) is not None:
                made.arrays[name] = value
        return made

    def array(self, dataset: Any, name: str) -> Tensor | None:
        """The numbers of a dataset; None if they are no floating-point numbers. LoadError."""
        kind = dataset.dtype
        half = kind.kind == "V" and kind.itemsize == 2 and texts(dataset.attrs).get("dtype") == "bfloat16"
        if (not half and (kind.kind != "f" or kind.itemsize not in (2, 4, 8))) or dataset.shape is None:
            return None
        if dataset.is_virtual or dataset.external or dataset.id.get_create_plist().get_nfilters():
            raise LoadError(f"an HDF5 file whose {name!r} is compressed or lies in another file")
        self.left -= dataset.nbytes
        if self.left < 0:
            raise LoadError(f"an HDF5 file whose {name!r} claims more bytes than the file has")
        array = dataset[()]
        if half:
            return torch.from_numpy(array.view("uint16").copy()).view(torch.bfloat16)
        return tensor_of(array)


def texts(attributes: Any) -> dict[str, str]:
    """The attributes that are text."""
    found = {name: attributes[name] for name in attributes}
    decoded = {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}
    return {name: str(value) for name, value in decoded.items() if isinstance(value, str)}
