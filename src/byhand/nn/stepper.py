"""Streaming: one step after the other, the weights packed and the memory kept between calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byhand.engine import dispatch, frozen, precision, transforms
from byhand.engine.call import Call
from byhand.nn.captured import CapturedStep
from byhand.nn.indices import Where, check_where, chosen

if TYPE_CHECKING:
    from jaxtyping import Float

    from byhand.engine.protocol import Prepared
    from byhand.nn.config import Config

    State = Tensor | tuple[Tensor, ...]


class Stepper:
    """A layer stack that takes a signal as it comes; made by lstm.stepper(batch=1).

    y = stepper(x): x (batch, input), or (input,) where batch is 1, is one step; (time, batch, input) is several. y has the shape
    of x, with the output's width. The memory is kept from call to call. No gradients, no dropout; masks stand at their means.
    The weights are those of the moment when the stepper was made. Not for several threads at once: make one for each. A copy
    (copy.copy, copy.deepcopy, pickle) has a memory of its own. On CUDA a single step is captured as one CUDA graph.

    state: the memory, as the layer gives and takes it; of a layer in low precision in float32, in which it is kept. ValueError,
        TypeError.
    """

    def __init__(self, config: Config, first_calls: Callable[[], list[Call]], batch: int, weights: str = "float32") -> None:
        if config.bidirectional:
            raise ValueError(
                "stepper expected a layer of one direction, got bidirectional=True: its reverse half begins at the end"
            )
        if any(sublayer.reverse for sublayer in config.sublayers):
            raise ValueError("stepper expected a layer that reads forward, got one that begins at the end of the sequence")
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise ValueError(f"stepper expected a batch of at least 1, got {batch!r}")
        self.config, self.batch, self._packed_in = config, batch, weights
        with torch.inference_mode(False), torch.no_grad():  # the memory outlives the caller's mode
            given = first_calls()
            self._dtype = given[0].input.dtype
            calls = [precision.converted(call, precision.COMPUTED_IN.get(self._dtype, self._dtype)) for call in given]
            self._weights = [_copied(call) for call in calls]
            self._noise = [call.noise for call in calls]
            self._start = [tuple(one.clone() for one in call.state) for call in calls]
        self._shape = torch.Size((batch, config.input_size))
        self._take(self._start)

    def _take(self, state: list[tuple[Tensor, ...]]) -> None:
        """Start from a copy of this memory, and bind the engine to it."""
        with torch.inference_mode(False), torch.no_grad():
            self._state = [tuple(one.clone() for one in each) for each in state]
            self._layers = self._prepared()
            self._bound = [layer.stepping(memory) for layer, memory in zip(self._layers, self._state, strict=False)]
            weights = [one for each in self._weights for one in (*each[:5], *each.vectors) if one is not None]
            memories = [one for memory in self._state for one in memory]
            self._captured = CapturedStep(self._usual, memories, [*weights, *(one for noise in self._noise for one in noise)])

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value for name, value in vars(self).items() if name not in ("_layers", "_bound", "_captured")
        }  # which hold addresses

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._take(self._state)

    def _call_of(self, layer: int, x: Tensor | None = None) -> Call:
        """The call of a layer with the memory and the weights that are kept; of a step of zeros if there is no input."""
        weights, state = self._weights[layer], self._state[layer]
        if x is None:
            x = weights.input.new_zeros(1, self.batch, weights.input.shape[1])
        return Call(self.config.cell, x, state, weights, noise=self._noise[layer])

    def _prepared(self) -> list[Prepared]:
        """Every layer with its weights packed; none if no engine prepares every layer."""
        layers = [frozen.packed(self._call_of(layer), self._packed_in) for layer in range(self.config.num_layers)]
        return [] if None in layers else [layer for layer in layers if layer is not None]

    def __call__(self, x: Float[Tensor, "*time batch input"]) -> Float[Tensor, "*time batch output"]:
        """Take one step or several."""
        if (
            type(x) is Tensor
            and self._bound
            and x.shape == self._shape
            and x.dtype == self._dtype == self._kept_in
            and x.is_contiguous()
            and x.device.type == "cpu"
        ):
            for step in self._bound:
                x = step(x)
            return x
        return self._steps(x)

    def _steps(self, x: Tensor) -> Tensor:
        given = x
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
        with torch.no_grad(), precision.exactly(x.device.type):
            x = self._through(x.to(self._kept_in)).to(self._dtype)
        return x if given.dim() == 3 else x[0] if given.dim() == 2 else x[0, 0]

    def _through(self, x: Tensor) -> Tensor:
        """All layers, on the packed weights where there are such."""
        if len(x) == 0:
            return x.new_empty(0, self.batch, self.config.proj_size or self.config.hidden_size)
        plain = type(x) is Tensor and transforms.is_plain() and not dispatch.is_chosen()
        if self._layers and plain and x.device.type == "cpu":
            x = x.contiguous()
            for layer, memory in zip(self._layers, self._state, strict=True):
                places = [one.data_ptr() for one in memory]
                x = layer.run(x, places, places)
            return x
        made = self._captured(x) if plain and len(x) == 1 else None
        return self._usual(x) if made is None else made

    def _usual(self, x: Tensor) -> Tensor:
        """All layers, as any call runs."""
        for layer, memory in enumerate(self._state):
            result = frozen.run(self._call_of(layer, x), self._packed_in)
            for mine, new in zip(memory, result.state, strict=True):
                mine.copy_(new)
            x = result.output
        return x

    @property
    def _kept_in(self) -> torch.dtype:
        """The number type of memory and weights: float32 where the layer's is lower."""
        return self._weights[0].input.dtype

    @property
    def state(self) -> State:
        """A copy of the memory: (layers, batch, width) for each state."""
        values = tuple(torch.stack([state[index] for state in self._state]) for index in range(len(self.config.cell.state)))
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

    def reset(self, which: Where = None) -> None:
        """Back to the state of the beginning: zeros, or what the layer has learnt to start from.

        Args:
            which: the sequences of the batch to set back: an index, a slice, a list of indices or a mask (batch,); None: all.

        Raises:
            IndexError, TypeError: which is no such choice, or a sequence is not there.
        """
        check_where("reset", "which", which)
        rows = chosen("reset", "which", which, self.batch)
        for state, start in zip(self._state, self._start, strict=True):
            for one, value in zip(state, start, strict=True):
                one[rows] = value[rows]


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
