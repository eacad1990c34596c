"""Layout: how a framework lays out the weights of one layer and direction; and the exact way from there to byhand's names and back.

Weights of byhand are named as torch names them, without the layer: weight_ih, weight_hh, bias_ih, bias_hh. What is done to a number is
at most this: it changes its place; it changes its sign (a gate that keeps where torch's replaces); or two biases are added, once, where
a framework has one bias and byhand two. An added constant of a framework's forward pass, such as Haiku's forget bias of 1, becomes the
second bias, so that reading rounds nothing. Dtypes are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from byhand.cells import Cell
from byhand.interop.axes import Array, join
from byhand.interop.blocks import PROJECTION, apart_of, blocks_of_arrays, blocks_of_weights, our_biases, their_biases

Weights = dict[str, Tensor]  # of one layer and direction: weight_ih, weight_hh, bias_ih, bias_hh and a cell's vectors


@dataclass(frozen=True)
class Layout:
    """How one kind of recurrent layer of a framework lays out the weights of one layer and direction.

    Args:
        framework: its name, as in "keras".
        layer: the name of its class.
        version: the version of the framework with which this was measured.
        cell: the cell of byhand that computes the same; None where there is none, for the reason given.
        arrays: the arrays of the layer, with the names that they have inside it.
        negated: gates whose weights have the other sign there.
        forward_bias: gate -> a constant that is added in the forward pass there, and is in no array.
        bias_is_optional: whether a layer can be without biases.
        product_input: whether its input is W·x, with W, the first array, the caller's; without it W is the identity.
        states: the order in which it gives its states.
        reverse_outputs: the order of the outputs of a layer that reads from the end: "time", "processing" (the last step comes
            first), or "" where there is none.
        batch: its axes of a sequence, in its default.
        padding: what its outputs and states are where a sequence is shorter than the batch.
        dropout: its dropout.
        start: its initial weights.
        forget_start: the initial bias of its forget gate.
        reason: why it is not torch's layer or, without a cell, why it cannot be read; "" if it is torch's.
        note: what else a reader should know.
    """

    framework: str
    layer: str
    version: str
    cell: Cell | None
    arrays: tuple[Array, ...] = ()
    negated: tuple[str, ...] = ()
    forward_bias: Mapping[str, float] = field(default_factory=dict)
    bias_is_optional: bool = False
    product_input: bool = False
    states: tuple[str, ...] = ("h",)
    reverse_outputs: str = ""
    batch: str = "(batch, time, input)"
    padding: str = ""
    dropout: str = "none"
    start: str = ""
    forget_start: str = ""
    reason: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """Framework and layer, as in "keras.LSTM"."""
        return f"{self.framework}.{self.layer}"

    @property
    def gates(self) -> tuple[str, ...]:
        """The order of the gates in the input weights."""
        return self._order("weight_ih", "weights")

    @property
    def recurrent_gates(self) -> tuple[str, ...]:
        """The order of the gates in the recurrent weights."""
        return self._order("weight_hh", "weights")

    def _order(self, *parameters: str) -> tuple[str, ...]:
        return tuple(gate for array in self.arrays for parameter, gate in array.slots if parameter in parameters)

    @property
    def biases(self) -> str:
        """How many biases it has: "two", "one", "one, and one inside the reset", or "one, none inside the reset"."""
        kinds = {slot for array in self.arrays for slot in array.slots}
        both = [gate for gate in self.gates if {("bias_ih", gate), ("bias_hh", gate)} <= kinds]
        apart = apart_of(self.cell)
        if len(both) == len(self.gates):
            return "two"
        if not apart:
            return "one"
        return "one, and one inside the reset" if set(apart) <= set(both) else "one, none inside the reset"

    def readable(self) -> Cell:
        """The cell. ValueError, with the reason, if there is none."""
        if self.cell is None:
            raise ValueError(f"{self.name} cannot be carried over exactly: {self.reason}")
        return self.cell


def read(layout: Layout, arrays: Mapping[str, Tensor]) -> Weights:
    """The weights of one layer and direction, as byhand names them, from a framework's arrays.

    A single bias becomes bias_ih, bit for bit, and bias_hh is 0, or the constant of the framework's forward pass.

    Args:
        layout: how the arrays are laid out.
        arrays: name inside the layer -> values; without any of the biases, the weights have none.

    Returns:
        Parameter name -> values: "weight_ih" (gates * hidden, input), "weight_hh" (gates * hidden, hidden), "bias_ih", "bias_hh".

    Raises:
        ValueError: no cell of byhand computes what the layer does, or the arrays are not those of the layout: a name is
            missing or unknown, or a shape or dtype is wrong.
    """
    cell = layout.readable()
    if layout.product_input and layout.arrays[0].name not in arrays and layout.arrays[1].name in arrays:
        recurrent = arrays[layout.arrays[1].name]
        arrays = {**arrays, layout.arrays[0].name: torch.eye(math.prod(recurrent.shape[:-1]), dtype=recurrent.dtype)}
    blocks = blocks_of_arrays(layout, cell, arrays)
    hidden = blocks["weight_hh", cell.gates[0]].shape[0]
    read_width = blocks[PROJECTION].shape[0] if PROJECTION in blocks else hidden
    widths = {"weight_ih": blocks["weight_ih", cell.gates[0]].shape[1:], "weight_hh": (read_width,), "weight_hr": (hidden,)}
    for (parameter, gate), block in blocks.items():
        expected = (read_width if parameter == "weight_hr" else hidden, *widths.get(parameter, ()))
        if block.shape != expected:
            of = f"{parameter} of {gate}" if gate else parameter
            raise ValueError(f"{layout.name} expected {tuple(expected)} for {of}, got {tuple(block.shape)}")
    for gate in layout.negated:
        blocks |= {slot: -block for slot, block in blocks.items() if slot[1] == gate}
    if any(parameter.startswith("bias") for parameter, _ in blocks) or layout.forward_bias:
        like = blocks["weight_hh", cell.gates[0]][:, 0]
        for gate in cell.gates:
            ours = our_biases(layout, cell, gate, blocks, like)
            blocks["bias_ih", gate], blocks["bias_hh", gate] = ours
    weights = {
        name: torch.cat([blocks[name, gate] for gate in cell.gates]).contiguous()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        if (name, cell.gates[0]) in blocks
    }
    others = {slot: block for slot, block in blocks.items() if slot[0] not in weights}
    return weights | {f"{name}_{gate}" if gate else name: block.contiguous() for (name, gate), block in others.items()}


def write(layout: Layout, weights: Mapping[str, Tensor], *, heads: int = 1) -> dict[str, Tensor]:
    """The arrays of a framework from the weights of one layer and direction: the inverse of `read`.

    Where the framework has one bias, it is bias_ih + bias_hh, less the constant of its forward pass, summed in float64 and rounded
    once; bit for bit bias_ih where bias_hh is 0, or that constant.

    Args:
        layout: how the arrays are to be laid out.
        weights: as `read` returns them.
        heads: into how many heads the units are divided, where the layout has such.

    Returns:
        Name inside the layer -> values. Without biases, arrays of them are left out where the layer can be without, and 0 otherwise.

    Raises:
        ValueError: the framework has no place for something: a recurrent bias that is not 0, a projection, weights between heads.
    """
    cell = layout.readable()
    blocks = blocks_of_weights(cell, weights)
    slots = {slot for array in layout.arrays for slot in array.slots}
    has_bias = ("bias_ih", cell.gates[0]) in blocks
    if has_bias or layout.forward_bias or not layout.bias_is_optional:
        like = torch.zeros_like(blocks["weight_hh", cell.gates[0]][:, 0])
        for gate in cell.gates:
            ours = (blocks.pop(("bias_ih", gate), like), blocks.pop(("bias_hh", gate), like))
            blocks |= their_biases(layout, cell, gate, ours, slots)
    for gate in layout.negated:
        blocks |= {slot: -block for slot, block in blocks.items() if slot[1] == gate}
    if ("weights", cell.gates[0]) in slots:
        for gate in cell.gates:
            blocks["weights", gate] = torch.cat([blocks.pop(("weight_ih", gate)), blocks.pop(("weight_hh", gate))], 1)
    left = [f"{parameter} {gate}".strip() for parameter, gate in blocks if (parameter, gate) not in slots]
    if left:
        raise ValueError(f"{layout.name} has no place for {', '.join(left)}")
    return {array.name: join(array, blocks, heads) for array in layout.arrays if all(slot in blocks for slot in array.slots)}
