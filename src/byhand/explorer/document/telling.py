"""Which sequence the page begins with: the most telling one."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence, pad_sequence

from byhand.engine.observe import unwatched
from byhand.nn.modes import evaluating

if TYPE_CHECKING:
    from byhand.explorer.document.recording import Recording
    from byhand.explorer.document.sequences import Item
    from byhand.nn import LSTM

END = 10  # what is read at last: a tenth of the steps


def most_telling(recording: Recording, items: Sequence[Item]) -> int:
    """The place, among these sequences, of the one whose last output hangs most on its early steps: on all before the last tenth.

    The layers run once on each whole sequence and once on its last tenth alone, from the same first states; the two last outputs are
    farthest apart, as vectors, in the sequence that is told here. Of equals it is the first, and NaN counts as the least. Where there
    is no one call that could be run again (a trace, several recurrent layers or calls) it is the first sequence of all.
    """
    lstm = recording.lstm
    if len(items) < 2 or lstm is None or recording.why_not is not None:
        return 0
    rows = [item.row for item in items]
    input = recording.trace.input(recording.places[0])
    states = first_states(recording, lstm, rows)
    ends = [ceil(item.steps / END) for item in items]
    whole = [input[: item.steps, item.row] for item in items]
    parts = [value[len(value) - steps :] for value, steps in zip(whole, ends, strict=True)]
    with torch.no_grad(), unwatched(), evaluating(lstm):
        apart = (last_outputs(lstm, whole, states) - last_outputs(lstm, parts, states)).double().norm(dim=-1)
    distances = apart.nan_to_num(-1.0).tolist()
    return max(range(len(items)), key=distances.__getitem__)


def first_states(recording: Recording, lstm: LSTM, rows: Sequence[int]) -> Tensor | tuple[Tensor, ...]:
    """As the layer takes them, of the sequences in these rows of the batch."""
    runs = [recording.trace.run(place) for place in recording.places]
    found = [torch.stack([run.initial[state][rows] for run in runs]) for state in lstm.cell.state]
    return tuple(found) if len(found) > 1 else found[0]


def last_outputs(lstm: LSTM, sequences: Sequence[Tensor], states: Tensor | tuple[Tensor, ...]) -> Tensor:
    """(sequences, width). The layer's own forward: hooks that the user has put on it are not called again."""
    lengths = torch.tensor([len(one) for one in sequences])
    output, _ = lstm.forward(pack_padded_sequence(pad_sequence(list(sequences)), lengths, enforce_sorted=False), states)
    assert isinstance(output, PackedSequence)
    return pad_packed_sequence(output)[0][lengths - 1, torch.arange(len(lengths))]
