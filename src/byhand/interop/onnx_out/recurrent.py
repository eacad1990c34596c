"""One layer of a stack, both directions, as one node of ONNX's LSTM, GRU or RNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from byhand.engine.names import Sublayer
    from byhand.interop.onnx_out.layer import Layer, Sequences
    from byhand.interop.onnx_out.nodes import Nodes


def write_operator(n: Nodes, layer: Layer, sublayers: Sequence[Sublayer], given: Sequences) -> tuple[str, list[str]]:
    """The output (time, batch, directions * hidden) and the last states, (directions, batch, hidden) each."""
    config, operator = layer.config, layer.operator
    assert operator is not None
    weights = {one: layer.weights(one) for one in sublayers}

    def packed(name: str, pieces: list[Tensor | None]) -> str:
        """One tensor of all directions; an empty name for one that the layer has not."""
        found = [one for one in pieces if one is not None]
        return n.tensor(layer.named(f"{name}{sublayers[0].suffix}"), torch.stack(found)) if found else ""

    def ordered(name: str, part: str) -> str:
        return packed(name, [operator.blocks(config.cell, getattr(weights[one], part)) for one in sublayers])

    bias = [operator.biases(config.cell, weights[one]) for one in sublayers]
    peepholes = [operator.peepholes(config.cell, weights[one].vectors) for one in sublayers]
    lengths = "" if given.lengths is None else n.op("Cast", given.lengths, to=6)  # 32-bit numbers
    states = given.states or [""] * len(config.cell.state)
    inputs = [
        given.input,
        ordered("W", "input"),
        ordered("R", "recurrent"),
        packed("B", bias),
        lengths,
        *states,
        packed("P", peepholes),
    ]
    direction = "bidirectional" if len(sublayers) == 2 else "forward"
    attributes = operator.attributes(len(sublayers))
    output, *last = n.ops(
        operator.kind,
        *inputs,
        outputs=1 + len(states),
        hidden_size=config.hidden_size,
        direction=direction,
        **attributes,
    )
    if len(sublayers) == 1:
        return n.squeeze(output, 1), last
    joined = n.op("Transpose", output, perm=[0, 2, 1, 3])
    return n.op("Reshape", joined, n.ints(0, 0, 2 * config.hidden_size)), last
