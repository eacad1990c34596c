"""The arrays of a live layer by its attributes, as tensors, whatever framework made them; no framework is imported."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from byhand.cells import Cell, with_activations
from byhand.interop import arrays
from byhand.interop.weights import Layout


def attributes(source: Any, layout: Layout) -> dict[str, Tensor]:
    """The arrays of a layout from the attributes of a layer that are called so; dots lead inside."""
    found = {}
    for array in layout.arrays:
        value = source
        for part in array.name.split("."):
            value = getattr(value, part, None)
        if value is not None:
            found[array.name] = tensor_of(value)
    return found


def tensor_of(value: Any) -> Tensor:
    """A copy of a framework's array as a tensor; its dtype is kept, bfloat16 too. TypeError, ValueError."""
    package = package_of(value)
    if package == "tinygrad":
        numbers = arrays.tensor_of(value.numpy())  # float32 for bfloat16, which numpy has not
        return numbers.bfloat16() if "bf16" in value.dtype.name else numbers
    if package in ("mlx", "paddle"):  # whose bfloat16 numpy has not, or calls uint16
        plain = value.detach() if hasattr(value, "detach") else value
        return arrays.tensor_of(torch.from_dlpack(plain).cpu())
    return arrays.tensor_of(value)


def package_of(value: Any) -> str:
    """The package of an object's class."""
    return type(value).__module__.partition(".")[0]


def simple_cell(layout: Layout, activation: Any) -> Cell:
    """The cell of a simple recurrent layer with that activation, tanh or relu, by its name or as a function. ValueError for another."""
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", type(activation).__name__)
    if name.lower() not in ("tanh", "relu"):
        raise ValueError(f"{layout.name} expected the activation tanh or relu, got {name}")
    cell = layout.readable()
    return cell if name.lower() == "tanh" else with_activations(cell, candidate="relu")
