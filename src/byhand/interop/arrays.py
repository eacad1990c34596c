"""Arrays of other frameworks as torch tensors, and back; at the edge of a reader or writer, where numpy is in use anyhow."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

FLOATS = ("float16", "bfloat16", "float32", "float64")


def needed(module: str, extra: str, what: str) -> Any:
    """The module of another framework, imported when it is needed. ImportError, which names the extra to install, if it is not there."""
    try:
        return import_module(module)
    except ImportError as problem:
        raise ImportError(
            f"{what} needs {module.partition('.')[0]}, which cannot be imported ({problem}): pip install 'byhand[{extra}]'"
        ) from problem


def tensor_of(value: Any) -> Tensor:
    """A copy of an array, of numpy's, JAX's or another with __array__, or of a tensor; its dtype is kept.

    Raises:
        TypeError: it is no array.
        ValueError: its dtype is none of float16, bfloat16, float32, float64.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if not hasattr(value, "__array__"):
        raise TypeError(f"expected an array, got a {type(value).__name__}")
    array = value.__array__()
    kind = array.dtype.name
    if kind not in FLOATS:
        raise ValueError(f"expected numbers of {', '.join(FLOATS)}, got {kind}")
    if kind == "bfloat16":  # which torch does not take from numpy
        return torch.from_numpy(array.view("uint16").copy()).view(torch.bfloat16)
    return torch.from_numpy(array.astype(kind).copy())  # astype: in the byte order of this machine


def numpy_of(tensor: Tensor) -> Any:
    """A numpy array with the tensor's numbers and dtype. bfloat16 needs ml_dtypes, which JAX, Keras and TensorFlow bring."""
    plain = tensor.detach().cpu().contiguous()
    if plain.dtype == torch.bfloat16:
        return plain.view(torch.int16).numpy().copy().view(import_module("ml_dtypes").bfloat16)
    return plain.numpy().copy()


def flattened(tree: Any, separator: str = "/", path: str = "") -> dict[str, Any]:
    """The leaves of nested mappings, under the keys on the way there."""
    if not isinstance(tree, Mapping):
        return {path: tree}
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flattened(value, separator, f"{path}{separator}{key}" if path else str(key))
    return found


def nested(leaves: Mapping[str, Any], separator: str = "/") -> dict[str, Any]:
    """The inverse of flattened."""
    tree: dict[str, Any] = {}
    for path, value in leaves.items():
        *above, last = path.split(separator)
        inner = tree
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return tree
