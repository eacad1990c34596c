"""What a layer stack is given, in the one form that engines read; and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from byhand import checks
from byhand.layout import state_width

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from byhand.nn import LSTM

    States = tuple[Tensor, ...]


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
            given = packed._replace(data=output.flatten(0, 1).index_select(0, rows))
        elif self.batch_first:
            given = output.transpose(0, 1)
        return given, last[0] if len(last) == 1 else last


def read_batch(lstm: LSTM, input: Tensor | PackedSequence, hx: Tensor | States | None) -> Batch:
    """Checks everything. TypeError, ValueError or RuntimeError."""
    checks.check_input(type(lstm).__name__, input, lstm.input_size, first_weight(lstm))
    if isinstance(input, PackedSequence):
        rows, time, batch = rows_of(input), len(input.batch_sizes), int(input.batch_sizes[0])
        x = input.data.new_zeros(time * batch, input.data.shape[-1]).index_copy_(0, rows, input.data).view(time, batch, -1)
        full = len(rows) == time * batch
        valid = None if full else rows.new_zeros(time * batch, dtype=torch.bool).index_fill_(0, rows, True).view(time, batch)
        return Batch(x, start(lstm, x, hx), valid, (input, rows), batched=True, batch_first=False)
    batched = input.dim() == 3
    x = input if batched else input.unsqueeze(1)
    x = x.transpose(0, 1) if batched and lstm.batch_first else x
    checks.check_length(x, input, batch_first=lstm.batch_first and batched)
    return Batch(x, start(lstm, x, hx, batched=batched), None, None, batched, lstm.batch_first)


def first_weight(lstm: LSTM) -> Tensor:
    return lstm.owner(lstm.places[0]).get("weight_ih")


def start(lstm: LSTM, x: Float[Tensor, "time batch input"], hx: Tensor | States | None, *, batched: bool = True) -> States:
    return first_states(lstm, x) if hx is None else given_states(lstm, x, hx, batched=batched)


def first_states(lstm: LSTM, x: Float[Tensor, "time batch input"]) -> States:
    """Zeros, or what the layer has learnt to start from."""
    places, batch = len(lstm.places), x.shape[1]
    if lstm.learn_initial_state:
        return tuple(getattr(lstm, f"initial_{name}").unsqueeze(1).expand(-1, batch, -1) for name in lstm.cell.state)
    sizes = lstm.sizes(lstm.places[0])
    return tuple(x.new_zeros(places, batch, state_width(lstm.cell, name, sizes)) for name in lstm.cell.state)


def given_states(lstm: LSTM, x: Float[Tensor, "time batch input"], hx: Tensor | States, *, batched: bool) -> States:
    names, sizes = lstm.cell.state, lstm.sizes(lstm.places[0])
    states = checks.check_hx(hx, names, dim=3 if batched else 2)
    if not batched:
        states = tuple(value.unsqueeze(1) for value in states)
    for index, (name, value) in enumerate(zip(names, states, strict=True)):
        shape = (len(lstm.places), x.shape[1], state_width(lstm.cell, name, sizes))
        checks.check_state(index, value, shape, first_weight(lstm), single=len(names) == 1)
    return states


def rows_of(packed: PackedSequence) -> Int[Tensor, " rows"]:
    """Where each row of the packed data is among the rows of the padded one (time * batch), sequences in the caller's order."""
    sizes, batch = packed.batch_sizes, packed.batch_sizes[0]
    step, sequence = (torch.arange(int(batch)) < sizes.unsqueeze(1)).nonzero(as_tuple=True)
    if packed.sorted_indices is None:
        return (step * batch + sequence).to(packed.data.device)
    device = packed.sorted_indices.device
    return (step * batch).to(device) + packed.sorted_indices[sequence.to(device)]
