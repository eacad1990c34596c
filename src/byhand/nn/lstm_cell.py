"""LSTMCell: torch.nn's interface over any cell, for one step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from byhand.cells import Cell, lstm
from byhand.cells.names import register
from byhand.engine.call import Call
from byhand.engine.names import Sublayer
from byhand.engine.observe import answered, run_observed, unobserved
from byhand.nn import export, parameters, prepared
from byhand.nn.config import Config
from byhand.nn.inputs import Reader, bare
from byhand.nn.layout import Sizes
from byhand.nn.opacus import NoPerSampleGradient
from byhand.nn.parameters import Gate, LayerParameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from byhand.nn.lstm import RunCall

    State = Tensor | tuple[Tensor, ...]

ARGUMENTS = ("input_size", "hidden_size", "bias", "cell", "forget_bias")  # those of Config that a single step has


class LSTMCell(nn.Module):
    """One step, with the interface of torch.nn.LSTMCell, for any cell.

    Args:
        input_size: features of the input.
        hidden_size: units.
        bias: whether there are biases.
        device: where the parameters are.
        dtype: the number type of the parameters.
        cell: what the step computes, as in LSTM.
        forget_bias: the initial bias of the forget gate, as in LSTM.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an argument is out of range, or does not fit the cell.
    """

    ft_compute_sample_grad = NoPerSampleGradient()
    input_size: int
    hidden_size: int
    bias: bool
    cell: Cell
    forget_bias: float | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        cell: Cell = lstm,
        forget_bias: float | None = None,
    ) -> None:
        super().__init__()
        config = Config(input_size, hidden_size, bias=bias, cell=cell, forget_bias=forget_bias).checked()
        for name in ARGUMENTS:
            setattr(self, name, getattr(config, name))
        register(cell)
        parameters.add_parameters(self.layer_parameters, device=device, dtype=dtype)
        self.reset_parameters()

    @property
    def sublayers(self) -> tuple[Sublayer, ...]:
        """Its one, which has no name."""
        return (Sublayer(None),)

    @property
    def layer_parameters(self) -> LayerParameters:
        """Its parameters."""
        return LayerParameters(self, self.cell, Sizes(self.input_size, self.hidden_size, bias=self.bias))

    def reset_parameters(self) -> None:
        """As in LSTM."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        parameters.start_parameters(self.layer_parameters, self.forget_bias)

    def gates(self) -> dict[str, Gate]:
        """Gate name -> views of its weights and biases."""
        return parameters.gates(self.layer_parameters)

    def forward(self, input: Tensor, hx: State | None = None) -> State:
        """Run one step.

        Args:
            input: (batch, input), or (input,) for one sequence.
            hx: the state(s) before the step, (batch, hidden) or (hidden,); zeros if not given.

        Returns:
            The new state(s): a tuple in the order of cell.state, or a bare tensor where the cell has one, as torch.nn.GRUCell
            gives it.

        Raises:
            TypeError: an argument is of the wrong type.
            ValueError: a number of dimensions, the number of states or a dtype is wrong.
            RuntimeError: a size or a device is wrong, or the engine of use_engine cannot run this.
        """
        if type(input) is Tensor and input.dim() == 2 and not (self.training and self.cell.noise):
            plain = not torch.compiler.is_compiling() and unobserved()
            short = prepared.run(self, input.unsqueeze(0), hx, self.plain_calls) if plain else None
            if short is not None:
                return bare(short[1])
        if export.is_leaving(input):
            with export.sizes_are_numbers():
                left = export.forward(self, input, hx) if unobserved() else None
                return self.run(input, hx) if left is None else left
        return answered(self, (input, hx), self.run)

    def run(self, input: Tensor, hx: State | None, run_call: RunCall = run_observed) -> State:
        """Check what is given, and run the step, by run_call."""
        state = self.reader.read_step(input, hx)
        x = (input if input.dim() == 2 else input.unsqueeze(0)).unsqueeze(0)
        result = run_call(self, Sublayer(None), self.call(x, state))
        new = apart(result.state, state)
        return bare(new if input.dim() == 2 else [value.squeeze(0) for value in new])

    @property
    def reader(self) -> Reader:
        """Reads and checks inputs and states for this cell as it is now."""
        config = Config(self.input_size, self.hidden_size, bias=self.bias, cell=self.cell, forget_bias=self.forget_bias)
        return Reader(type(self).__name__, config, self.layer_parameters.get("weight_ih"))

    def call(self, x: Tensor, state: tuple[Tensor, ...]) -> Call:
        """What an engine is asked for. x: (1, batch, input)."""
        noise = parameters.draw_noise(self.cell, x, self.hidden_size, training=self.training)
        return Call(self.cell, x, state, parameters.weights(self.layer_parameters), noise=noise)

    def plain_calls(self, input: Tensor) -> prepared.Calls:
        """Its call for an input (1, batch, input), and the first states (batch, hidden)."""
        state = self.reader.read_step(input[0], None)
        return [self.call(input, state)], state

    def __prepare_scriptable__(self) -> nn.Module:
        """As in LSTM."""
        export.refuse_script(self)

    def extra_repr(self) -> str:
        """What differs from the defaults."""
        return self.reader.config.extra_repr()


def apart(states: Sequence[Tensor], given: Sequence[Tensor]) -> list[Tensor]:
    """The states in memory of their own: a step may return one tensor twice, or one that it was given."""
    taken, made = {one.untyped_storage()._cdata for one in given}, []
    for one in states:
        made.append(one.clone() if one.untyped_storage()._cdata in taken else one)
        taken.add(one.untyped_storage()._cdata)
    return made
