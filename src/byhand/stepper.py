"""Streaming: one step after the other, the weights packed and the memory kept between calls."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byhand import parameters
from byhand.batch import first_states
from byhand.engine import dispatch
from byhand.engine.call import Call
from byhand.engine.cpp import engine as cpp
from byhand.engine.cpp.ready import INPUT, Ready

if TYPE_CHECKING:
    from jaxtyping import Float

    from byhand.nn import LSTM, State


class Stepper:
    """A layer stack that takes a signal as it comes; made by lstm.stepper(batch=1).

    y = stepper(x): x (batch, input), or (input,) where batch is 1, is one step; (time, batch, input) is several. y has the shape
    of x, with the output's width. The memory is kept from call to call. No gradients, no dropout; masks stand at their means.
    The weights are those of the moment when the stepper was made. Not for several threads at once: make one for each.

    state: the memory, as the layer gives and takes it. ValueError, TypeError.
    """

    def __init__(self, lstm: LSTM, batch: int) -> None:
        if lstm.bidirectional:
            raise ValueError(
                "stepper expected a layer of one direction, got bidirectional=True: its reverse half begins at the end"
            )
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise ValueError(f"stepper expected a batch of at least 1, got {batch!r}")
        self.lstm, self.batch = lstm, batch
        with torch.no_grad():
            calls = [self._call(index) for index in range(lstm.num_layers)]
            self._weights = [_copied(call) for call in calls]
            self._noise = [call.noise for call in calls]
            self._state = [tuple(one.clone() for one in call.state) for call in calls]
            self._start = [tuple(one.clone() for one in state) for state in self._state]
            self._bound = self._made_ready()
        self._shape = torch.Size((batch, lstm.input_size))
        self._dtype, self._new = calls[0].input.dtype, calls[0].input.new_empty
        self._output = (batch, lstm.proj_size or lstm.hidden_size)

    def _call(self, layer: int) -> Call:
        lstm = self.lstm
        place = lstm.places[layer]
        sizes, weights = lstm.sizes(place), parameters.weights(lstm.owner(place))
        x = weights.input.new_zeros(1, self.batch, sizes.input)
        state = tuple(value[layer] for value in first_states(lstm, x))
        return Call(lstm.cell, x, state, weights, noise=parameters.draw_noise(lstm.cell, x, sizes.hidden, training=False))

    def _made_ready(self) -> list[tuple[Ready, array[int]]]:
        """For the C++ engine, with the words of a step; none if it cannot take the layer."""
        calls = [self._call(layer)._replace(weights=weights) for layer, weights in enumerate(self._weights)]
        made = [cpp.ready(call, packed=True) for call in calls]
        if None in made:
            return []
        addresses = [[one.data_ptr() for one in state] for state in self._state]
        threads = torch.get_num_threads()
        return [(one, one.bound(at, at, threads)) for one, at in zip(made, addresses, strict=True) if one is not None]

    def __call__(self, x: Float[Tensor, "*time batch input"]) -> Float[Tensor, "*time batch output"]:
        """Take one step or several."""
        if (
            type(x) is Tensor
            and self._bound
            and x.shape == self._shape
            and x.dtype == self._dtype
            and x.is_contiguous()
            and x.device.type == "cpu"
        ):
            return self._step(x)
        return self._steps(x)

    def _step(self, x: Tensor) -> Tensor:
        for ready, words in self._bound:
            y = self._new(self._output)
            words[INPUT] = x.data_ptr()
            words[ready.output] = y.data_ptr()
            ready.kernel.call(words)
            x = y
        return x

    def _steps(self, x: Tensor) -> Tensor:
        lstm, given = self.lstm, x
        if not isinstance(x, Tensor) or not 1 <= x.dim() <= 3:
            raise TypeError(f"stepper expected x of shape (batch, input) or (time, batch, input), got {_described(x)}")
        if x.dim() == 1:
            x = x.unsqueeze(0)
        if x.dim() == 2:
            x = x.unsqueeze(0)
        if x.shape[1:] != self._shape or x.dtype != self._dtype:
            raise ValueError(
                f"stepper expected x of {self._dtype} and shape {tuple(self._shape)}, or that for several steps, got {_described(given)}"
            )
        with torch.no_grad():
            for layer in range(lstm.num_layers if len(x) else 0):
                call = Call(lstm.cell, x, self._state[layer], self._weights[layer], noise=self._noise[layer])
                result = dispatch.run(call)
                for mine, new in zip(self._state[layer], result.state, strict=True):
                    mine.copy_(new)
                x = result.output
        return x if given.dim() == 3 else x[0] if given.dim() == 2 else x[0, 0]

    @property
    def state(self) -> State:
        """A copy of the memory: (layers, batch, width) for each state."""
        values = tuple(torch.stack([state[index] for state in self._state]) for index in range(len(self.lstm.cell.state)))
        return values[0] if len(values) == 1 else values

    @state.setter
    def state(self, values: State) -> None:
        given = (values,) if isinstance(values, Tensor) else tuple(values)
        mine = (self.state,) if isinstance(self.state, Tensor) else self.state
        if [tuple(one.shape) for one in given] != [tuple(one.shape) for one in mine]:
            raise ValueError(
                f"stepper expected states of shapes {[tuple(one.shape) for one in mine]}, got {[tuple(one.shape) for one in given]}"
            )
        for layer, state in enumerate(self._state):
            for one, value in zip(state, given, strict=True):
                one.copy_(value[layer].detach())

    def reset(self) -> None:
        """Back to the state of the beginning: zeros, or what the layer has learnt to start from."""
        for state, start in zip(self._state, self._start, strict=True):
            for one, value in zip(state, start, strict=True):
                one.copy_(value)


def _copied(call: Call):
    """Weights that do not change when the layer's do."""
    weights = call.weights
    copies = {
        name: None if value is None else value.detach().clone()
        for name, value in zip(weights._fields[:5], weights[:5], strict=True)
    }
    return weights._replace(**copies, vectors=tuple(one.detach().clone() for one in weights.vectors))


def _described(x: object) -> str:
    return f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
