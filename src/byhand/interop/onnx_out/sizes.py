"""Inputs of other sizes than the example's, to check a file with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.interop.onnx_out.calls import Inputs

PAIRS = ((5, 9), (3, 7), (4, 11), (6, 13))  # sizes of the first free axis that is named, of the second, ...


def settings(inputs: Inputs, sizes: Mapping[str, Sequence[int]] | None) -> list[dict[str, int]]:
    """Sizes of the free axes to check the file at: each of the first axes' two with each of the others'."""
    names = list(dict.fromkeys(name for axes in inputs.axes.values() for name in axes.values()))
    unknown = sorted({*(sizes or {})} - {*names})
    if unknown:
        raise ValueError(f"export_onnx expected sizes for the axes {', '.join(names)}, got {', '.join(unknown)}")
    pairs = {name: tuple((sizes or {}).get(name, PAIRS[index % len(PAIRS)])) for index, name in enumerate(names)}
    for name, pair in pairs.items():
        if len(pair) != 2 or pair[0] == pair[1] or not all(isinstance(one, int) and one > 0 for one in pair):
            raise ValueError(
                f"export_onnx expected two different sizes for axis {name!r}, got {pair}: sizes={{{name!r}: (5, 9)}}"
            )
    found = [{name: pairs[name][(number >> (index % 2)) & 1] for index, name in enumerate(names)} for number in range(4)]
    return [one for index, one in enumerate(found) if one not in found[:index]]


def resized(inputs: Inputs, setting: Mapping[str, int], generator: torch.Generator) -> list[Tensor]:
    """Random inputs of these sizes. Whole numbers are drawn from those of the example, lengths from 1 up to the longest."""
    made = []
    for name, tensor in inputs.tensors.items():
        axes = inputs.axes.get(name, {})
        shape = [setting[axes[axis]] if axis in axes else size for axis, size in enumerate(tensor.shape)]
        if name == inputs.lengths:
            made.append(drawn_lengths(inputs, setting, shape[0], tensor, generator))
        elif tensor.is_floating_point():
            made.append(torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu").to(tensor))
        else:
            values = tensor.flatten().cpu()
            picked = torch.randint(len(values), shape, generator=generator, device="cpu")
            made.append(values[picked].to(tensor.device))
    return made


def drawn_lengths(
    inputs: Inputs, setting: Mapping[str, int], count: int, example: Tensor, generator: torch.Generator
) -> Tensor:
    own = set(inputs.axes.get(str(inputs.lengths), {}).values())
    longest = next((setting[word] for axes in inputs.axes.values() for word in axes.values() if word not in own), 1)
    found = torch.randint(1, longest + 1, (count,), generator=generator, device="cpu")
    found[count // 2] = longest
    in_order = bool((example[:-1] >= example[1:]).all())
    return (found.sort(descending=True).values if in_order else found).to(example)
