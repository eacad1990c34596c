"""LSTM: torch.nn's interface over any cell, for a stack of layers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout as drop
from torch.nn.utils.rnn import PackedSequence

from byhand.cells import Cell, lstm
from byhand.cells.names import register
from byhand.engine.call import Call
from byhand.engine.names import Sublayer
from byhand.engine.observe import answered, run_observed, unobserved
from byhand.nn import export, parameters, prepared, pretrained
from byhand.nn.config import Config
from byhand.nn.inputs import Batch, Reader, bare, cut_before
from byhand.nn.layout import Sizes
from byhand.nn.opacus import NoPerSampleGradient
from byhand.nn.parameters import Gate, LayerParameters
from byhand.nn.stepper import Stepper

if TYPE_CHECKING:
    from jaxtyping import Bool

    from byhand.engine.call import Result

    State = Tensor | tuple[Tensor, ...]
    RunCall = Callable[[nn.Module, Sublayer, Call], Result]


class LSTM(nn.Module):
    """A stack of recurrent layers for any cell: a drop-in replacement for torch.nn.LSTM.

    Arguments, attributes, parameters (names, shapes, initial weights), inputs, outputs and error types are those of
    torch.nn.LSTM; state_dicts exchange both ways. byhand's own are the arguments from `cell` on, and `reset` of `forward`.

    Args:
        input_size: features of a step.
        hidden_size: units of a layer.
        num_layers: layers, each reading the one below.
        bias: whether the layers have biases.
        batch_first: whether input and output are (batch, time, ...) instead of (time, batch, ...); states stay as they are.
        dropout: the probability with which a value between layers is dropped in training.
        bidirectional: whether a second LSTM in each layer reads from the end.
        proj_size: the size that the hidden state is projected to; 0: no projection.
        device: where the parameters are.
        dtype: the number type of the parameters.
        cell: what one step computes, a value of byhand.cells. A cell with one state, such as gru, takes and gives it as a
            bare tensor, as torch.nn.GRU does; with more, a tuple in the order of cell.state.
        forget_bias: the initial bias of the forget gate; None keeps torch's random one.
        learn_initial_state: start from learnt states, parameters initial_STATE (layers * directions, hidden), instead of
            zeros.

    Raises:
        TypeError: an argument is of the wrong type; the message says what was expected.
        ValueError: an argument is out of range, or does not fit the cell; the message says what was expected.
    """

    ft_compute_sample_grad = NoPerSampleGradient()
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int
    cell: Cell
    forget_bias: float | None
    learn_initial_state: bool

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
        arguments = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size)
        for name, value in Config(*arguments, cell, forget_bias, learn_initial_state).checked()._asdict().items():
            setattr(self, name, value)
        config = self._layer_config()
        register(cell)
        for sublayer in config.sublayers:
            parameters.add_parameters(self.layer_parameters(sublayer), device=device, dtype=dtype)
        for name, shape in zip(cell.state, config.state_shapes(1), strict=True) if learn_initial_state else ():
            value = torch.empty(shape[0], shape[2], device=device, dtype=dtype)
            self.register_parameter(f"initial_{name}", nn.Parameter(value))
        self.reset_parameters()

    def _layer_config(self) -> Config:
        """The arguments as they stand in the attributes now."""
        return Config.of(self)

    @property
    def sublayers(self) -> tuple[Sublayer, ...]:
        """Every layer and direction, in the order of parameters and states."""
        return self._layer_config().sublayers

    def sizes(self, sublayer: Sublayer) -> Sizes:
        """The sizes of one layer and direction."""
        return self._layer_config().sizes(sublayer)

    def layer_parameters(self, sublayer: Sublayer, config: Config | None = None) -> LayerParameters:
        """The parameters of one layer and direction. config: that of the layer, where it is at hand."""
        sizes = (config or self._layer_config()).sizes(sublayer)
        return LayerParameters(self, self.cell, sizes, sublayer.suffix)

    def reset_parameters(self) -> None:
        """Torch's initial weights, all parameters uniform in ±1/√hidden_size in the order of registration; then what the cell,
        forget_bias and learn_initial_state (zeros) say.
        """
        bound = 1 / math.sqrt(self.hidden_size)
        for name, parameter in self.named_parameters():
            nn.init.zeros_(parameter) if name.startswith("initial_") else nn.init.uniform_(parameter, -bound, bound)
        for sublayer in self.sublayers:
            parameters.start_parameters(self.layer_parameters(sublayer), self.forget_bias)

    def gates(self, layer: int = 0, direction: int = 0) -> dict[str, Gate]:
        """Return views of the parameters of one layer and direction, gate by gate.

        Args:
            layer: the layer's number, from 0.
            direction: 0: forward; 1: reverse.

        Returns:
            Gate name -> its weights and biases; writing into them (under torch.no_grad()) changes the layer.

        Raises:
            IndexError: there is no such layer or direction.
        """
        for name, value, count in (("layer", layer, self.num_layers), ("direction", direction, 2 if self.bidirectional else 1)):
            if value not in range(count):
                raise IndexError(f"gates expected a {name} from 0 to {count - 1}, got {value!r}")
        return self._gates_of(Sublayer(layer, bool(direction)))

    def _gates_of(self, sublayer: Sublayer) -> dict[str, Gate]:
        return parameters.gates(self.layer_parameters(sublayer))

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, as torch.nn.LSTM lists them."""
        return [[getattr(self, name) for name in self.layer_parameters(one).names()] for one in self.sublayers]

    def flatten_parameters(self) -> None:
        """Nothing to do: there is no cuDNN buffer to keep together. Here so that code written for torch.nn.LSTM runs."""

    def forward(
        self, input: Tensor | PackedSequence, hx: State | None = None, reset: Bool[Tensor, "time batch"] | None = None
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run the stack over whole sequences.

        Args:
            input: (time, batch, input), (batch, time, input) with batch_first, (time, input) for one sequence, or a
                PackedSequence.
            hx: the states before the first step, each (layers * directions, batch, hidden), without batch for one sequence;
                in the order of cell.state, or a bare tensor where the cell has one. Zeros, or the learnt states, if not
                given.
            reset: True before which steps a sequence starts again, laid out as the input without its last dimension, (time,
                batch) of a PackedSequence: the states before such a step are zeros or the learnt ones, in every layer,
                whatever hx says, as reinforcement learning sets them at the first step of an episode. The reverse direction
                is cut at the same places.

        Returns:
            The outputs (time, batch, directions * hidden), laid out like the input, and the states after the last step, laid
            out like hx. With a projection, outputs and the first state are proj_size wide instead of hidden.

        Raises:
            TypeError: an argument is of the wrong type.
            ValueError: the input's number of dimensions, the number of states, a dtype, or the shape of `reset` is wrong.
            RuntimeError: another size or a device is wrong, there is no step, or the engine of use_engine cannot run this.
        """
        if reset is None and not (self.training and (self.dropout or self.cell.noise)):
            plain = not torch.compiler.is_compiling() and unobserved()
            short = prepared.run(self, input, hx, self.plain_calls, batch_first=self.batch_first) if plain else None
            if short is not None:
                return short[0], bare(short[1])
        if export.is_leaving(input):
            with export.sizes_are_numbers():
                left = export.forward(self, input, hx, reset) if unobserved() else None
                return self.run(input, hx, reset) if left is None else left
        return answered(self, (input, hx, reset), self.run)

    def run(
        self, input: Tensor | PackedSequence, hx: State | None, reset: Tensor | None, run_call: RunCall = run_observed
    ) -> tuple[Tensor | PackedSequence, State]:
        """Check what is given, and run layer after layer, each direction by run_call."""
        config = self._layer_config()
        reader = self._reader(config)
        batch = reader.read(input, hx, reset)
        return self._run_batch(config, batch, () if reset is None else reader.first_states(batch.input), run_call)

    def _run_batch(
        self, config: Config, batch: Batch, restart: tuple[Tensor, ...] = (), run_call: RunCall = run_observed
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run layer after layer. restart: the states that sequences start again with, of a batch with a reset."""
        x, states = batch.input, []
        for layer in range(config.num_layers):
            if config.dropout and layer:
                x = drop(x, config.dropout, self.training)
            outputs = []
            for index, sublayer in enumerate(config.sublayers):
                if sublayer.layer == layer:
                    start = tuple(value[index] for value in batch.state)
                    call = self.call(sublayer, x, start, batch.valid, config)
                    if batch.reset is not None:
                        cut = cut_before(batch.reset, reverse=sublayer.reverse)
                        call = call._replace(cut=cut, restart=tuple(value[index] for value in restart))
                    result = run_call(self, sublayer, call)
                    outputs.append(result.output)
                    states.append(result.state)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        return batch.give_back(x, states)

    @property
    def reader(self) -> Reader:
        """Reads and checks inputs and states for this layer as it is now."""
        return self._reader(self._layer_config())

    def _reader(self, config: Config) -> Reader:
        learnt = tuple(getattr(self, f"initial_{name}") for name in config.cell.state) if config.learn_initial_state else None
        weight = self.layer_parameters(config.sublayers[0], config).get("weight_ih")
        return Reader(type(self).__name__, config, weight, learnt)

    def first_states(self, input: Tensor) -> tuple[Tensor, ...]:
        """Zeros, or the learnt ones, (layers * directions, batch, width) each, for an input that is checked for errors."""
        return self.reader.read(input, None).state

    def call(
        self,
        sublayer: Sublayer,
        x: Tensor,
        state: tuple[Tensor, ...],
        valid: Tensor | None = None,
        config: Config | None = None,
    ) -> Call:
        """What an engine is asked for one layer and direction. config: that of the layer, where it is at hand."""
        noise = parameters.draw_noise(self.cell, x, self.hidden_size, training=self.training)
        weights = parameters.weights(self.layer_parameters(sublayer, config))
        return Call(self.cell, x, state, weights, reverse=sublayer.reverse, valid=valid, noise=noise)

    def plain_calls(self, input: Tensor) -> prepared.Calls | None:
        """The calls of all layers and directions for an input (time, batch, input) without a mask, and the first states; None where
        they are not so plain.
        """
        if self.learn_initial_state:
            return None
        state = self.first_states(input.transpose(0, 1) if self.batch_first else input)  # which raises all that is wrong
        one = tuple(value[0] for value in state)
        between = (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)
        inputs = [input, *(input.new_empty(*input.shape[:2], between) for _ in range(1, self.num_layers))]
        return [self.call(sublayer, inputs[sublayer.layer or 0], one) for sublayer in self.sublayers], state

    def stepper(self, batch: int = 1) -> Stepper:
        """For signals that come step by step: keeps packed weights and the states between calls. See byhand.nn.stepper.Stepper."""
        return Stepper(self._layer_config(), partial(self.first_calls, batch), batch)

    def first_calls(self, batch: int) -> list[Call]:
        """Each layer's call, on a step of zeros, with masks at their means."""
        made = []
        for index, sublayer in enumerate(self.sublayers):
            weights = parameters.weights(self.layer_parameters(sublayer))
            x = weights.input.new_zeros(1, batch, weights.input.shape[1])
            state = tuple(value[index] for value in self.reader.first_states(x))
            noise = parameters.draw_noise(self.cell, x, self.hidden_size, training=False)
            made.append(Call(self.cell, x, state, weights, noise=noise))
        return made

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write config.json, model.safetensors and a model card into a folder; see byhand.nn.pretrained.save. ValueError, OSError."""
        pretrained.save(self._layer_config(), self.state_dict(), folder, LSTM.blank)

    @classmethod
    def from_pretrained(
        cls, folder: str | os.PathLike[str], *, cell: Cell | None = None, device: torch.device | str | int | None = None
    ) -> Self:
        """Load the layer that save_pretrained wrote, bit for bit.

        Args:
            folder: the folder that it was written to.
            cell: the model's cell, where it is not one of byhand's.
            device: where the parameters are; torch's default device if not given.

        Returns:
            The layer, in training mode.

        Raises:
            LoadError: a file is missing or not as it was written, or the cell is missing or another.
            TypeError: `cell` is no cell.
        """
        return pretrained.load(cls.blank, folder, cell=cell, device=device, kind=cls.__name__)

    @classmethod
    def blank(cls, config: Config, dtype: torch.dtype) -> Self:
        """A layer of these arguments on the meta device, without values."""
        return cls(**config._asdict(), dtype=dtype, device="meta")

    def __prepare_scriptable__(self) -> nn.Module:
        """What torch.jit.script asks for. NotImplementedError, with what to type."""
        export.refuse_script(self)

    def extra_repr(self) -> str:
        """What differs from the defaults."""
        return self._layer_config().extra_repr()
