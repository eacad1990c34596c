"""The other side of a certificate: a layer of torch, or a function of numpy's arrays. Keras's is in keras_side.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from byhand.interop.arrays import numpy_of, tensor_of
from byhand.interop.probing import bare, weight_names


@dataclass(frozen=True)
class Asked:
    """One run. x: time first, (time, batch, input). states: each (layers * directions, batch, size); none where it begins with zeros."""

    x: Tensor
    lengths: Tensor | None = None
    states: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What one run gave: outputs, time first, and last states; gradients by name, as byhand's parameters are called, and by "input"."""

    outputs: Tensor
    states: tuple[Tensor, ...]
    gradients: Mapping[str, Tensor] = field(default_factory=dict)


class Side(Protocol):
    """A layer that is compared. takes: which runs it can be asked for. notes: what a reader of the report should know."""

    what: str
    packages: tuple[str, ...]
    takes_lengths: bool
    takes_states: bool
    dtype: torch.dtype
    notes: list[str]

    def run(self, asked: Asked, weigh: Callable[[Tensor, tuple[Tensor, ...]], Tensor]) -> Answer:
        """weigh: the one number, of outputs and states, that gradients are of."""
        ...


class TorchSide:
    """A layer of torch.nn, or of byhand; a copy of it without hooks and parametrisations is run, in eval mode."""

    packages: tuple[str, ...] = ()
    takes_lengths = takes_states = True

    def __init__(self, module: nn.Module) -> None:
        self.module = bare(module, tamed=False)
        self.names = weight_names(module)
        self.what = f"{type(module).__module__.partition('.')[0]}'s {type(module).__name__}"
        self.dtype, self.notes = getattr(self.module, self.names[0]).dtype, list[str]()

    def run(self, asked: Asked, weigh: Callable[[Tensor, tuple[Tensor, ...]], Tensor]) -> Answer:
        """Outputs, states and gradients."""
        x = asked.x.detach().clone().requires_grad_()
        first = bool(self.module.batch_first)
        given: Any = x.transpose(0, 1) if first else x
        if asked.lengths is not None:
            given = pack_padded_sequence(given, asked.lengths, batch_first=first)
        hx = asked.states if len(asked.states) > 1 else asked.states[0] if asked.states else None
        outputs, last = self.module(given, hx)
        if asked.lengths is not None:
            outputs, _ = pad_packed_sequence(outputs, batch_first=first, total_length=len(x))
        outputs = outputs.transpose(0, 1) if first else outputs
        states = last if isinstance(last, tuple) else (last,)
        sources = {"input": x} | {name: getattr(self.module, name) for name in self.names}
        found = torch.autograd.grad(weigh(outputs, states), list(sources.values()), materialize_grads=True)
        return Answer(outputs.detach(), tuple(one.detach() for one in states), dict(zip(sources, found, strict=True)))


class FunctionSide:
    """other(x) or, with lengths, other(x, lengths): numpy's arrays, laid out as the layer of byhand has them."""

    packages: tuple[str, ...] = ()
    takes_states = False

    def __init__(self, function: Callable[..., Any], *, batch_first: bool, lengths: bool, dtype: torch.dtype) -> None:
        self.function, self.batch_first, self.takes_lengths, self.dtype = function, batch_first, lengths, dtype
        self.what = getattr(function, "__name__", type(function).__name__)
        self.notes = ["gradients are not compared: a function gives none"]
        if not lengths:
            self.notes.append(
                "lengths are not compared: a function that takes them, other(x, lengths), is named by lengths=True"
            )

    def run(self, asked: Asked, weigh: Callable[[Tensor, tuple[Tensor, ...]], Tensor]) -> Answer:
        """Outputs and states."""
        x = numpy_of(asked.x.transpose(0, 1) if self.batch_first else asked.x)
        made = self.function(x) if asked.lengths is None else self.function(x, numpy_of(asked.lengths))
        if not isinstance(made, tuple) or len(made) != 2:
            raise TypeError(f"certify expected {self.what} to give (outputs, states), got a {type(made).__name__}")
        outputs, states = tensor_of(made[0]), made[1]
        if states is None or (isinstance(states, tuple | list) and not states):
            note = f"states are not compared: {self.what} gives none"
            self.notes += [note] if note not in self.notes else []
            states = ()
        states = states if isinstance(states, tuple | list) else (states,)
        return Answer(outputs.transpose(0, 1) if self.batch_first else outputs, tuple(map(tensor_of, states)))
