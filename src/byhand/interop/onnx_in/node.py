"""Node: one LSTM, GRU or RNN of a file, computed by byhand's layers as the operator's text says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from byhand.interop.onnx_in.layers import Part
from byhand.interop.onnx_in.operator import STATES, Operator
from byhand.nn import LSTM
from byhand.nn.inputs import Batch, bare


class Given(NamedTuple):
    """What flows into a node: X as the file lays it out, and what is optional."""

    x: Tensor
    lengths: Tensor | None
    initial: tuple[Tensor | None, ...]  # initial_h and, of an LSTM, initial_c


@dataclass(frozen=True, eq=False)
class Node:
    """name: byhand's, by which model.layers and traces know it. title: the file's own. weights: W, R, B and P as the file has them."""

    name: str
    title: str
    operator: Operator
    parts: list[Part]
    weights: dict[str, Tensor]

    def run(self, given: Given) -> tuple[Tensor, ...]:
        """Y, Y_h and, of an LSTM, Y_c. ValueError for inputs that do not fit the node."""
        x = given.x.transpose(0, 1).contiguous() if self.operator.batch_first else given.x
        self.check(x, given)
        time, batch = x.shape[:2]
        states = tuple(self.first_state(value, x) for value in given.initial)
        made = self.through(x, given.lengths, states) if time and batch else self.nothing(x, states)
        output, last = made[0].to(x), [one.to(x) for one in made[1:]]
        if self.operator.batch_first:
            return (output.permute(2, 0, 1, 3), *(one.transpose(0, 1) for one in last))
        return (output, *last)

    def through(self, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...]) -> list[Tensor]:
        """Output (time, directions, batch, hidden) and states (directions, batch, hidden), through every layer."""
        results = []
        for layer, directions in self.parts:
            weight = next(layer.parameters())
            given = [one[list(directions)] if len(self.parts) > 1 else one for one in states]
            output, last = run_layer(layer, x.to(weight), lengths, tuple(one.to(weight) for one in given))
            results.append([output.unflatten(-1, (len(directions), -1)).transpose(1, 2), *last])
        if len(results) == 1:
            return results[0]
        return [torch.cat(values, 1 if at == 0 else 0) for at, values in enumerate(zip(*results, strict=True))]

    def nothing(self, x: Tensor, states: tuple[Tensor, ...]) -> list[Tensor]:
        """Without a step, or without a sequence: no output, and the first states."""
        return [x.new_zeros(x.shape[0], len(self.operator.directions), x.shape[1], self.hidden), *states]

    @property
    def hidden(self) -> int:
        return self.weights["R"].shape[2]

    def first_state(self, value: Tensor | None, x: Tensor) -> Tensor:
        """(directions, batch, hidden): zeros where none is given."""
        if value is None:
            return x.new_zeros(len(self.operator.directions), x.shape[1], self.hidden)
        return value.transpose(0, 1).contiguous() if self.operator.batch_first else value

    def check(self, x: Tensor, given: Given) -> None:
        """x: time first. ValueError."""
        dtype = self.weights["W"].dtype
        if x.dim() != 3 or x.shape[2] != self.weights["W"].shape[2] or x.dtype != dtype:
            self.refuse(
                f"X of {dtype} with three sizes, the last {self.weights['W'].shape[2]}",
                f"{x.dtype} with sizes {[*given.x.shape]}",
            )
        lengths = given.lengths
        if lengths is not None:
            fits = lengths.shape == x.shape[1:2] and not lengths.is_floating_point()
            if not (fits and bool(((lengths >= 0) & (lengths <= len(x))).all())):
                self.refuse(f"{x.shape[1]} sequence_lens from 0 to {len(x)}", f"{lengths.tolist()}")
        for name, value in zip(STATES[self.operator.kind], given.initial, strict=True):
            sizes = (len(self.operator.directions), x.shape[1], self.hidden)
            wanted = (sizes[1], sizes[0], sizes[2]) if self.operator.batch_first else sizes
            if value is not None and (tuple(value.shape) != wanted or value.dtype != dtype):
                self.refuse(f"initial_{name} of {dtype} with sizes {[*wanted]}", f"{value.dtype} with sizes {[*value.shape]}")

    def refuse(self, expected: str, got: str) -> None:
        raise ValueError(f"{self.title} expected {expected}, got {got}")


def run_layer(layer: LSTM, x: Tensor, lengths: Tensor | None, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output (time, batch, directions * hidden), 0 where a sequence has ended, and the states after each sequence's own last step; its
    first states where it has none.
    """
    output: Any
    last: Any
    time, hx = len(x), bare(states)
    if lengths is None or bool((lengths == time).all()):
        output, last = layer(x, hx)
    elif bool((lengths > 0).all()):
        packed = pack_padded_sequence(x, lengths.to("cpu", torch.int64), enforce_sorted=False)
        output, last = layer(packed, hx)
        output, _ = pad_packed_sequence(output, total_length=time)
    else:  # torch packs no sequence without a step
        valid = torch.arange(time, device=x.device).unsqueeze(1) < lengths.to(x.device)
        output, last = layer._run_batch(layer._layer_config(), Batch(x, states, valid, None, batched=True, batch_first=False))
    return output, last if isinstance(last, tuple) else (last,)
