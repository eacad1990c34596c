"""Weights that a module computes out of other tensors, as torch.nn.utils leaves them in a state_dict: pruning and normalisations.

    NAME_orig, NAME_mask                             prune: the product
    NAME_g, NAME_v                                   weight_norm of old: g · v / ‖v‖
    parametrizations.NAME.original0, .original1      weight_norm: the same
    parametrizations.NAME.original, .0._u, .0._v     spectral_norm: the weight over its norm u·W·v, as in eval mode

The norm of weight_norm runs over all dimensions of v in which g is 1 long, or over all where g has one element.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

NAME = r"(?P<name>(?:weight|bias)_(?:ih|hh|hr)\w*)"  # of a recurrent layer's; all else in a model stays as it is
PARTS = {
    rf"{NAME}_(?P<part>orig|mask)": {"orig", "mask"},
    rf"{NAME}_(?P<part>g|v)": {"g", "v"},
    rf"parametrizations\.{NAME}\.(?P<part>original[01])": {"original0", "original1"},
    rf"parametrizations\.{NAME}\.(?P<part>original|0\._u|0\._v)": {"original", "0._u", "0._v"},
}
OTHER = re.compile(r"(?:.*\.)?parametrizations\.((?:weight|bias)_(?:ih|hh|hr)\w*)\..*", re.DOTALL)  # of recurrent layers


def plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a state_dict with each such group replaced by the weight that it stands for, under the weight's name.

    Args:
        state: name -> tensor; the names may have anything before them that ends in a dot.

    Returns:
        All other tensors as they are, and the weights.

    Raises:
        ValueError: a recurrent layer's weight does not follow from the tensors alone, as with orthogonal.
    """
    left, groups = dict(state), {}
    for full in state:
        for pattern, parts in PARTS.items():
            match = re.fullmatch(rf"(?P<path>(?:.*\.)?){pattern}", full)
            if match and match["part"] in parts:
                groups.setdefault((match["path"] + match["name"], frozenset(parts)), {})[match["part"]] = full
    for (weight, parts), found in groups.items():
        if found.keys() == parts and not (parts == {"g", "v"} and weight in state):
            values = {part: left.pop(full) for part, full in found.items()}
            try:
                left[weight] = computed(values)
            except RuntimeError as problem:
                shapes = ", ".join(f"{found[part]} {tuple(value.shape)}" for part, value in values.items())
                raise ValueError(f"expected the parts of {weight} to fit together, got {shapes}") from problem
    for full in left:
        if (match := OTHER.fullmatch(full)) is not None:
            raise ValueError(
                f"{full}: expected weight_norm or spectral_norm, got a parametrisation whose weight does not follow from the"
                f" saved tensors alone: torch.nn.utils.parametrize.remove_parametrizations(layer, {match[1]!r}) before saving"
            )
    return left


@torch.no_grad()
def computed(parts: Mapping[str, Tensor]) -> Tensor:
    """The weight, as the module computes it."""
    if "mask" in parts:
        return parts["orig"] * parts["mask"].to(parts["orig"].dtype)
    if "original" in parts:
        weight, u, v = parts["original"], parts["0._u"], parts["0._v"]
        return weight / torch.vdot(u, torch.mv(weight, v))
    g, v = (parts["g"], parts["v"]) if "g" in parts else (parts["original0"], parts["original1"])
    kept = [at for at in range(v.dim()) if g.dim() == v.dim() and g.shape[at] == v.shape[at] and g.shape[at] > 1]
    if len(kept) > 1 or g.numel() != (v.shape[kept[0]] if kept else 1):
        raise ValueError(
            f"weight_norm expected g to be v's norms along one dimension, got shapes {tuple(g.shape)}, {tuple(v.shape)}"
        )
    others = [at for at in range(v.dim()) if at not in kept]
    return v * (g / torch.linalg.vector_norm(v, dim=others, keepdim=True))
