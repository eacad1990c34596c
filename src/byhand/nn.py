"""LSTM and LSTMCell: torch.nn's interface over any cell."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout as drop
from torch.nn.utils.rnn import PackedSequence

from byhand import checks, parameters, quick
from byhand.batch import read_batch
from byhand.cells import Cell, lstm
from byhand.engine.call import Call
from byhand.engine.registry import register
from byhand.layout import Sizes, remembered, state_width
from byhand.parameters import Gate, Owner
from byhand.scope import Place, run_watched, unwatched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from byhand.stepper import Stepper

    State = Tensor | tuple[Tensor, ...]


class LSTM(nn.Module):
    """A stack of recurrent layers with the interface of torch.nn.LSTM, for any cell.

    Arguments, attributes, parameters (names, shapes, start), inputs, outputs and errors are those of torch.nn.LSTM; state_dicts
    exchange both ways. Besides:

    cell: what one step computes, a value of byhand.cells. A cell with one state, such as gru, takes and gives it as a bare
        tensor, as torch.nn.GRU does; with more, a tuple in the order of cell.state.
    forget_bias: the start of the forget gate's bias; None keeps torch's random one.
    learn_initial_state: start from learnt states, parameters initial_STATE (layers * directions, hidden), instead of zeros.

    Input (time, batch, input), (batch, time, input) with batch_first, (time, input) for one sequence, or a PackedSequence.
    Gives the outputs (time, batch, directions * hidden), laid out like the input, and the states after the last step, each
    (layers * directions, batch, hidden). Raises TypeError, ValueError or RuntimeError, each saying what was expected.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        cell: Cell = lstm,
        forget_bias: float | None = None,
        learn_initial_state: bool = False,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.num_layers, self.proj_size = input_size, hidden_size, num_layers, proj_size
        self.bias, self.batch_first, self.bidirectional, self.dropout = bias, batch_first, bidirectional, dropout
        self.cell, self.forget_bias, self.learn_initial_state = cell, forget_bias, learn_initial_state
        checks.check_layer(self)
        register(cell)
        for place in self.places:
            parameters.add_parameters(self.owner(place), device=device, dtype=dtype)
        for name in cell.state if learn_initial_state else ():
            shape = (len(self.places), state_width(cell, name, self.sizes(self.places[0])))
            self.register_parameter(f"initial_{name}", nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    @property
    def places(self) -> tuple[Place, ...]:
        """Every layer and direction, in the order of parameters and states."""
        return places(self.num_layers, self.bidirectional)

    def sizes(self, place: Place) -> Sizes:
        """The sizes of one layer and direction."""
        below = (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)
        return Sizes(self.input_size if place.layer == 0 else below, self.hidden_size, self.proj_size, self.bias)

    def owner(self, place: Place) -> Owner:
        """The parameters of one layer and direction."""
        return Owner(self, self.cell, self.sizes(place), f"_l{place.layer}{'_reverse' if place.reverse else ''}")

    def reset_parameters(self) -> None:
        """Torch's start, all parameters uniform in ±1/√hidden_size in the order of registration; then what the cell, forget_bias and
        learn_initial_state (zeros) say.
        """
        bound = 1 / math.sqrt(self.hidden_size)
        for name, parameter in self.named_parameters():
            nn.init.zeros_(parameter) if name.startswith("initial_") else nn.init.uniform_(parameter, -bound, bound)
        for place in self.places:
            parameters.start_parameters(self.owner(place), self.forget_bias)

    def gates(self, layer: int = 0, direction: int = 0) -> dict[str, Gate]:
        """Gate name -> views of its weights and biases; direction 1 is the reverse one. IndexError if there is no such place."""
        for name, value, count in (("layer", layer, self.num_layers), ("direction", direction, 2 if self.bidirectional else 1)):
            if value not in range(count):
                raise IndexError(f"gates expected a {name} from 0 to {count - 1}, got {value!r}")
        return parameters.gates(self.owner(Place(layer, bool(direction))))

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, as torch.nn.LSTM lists them."""
        return [[getattr(self, name) for name in self.owner(place).names()] for place in self.places]

    def flatten_parameters(self) -> None:
        """Nothing to do: there is no cuDNN buffer to keep together. Here so that code written for torch.nn.LSTM runs."""

    def forward(self, input: Tensor | PackedSequence, hx: State | None = None) -> tuple[Tensor | PackedSequence, State]:
        """Run the stack; see the class."""
        if type(input) is Tensor and not self.batch_first and not (self.training and (self.dropout or self.cell.noise)):
            short = quick.run(self, input, hx) if not torch.compiler.is_compiling() and unwatched() else None
            if short is not None:
                return short[0], bare(short[1])
        batch = read_batch(self, input, hx)
        x, states = batch.input, []
        for layer in range(self.num_layers):
            if self.dropout and layer:
                x = drop(x, self.dropout, self.training)
            outputs = []
            for index, place in enumerate(self.places):
                if place.layer == layer:
                    start = tuple(value[index] for value in batch.state)
                    result = run_watched(self, place, self.call(place, x, start, batch.valid))
                    outputs.append(result.output)
                    states.append(result.state)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        return batch.give_back(x, states)

    def first_states(self, input: Tensor) -> tuple[Tensor, ...]:
        """Zeros, or the learnt ones, (layers * directions, batch, width) each, for an input that is checked for errors."""
        return read_batch(self, input, None).state

    def call(self, place: Place, x: Tensor, state: tuple[Tensor, ...], valid: Tensor | None) -> Call:
        """What an engine is asked for one layer and direction."""
        noise = parameters.draw_noise(self.cell, x, self.hidden_size, training=self.training)
        weights = parameters.weights(self.owner(place))
        return Call(self.cell, x, state, weights, reverse=place.reverse, valid=valid, noise=noise)

    def stepper(self, batch: int = 1) -> Stepper:
        """For signals that come step by step: keeps packed weights and the memory between calls. See byhand.stepper.Stepper."""
        from byhand.stepper import Stepper  # noqa: PLC0415 (it is built on this module)

        return Stepper(self, batch)

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write config.json, model.safetensors and a model card into a folder; see byhand.saving.pretrained.save. ValueError, OSError."""
        from byhand.saving.pretrained import save  # noqa: PLC0415 (safetensors is loaded when it is needed)

        save(self, folder)

    @classmethod
    def from_pretrained(
        cls, folder: str | os.PathLike[str], *, cell: Cell | None = None, device: torch.device | str | int | None = None
    ) -> Self:
        """The layer that save_pretrained wrote, bit for bit; cell: yours, where it is not one of byhand's. LoadError."""
        from byhand.saving.pretrained import load  # noqa: PLC0415

        return load(cls, folder, cell=cell, device=device)

    def extra_repr(self) -> str:
        """What differs from the defaults."""
        return described(self, ("input_size", "hidden_size"), OPTIONS)


def bare(states: Sequence[Tensor]) -> State:
    """As the caller gets them: a cell's only state is no tuple."""
    return states[0] if len(states) == 1 else tuple(states)


@remembered
def places(num_layers: int, bidirectional: bool) -> tuple[Place, ...]:
    directions = (False, True) if bidirectional else (False,)
    return tuple(Place(layer, reverse) for layer in range(num_layers) for reverse in directions)


OPTIONS = {
    "proj_size": 0,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0,
    "bidirectional": False,
    "cell": lstm,
    "forget_bias": None,
    "learn_initial_state": False,
}


def described(module: nn.Module, sizes: tuple[str, ...], options: dict[str, object]) -> str:
    values = [str(getattr(module, name)) for name in sizes]
    return ", ".join(
        values + [f"{name}={getattr(module, name)}" for name, usual in options.items() if getattr(module, name) != usual]
    )


class LSTMCell(nn.Module):
    """One step, with the interface of torch.nn.LSTMCell, for any cell.

    cell, forget_bias: as in LSTM. Input (batch, input) or (input,); state(s) (batch, hidden) or (hidden,), zeros if not given.
    Gives the new state(s): a tuple in the order of cell.state, or a bare tensor where the cell has one, as torch.nn.GRUCell does.
    Raises TypeError, ValueError or RuntimeError.
    """

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
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.cell, self.forget_bias = cell, forget_bias
        checks.check_single(self)
        register(cell)
        parameters.add_parameters(self.owner, device=device, dtype=dtype)
        self.reset_parameters()

    @property
    def places(self) -> tuple[Place, ...]:
        """Its one place, which has no name."""
        return (Place(None),)

    @property
    def owner(self) -> Owner:
        """Its parameters."""
        return Owner(self, self.cell, Sizes(self.input_size, self.hidden_size, bias=self.bias))

    def reset_parameters(self) -> None:
        """As in LSTM."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        parameters.start_parameters(self.owner, self.forget_bias)

    def gates(self) -> dict[str, Gate]:
        """Gate name -> views of its weights and biases."""
        return parameters.gates(self.owner)

    def forward(self, input: Tensor, hx: State | None = None) -> State:
        """Run one step; see the class."""
        if type(input) is Tensor and input.dim() == 2 and not (self.training and self.cell.noise):
            short = quick.run(self, input.unsqueeze(0), hx) if not torch.compiler.is_compiling() and unwatched() else None
            if short is not None:
                return bare(short[1])
        state = checks.check_step(self, input, hx)
        x = (input if input.dim() == 2 else input.unsqueeze(0)).unsqueeze(0)
        (place,) = self.places
        result = run_watched(self, place, self.call(place, x, state, None))
        return bare(result.state if input.dim() == 2 else [value.squeeze(0) for value in result.state])

    def first_states(self, input: Tensor) -> tuple[Tensor, ...]:
        """Zeros (batch, hidden) for an input (1, batch, input), which is checked for errors."""
        return checks.check_step(self, input[0], None)

    def call(self, place: Place, x: Tensor, state: tuple[Tensor, ...], valid: Tensor | None) -> Call:
        """What an engine is asked for."""
        noise = parameters.draw_noise(self.cell, x, self.hidden_size, training=self.training)
        return Call(self.cell, x, state, parameters.weights(self.owner), reverse=place.reverse, valid=valid, noise=noise)

    def extra_repr(self) -> str:
        """What differs from the defaults."""
        return described(self, ("input_size", "hidden_size"), {"bias": True, "cell": lstm, "forget_bias": None})
