"""What a layer is given, checked, and brought into the one form that engines read; and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from byhand.engine import transforms
from byhand.nn.input_checks import check_hx, check_input, check_length, check_reset, check_state, check_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Int

    from byhand.nn.config import Config

    States = tuple[Tensor, ...]


class Reader(NamedTuple):
    """Whose input it is. kind: the class, for messages. weight: a parameter, for number type and device. learnt: the first states, if the
    layer has learnt them, each (layers * directions, width).
    """

    kind: str
    config: Config
    weight: Tensor
    learnt: States | None = None

    def read(self, input: Tensor | PackedSequence, hx: Tensor | States | None, reset: Tensor | None = None) -> Batch:
        """Checks everything. TypeError, ValueError or RuntimeError."""
        batch = self._read(input, hx)
        return batch if reset is None else batch._replace(reset=read_reset(batch, reset))

    def _read(self, input: Tensor | PackedSequence, hx: Tensor | States | None) -> Batch:
        check_input(self.kind, input, self.config.input_size, self.weight)
        if isinstance(input, PackedSequence):
            rows, time, batch = rows_of(input), len(input.batch_sizes), largest_batch(input)
            x = input.data.new_zeros(time * batch, input.data.shape[-1]).index_copy_(0, rows, input.data).view(time, batch, -1)
            full = len(rows) == time * batch
            valid = (
                None if full else rows.new_zeros(time * batch, dtype=torch.bool).index_fill_(0, rows, True).view(time, batch)
            )
            return Batch(x, self.states(x, hx), valid, (input, rows), batched=True, batch_first=False)
        batched, batch_first = input.dim() == 3, self.config.batch_first
        x = input if batched else input.unsqueeze(1)
        x = x.transpose(0, 1) if batched and batch_first else x
        check_length(x, input, batch_first=batch_first and batched)
        return Batch(x, self.states(x, hx, batched=batched), None, None, batched, batch_first)

    def states(self, x: Float[Tensor, "time batch input"], hx: Tensor | States | None, *, batched: bool = True) -> States:
        return self.first_states(x) if hx is None else self.given_states(x, hx, batched=batched)

    def first_states(self, x: Float[Tensor, "time batch input"]) -> States:
        """Zeros, or what the layer has learnt to start from, (layers * directions, batch, width) each."""
        batch = x.shape[1]
        if self.learnt is not None:
            return tuple(one.unsqueeze(1).expand(-1, batch, -1) for one in self.learnt)
        return tuple(x.new_zeros(shape) for shape in self.config.state_shapes(batch))

    def given_states(self, x: Float[Tensor, "time batch input"], hx: Tensor | States, *, batched: bool) -> States:
        names = self.config.cell.state
        states = check_hx(hx, names, dim=3 if batched else 2)
        if not batched:
            states = tuple(value.unsqueeze(1) for value in states)
        for index, (shape, value) in enumerate(zip(self.config.state_shapes(x.shape[1]), states, strict=True)):
            check_state(index, value, shape, self.weight, single=len(names) == 1)
        return states

    def read_step(self, input: object, hx: object) -> States:
        """The states (batch, hidden) of a single step, whose arguments are checked. TypeError, ValueError or RuntimeError."""
        return check_step(self.kind, self.config, self.weight, input, hx)


class Batch(NamedTuple):
    """input: padded, in the caller's order of sequences. state: in the order of cell.state. valid: None if all are of full length.
    packed: what the input was, if it was packed, and where its rows are in the padded input.
    """

    input: Float[Tensor, "time batch input"]
    state: tuple[Float[Tensor, "places batch hidden"], ...]
    valid: Bool[Tensor, "time batch"] | None
    packed: tuple[PackedSequence, Int[Tensor, " rows"]] | None
    batched: bool
    batch_first: bool
    reset: Bool[Tensor, "time batch"] | None = None

    def give_back(
        self, output: Float[Tensor, "time batch features"], states: list[States]
    ) -> tuple[Tensor | PackedSequence, Tensor | States]:
        """Output and last states as the caller laid out the input. states: for each layer and direction."""
        last = tuple(torch.stack(values) for values in zip(*states, strict=True))
        given: Tensor | PackedSequence = output
        if not self.batched:
            given, last = output.squeeze(1), tuple(value.squeeze(1) for value in last)
        elif self.packed is not None:
            packed, rows = self.packed
            data = output.flatten(0, 1).index_select(0, rows)
            # Not packed._replace(data=...), of which torch.compile (2.13) makes a PackedSequence without fields.
            given = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        elif self.batch_first:
            given = output.transpose(0, 1)
        return given, last[0] if len(last) == 1 else last


def read_reset(batch: Batch, reset: Tensor) -> Bool[Tensor, "time batch"]:
    """The mask as the engines take it, (time, batch): nothing starts again after its end, whatever stands there."""
    sizes = batch.input.shape[:2]
    if not batch.batched:
        check_reset(reset, sizes[:1], batch.input)
        return reset.unsqueeze(1)
    check_reset(reset, sizes[::-1] if batch.batch_first else sizes, batch.input)
    reset = reset.t() if batch.batch_first else reset
    return reset if batch.valid is None else reset & batch.valid


def largest_batch(packed: PackedSequence) -> int:
    """The number of sequences. RuntimeError where somebody records operations and has no numbers for it."""
    try:
        return int(packed.batch_sizes[0])
    except (RuntimeError, ValueError) as problem:
        if torch.compiler.is_dynamo_compiling() or transforms.is_plain():
            raise
        raise RuntimeError(
            "a PackedSequence expected sizes that can be read as numbers, got ones that torch is recording (make_fx, FakeTensorMode):"
            " record the model on padded tensors"
        ) from problem


def rows_of(packed: PackedSequence) -> Int[Tensor, " rows"]:
    """Where each row of the packed data is among the rows of the padded one (time * batch), sequences in the caller's order."""
    sizes, batch = packed.batch_sizes, largest_batch(packed)
    step, sequence = (torch.arange(batch, device=sizes.device) < sizes.unsqueeze(1)).nonzero(as_tuple=True)
    if packed.sorted_indices is None:
        return (step * batch + sequence).to(packed.data.device)
    device = packed.sorted_indices.device
    return (step * batch).to(device) + packed.sorted_indices[sequence.to(device)]


def cut_before(reset: Tensor, *, reverse: bool) -> Tensor:
    """Where the state before a step, in the order of the direction, is that of a new start: a cut lies between a step and the one before
    it in time.
    """
    return torch.cat([reset[1:], torch.zeros_like(reset[:1])]) if reverse else reset


def bare(states: Sequence[Tensor]) -> Tensor | States:
    """As the caller gets them: a cell's only state is no tuple."""
    return states[0] if len(states) == 1 else tuple(states)
