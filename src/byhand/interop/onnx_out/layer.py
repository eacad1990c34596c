"""A byhand layer in ONNX: its input brought time first, each layer and direction as an operator or a Scan, its output as it gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from byhand.interop.onnx_out.operators import Operator
from byhand.interop.onnx_out.recurrent import write_operator
from byhand.interop.onnx_out.scan import write_scan
from byhand.nn import parameters

if TYPE_CHECKING:
    import torch

    from byhand.engine.call import Weights
    from byhand.engine.names import Sublayer
    from byhand.interop.onnx_out.nodes import Nodes
    from byhand.nn.config import Config


class Layer(NamedTuple):
    """A layer that is written. path: its name in the model. operator: what holds its cell; None for a Scan. forms: in which it was."""

    module: Any  # an LSTM or LSTMCell
    path: str
    config: Config
    operator: Operator | None
    forms: set[str]

    def weights(self, sublayer: Sublayer) -> Weights:
        """As an engine multiplies by them."""
        layer: Any = self.module.layer_parameters
        here: Any = layer(sublayer) if callable(layer) else layer
        return parameters.weights(here)

    @property
    def dtype(self) -> torch.dtype:
        """The number type of its weights."""
        return self.weights(self.module.sublayers[0]).input.dtype

    def named(self, what: str) -> str:
        """What a tensor of the layer is called in the file."""
        return ".".join(filter(None, (self.path, what)))


class Sequences(NamedTuple):
    """What a layer is given, time first: input (time, batch, input); states (layers * directions, batch, width), None for the layer's own
    first ones; lengths (batch,) of 64-bit numbers, None if all are full. reset (time, batch) is true before the steps at which a sequence
    starts again, from the states `restart`; None for zeros.
    """

    input: str
    states: list[str] | None
    lengths: str | None = None
    reset: str | None = None
    restart: list[str] | None = None


def write_layer(n: Nodes, layer: Layer, given: Sequences) -> tuple[str, list[str]]:
    """The output (time, batch, directions * width) and the last states, (layers * directions, batch, width) each."""
    config = layer.config
    learnt = learnt_states(n, layer, given.input)
    given = given._replace(states=given.states or learnt, restart=learnt if given.reset else None)
    directions = 2 if config.bidirectional else 1
    x, last = given.input, [list[str]() for _ in config.cell.state]
    write = write_scan if layer.operator is None or given.reset else write_operator

    def part(states: list[str] | None, start: int) -> list[str] | None:
        if states is None or config.num_layers == 1:
            return states
        return [n.slice(one, start, start + directions) for one in states]

    for start in range(0, config.num_layers * directions, directions):
        here = given._replace(input=x, states=part(given.states, start), restart=part(given.restart, start))
        x, states = write(n, layer, layer.module.sublayers[start : start + directions], here)
        for found, state in zip(last, states, strict=True):
            found.append(state)
    return x, [n.concat(found, 0) for found in last]


def learnt_states(n: Nodes, layer: Layer, x: str) -> list[str] | None:
    """The states that the layer has learnt to start from, for each sequence; None if it starts from zeros."""
    if not layer.config.learn_initial_state:
        return None
    found, batch = [], n.size(x, 1)
    for name in layer.config.cell.state:
        value = getattr(layer.module, f"initial_{name}")
        learnt = n.tensor(layer.named(f"initial_{name}"), value.unsqueeze(1))
        found.append(n.op("Expand", learnt, n.concat([n.ints(1), batch, n.ints(1)], 0)))
    return found
