"""Prepared calls of torch's own kernels: what is asked and listed before each call takes as long as a short sequence does."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from byhand.engine.call import Call
    from byhand.engine.packing import Packing


class PreparedAten(NamedTuple):
    """One layer's call from the first step to the last; see byhand.engine.protocol.Prepared. weights: those there are, without a graph.
    sizes: of each state, (1, batch, width). memory: as many bytes as a state has, for each.
    """

    kernel: Callable[..., Any]
    weights: list[Tensor]
    biased: bool
    dtype: torch.dtype
    sizes: list[tuple[int, ...]]
    memory: list[type[ctypes.Array[ctypes.c_byte]]]

    @property
    def by_tensors(self) -> bool:
        """Whether a call without a graph is better off with `differentiable`: tensors of addresses take longer to make than a step."""
        return True

    @classmethod
    def of(cls, kernel: Callable[..., Any], call: Call) -> PreparedAten:
        weights = [one.detach() for one in call.weights[:5] if one is not None]
        memory = [ctypes.c_byte * (one.numel() * one.element_size()) for one in call.state]
        sizes = [(1, *one.shape) for one in call.state]
        return cls(kernel, weights, call.weights.bias_input is not None, call.input.dtype, sizes, memory)

    def there(self, addresses: Sequence[int]) -> list[Tensor]:
        """The states that lie at these addresses."""
        places = [kind.from_address(place) for kind, place in zip(self.memory, addresses, strict=True)]
        return [torch.frombuffer(one, dtype=self.dtype).view(size) for one, size in zip(places, self.sizes, strict=True)]

    def made(
        self, input: Tensor, state: Sequence[Tensor], weights: list[Tensor], packing: Packing | None, *, graph: bool
    ) -> tuple[Tensor, ...]:
        """Output and last states, (1, batch, width). graph: whether what a derivative needs is kept."""
        options = (self.biased, 1, 0.0, graph, False)  # one layer, no dropout, one direction
        first = state if len(state) > 1 else state[0]
        if packing is None:
            return self.kernel(input, first, weights, *options, False)  # type: ignore[no-any-return]
        return self.kernel(input, torch.tensor(packing.sizes), first, weights, *options)  # type: ignore[no-any-return]

    def run(self, input: Tensor, first: Sequence[int], last: Sequence[int], packing: Packing | None = None) -> Tensor:
        """The output; the last states are written where `last` says."""
        output, *ends = self.made(input, self.there(first), self.weights, packing, graph=False)
        for place, end in zip(self.there(last), ends, strict=True):
            place.copy_(end)
        return output

    def stepping(self, state: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
        """A function that takes the next step (batch, input), gives its output (batch, hidden), and moves the state on in place."""
        views = [one.unsqueeze(0) for one in state]

        def step(input: Tensor) -> Tensor:
            output, *ends = self.made(input.unsqueeze(0), views, self.weights, None, graph=False)
            for place, end in zip(views, ends, strict=True):
                place.copy_(end)
            return output.squeeze(0)

        return step

    def differentiable(
        self, input: Tensor, weights: Sequence[Tensor | None], first: Sequence[Tensor], packing: Packing | None = None
    ) -> tuple[Tensor, ...]:
        """The output and the last states, in autograd's graph where gradients are enabled. weights: the five of a call."""
        own, single = [one for one in weights[:5] if one is not None], first[0].dim() == 2
        state = [one.unsqueeze(0) for one in first] if single else list(first)
        output, *last = self.made(input, state, own, packing, graph=torch.is_grad_enabled())
        return output, *(one.squeeze(0) if single else one for one in last)
