"""What a layer stack is given, in the one form that engines read; and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from byhand import checks
from byhand.layout import state_width

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from byhand.nn import LSTM

    States = tuple[Tensor, ...]


class Batch(NamedTuple):
    """input: padded, in the caller's order of sequences. state: in the order of cell.state. valid: None if all are of full length.
    packed: what the input was, if it was packed.
    """

    input: Float[Tensor, "time batch input"]
    state: tuple[Float[Tensor, "places batch hidden"], ...]
    valid: Bool[Tensor, "time batch"] | None
    packed: PackedSequence | None
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
            given = pack_like(self.packed, output, self.valid)
        elif self.batch_first:
            given = output.transpose(0, 1)
        return given, last[0] if len(last) == 1 else last


def read_batch(lstm: LSTM, input: Tensor | PackedSequence, hx: Tensor | States | None) -> Batch:
    """Checks everything. TypeError, ValueError or RuntimeError."""
    checks.check_input(type(lstm).__name__, input, lstm.input_size, first_weight(lstm))
    if isinstance(input, PackedSequence):
        x, lengths = pad_packed_sequence(input)
        valid = None if bool(lengths.min() == len(x)) else (torch.arange(len(x)).unsqueeze(1) < lengths).to(x.device)
        return Batch(x, start(lstm, x, hx), valid, input, batched=True, batch_first=False)
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


def pack_like(
    packed: PackedSequence, output: Float[Tensor, "time batch features"], valid: Bool[Tensor, "time batch"] | None
) -> PackedSequence:
    """The steps of the padded output that there are, in the order of the packed input."""
    order = packed.sorted_indices
    if order is not None:
        output = output.index_select(1, order)
        valid = valid if valid is None else valid.index_select(1, order)
    data = output.flatten(0, 1) if valid is None else output[valid]
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
