"""The parameters of one layer and direction inside a module: made, started, read and viewed gate by gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from byhand.layout import Sizes, blocks, dense, shapes, wiring

if TYPE_CHECKING:
    from jaxtyping import Float

    from byhand.cells import Cell
    from byhand.engine.call import Weights


class Owner(NamedTuple):
    """Whose parameters they are: a module, and what stands behind their names in it ("_l0_reverse", or nothing in a cell)."""

    module: nn.Module
    cell: Cell
    sizes: Sizes
    suffix: str = ""

    def get(self, name: str) -> Tensor:
        """By attribute, so that parametrised and tied parameters are seen as they are."""
        return getattr(self.module, name + self.suffix)

    def names(self) -> list[str]:
        """Their names in the module, in order."""
        return [name + self.suffix for name in shapes(self.cell, self.sizes)]


def add_parameters(owner: Owner, *, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
    """Register them, without values, in torch's order."""
    for name, shape in shapes(owner.cell, owner.sizes).items():
        owner.module.register_parameter(name + owner.suffix, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))


@torch.no_grad()
def start_parameters(owner: Owner, forget_bias: float | None) -> None:
    """What differs from the uniform start that all have had: constants of the cell, wires that are not there, the forget bias."""
    if isinstance(owner.cell.vectors, Mapping):
        for name, value in owner.cell.vectors.items():
            owner.get(name).fill_(value)
    if isinstance(owner.cell.recurrent, Mapping):
        weight = owner.get("weight_hh")
        weight.mul_(wiring(owner.cell, owner.sizes, weight))
    if forget_bias is not None:
        start_bias(owner, "f", forget_bias)


@torch.no_grad()
def start_bias(owner: Owner, gate: str, value: float | Tensor) -> None:
    """One value for all units, or one for each of the gate's free rows; the second bias, if there is one, is 0."""
    if owner.cell.biases == 0:
        owner.get(f"b_{gate}").copy_(torch.as_tensor(value))
        return
    for name, start in (("bias_ih", value), ("bias_hh", 0.0))[: owner.cell.biases]:
        owner.get(name)[blocks(owner.cell, owner.sizes)[gate]] = start


def weights(owner: Owner) -> Weights:
    """As an engine multiplies by them."""
    return dense(owner.cell, owner.sizes, owner.get)


def draw_noise(
    cell: Cell, like: Float[Tensor, "time batch input"], hidden: int, *, training: bool
) -> tuple[Float[Tensor, "time batch hidden"], ...]:
    """The masks of a cell for one pass: drawn in training, their means otherwise."""
    time, batch, _ = like.shape
    return tuple(
        noise.draw((time if noise.every == "step" else 1, batch, hidden), like)
        if training
        else torch.full((1, 1, hidden), noise.mean, dtype=like.dtype, device=like.device)
        for noise in cell.noise
    )


class Gate(NamedTuple):
    """One gate's part of the parameters: views, so writing into them (under torch.no_grad()) changes the layer.

    torch adds two biases, bias and bias_h; None where the layer has none. weight_h is None in a cell that reads no state.
    """

    weight_x: Float[Tensor, "hidden input"]
    weight_h: Float[Tensor, "hidden hidden"] | None
    bias: Float[Tensor, " hidden"] | None
    bias_h: Float[Tensor, " hidden"] | None


def gates(owner: Owner) -> dict[str, Gate]:
    """Gate name -> its views."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    there = shapes(owner.cell, owner.sizes)
    return {
        gate: Gate(*(owner.get(name)[rows] if name in there else None for name in names))  # type: ignore[arg-type]
        for gate, rows in blocks(owner.cell, owner.sizes).items()
    }
