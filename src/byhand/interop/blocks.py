"""The blocks of a layer: what one gate has of one parameter, out of a framework's arrays or byhand's weights; and the biases of a gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byhand.interop.axes import Slot, split

if TYPE_CHECKING:
    from byhand.cells import Cell
    from byhand.interop.weights import Layout

PROJECTION = ("weight_hr", "")
KINDS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def apart_of(cell: Cell | None) -> tuple[str, ...]:
    """The gates that use their recurrent bias in another place than their input bias, so that no sum can stand for both: n of the GRU
    whose reset gate multiplies the recurrent product, bias and all.
    """
    if cell is None or not {"r", "n"} <= set(cell.gates):
        return ()
    return tuple(gate for gate in ("n",) if gate not in cell.inner)


def blocks_of_arrays(layout: Layout, cell: Cell, arrays: Mapping[str, Tensor]) -> dict[Slot, Tensor]:
    """The blocks of all arrays; ValueError if one is missing, unknown or of another dtype."""
    names = [array.name for array in layout.arrays]
    biases = [array.name for array in layout.arrays if array.is_bias]
    optional = biases if layout.bias_is_optional and not any(name in arrays for name in biases) else []
    optional += [array.name for array in layout.arrays if array.slots == (PROJECTION,)]
    missing = [name for name in names if name not in arrays and name not in optional]
    unknown = [name for name in arrays if name not in names]
    if missing or unknown:
        raise ValueError(f"{layout.name} expected arrays {', '.join(names)}, got {', '.join(map(str, arrays)) or 'none'}")
    kinds = {value.dtype for value in arrays.values()}
    if len(kinds) > 1 or not kinds <= set(KINDS):
        shown = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        raise ValueError(f"{layout.name} expected one of float16, bfloat16, float32, float64 for all arrays, got {shown}")
    blocks: dict[Slot, Tensor] = {}
    for array in layout.arrays:
        if array.name in arrays:
            blocks |= split(array, arrays[array.name])
    for gate in cell.gates:
        if ("weights", gate) in blocks:
            stacked = blocks.pop(("weights", gate))
            hidden, width = stacked.shape
            if width <= hidden:
                raise ValueError(f"{layout.name} expected input and {hidden} units in one matrix, got {width} together")
            blocks["weight_ih", gate], blocks["weight_hh", gate] = stacked.split([width - hidden, hidden], 1)
    return blocks


def blocks_of_weights(cell: Cell, weights: Mapping[str, Tensor]) -> dict[Slot, Tensor]:
    """The blocks of byhand's weights. ValueError for a parameter that is none of them."""
    blocks: dict[Slot, Tensor] = {}
    for name, value in weights.items():
        if name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            blocks |= {(name, gate): part for gate, part in zip(cell.gates, value.chunk(len(cell.gates)), strict=True)}
        elif name in cell.vectors:
            kind, _, gate = name.partition("_")
            blocks[kind, gate] = value
        else:
            blocks[name, ""] = value
    return blocks


def our_biases(layout: Layout, cell: Cell, gate: str, blocks: Mapping[Slot, Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
    """The two biases of a gate, from one or two."""
    plus = layout.forward_bias.get(gate, 0.0)
    given, recurrent = blocks.get(("bias_ih", gate)), blocks.get(("bias_hh", gate))
    if given is None and gate not in apart_of(cell):
        given, recurrent = recurrent, None
    given = torch.zeros_like(like) if given is None else given
    if recurrent is None:
        return given, torch.full_like(like, plus)
    return given, recurrent + plus if plus else recurrent


def their_biases(
    layout: Layout, cell: Cell, gate: str, ours: tuple[Tensor, Tensor], slots: Iterable[Slot]
) -> dict[Slot, Tensor]:
    """The framework's one or two biases of a gate, from byhand's two. ValueError if the one cannot stand for both."""
    places = [name for name in ("bias_ih", "bias_hh") if (name, gate) in slots]
    plus = layout.forward_bias.get(gate, 0.0)
    if len(places) == 2:
        return {("bias_ih", gate): ours[0], ("bias_hh", gate): ours[1]}
    if gate in apart_of(cell):
        if ours[1].any():
            raise ValueError(
                f"{layout.name} has no bias inside the reset of its candidate: expected bias_hh to be 0 for gate {gate}, got"
                f" values up to {ours[1].abs().max().item():.3g}"
            )
        return {("bias_ih", gate): ours[0]}
    summed = (ours[0].double() + ours[1].double() - plus).to(ours[0].dtype)
    one = torch.where(ours[1] == plus, ours[0], summed)
    return {(places[0], gate): one} if places else {}
