"""The parameters of one layer and direction inside a module: made, started, read and viewed gate by gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from byhand.nn.layout import Sizes, blocks, dense, shapes, wiring

if TYPE_CHECKING:
    from jaxtyping import Float

    from byhand.cells import Cell
    from byhand.engine.call import Weights


class LayerParameters(NamedTuple):
    """The parameters of one layer and direction in a module; suffix: what their names end with ("_l0_reverse", or nothing in a cell)."""

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


def add_parameters(layer: LayerParameters, *, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
    """Register them, without values, in torch's order."""
    for name, shape in shapes(layer.cell, layer.sizes).items():
        layer.module.register_parameter(name + layer.suffix, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))


@torch.no_grad()
def start_parameters(layer: LayerParameters, forget_bias: float | None) -> None:
    """What differs from the uniform start that all have had: constants of the cell, wires that are not there, the forget bias."""
    if isinstance(layer.cell.vectors, Mapping):
        for name, value in layer.cell.vectors.items():
            layer.get(name).fill_(value)
    if isinstance(layer.cell.recurrent, Mapping):
        weight = layer.get("weight_hh")
        weight.mul_(wiring(layer.cell, layer.sizes, weight))
    if forget_bias is not None:
        start_bias(layer, "f", forget_bias)


@torch.no_grad()
def start_bias(layer: LayerParameters, gate: str, value: float | Tensor) -> None:
    """One value for all units, or one for each of the gate's free rows; the second bias, if there is one, is 0."""
    if layer.cell.biases == 0:
        layer.get(f"b_{gate}").copy_(torch.as_tensor(value))
        return
    for name, start in (("bias_ih", value), ("bias_hh", 0.0))[: layer.cell.biases]:
        layer.get(name)[blocks(layer.cell, layer.sizes)[gate]] = start


def weights(layer: LayerParameters) -> Weights:
    """As an engine multiplies by them."""
    return dense(layer.cell, layer.sizes, layer.get)


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


def gates(layer: LayerParameters) -> dict[str, Gate]:
    """Gate name -> its views."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    there = shapes(layer.cell, layer.sizes)
    return {
        gate: Gate(*(layer.get(name)[rows] if name in there else None for name in names))  # type: ignore[arg-type]
        for gate, rows in blocks(layer.cell, layer.sizes).items()
    }
