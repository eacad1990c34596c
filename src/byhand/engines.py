"""Which engine would run, and why not the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.batch import read_batch
from byhand.engine import dispatch
from byhand.nn import LSTM

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn.utils.rnn import PackedSequence


def engines(lstm: LSTM, input: Tensor | PackedSequence) -> list[tuple[str, str]]:
    """Every engine in the order in which they are tried, with "ready" or the reason why it would not run this input. TypeError
    for another module; the errors of LSTM for an input that it refuses.
    """
    if not isinstance(lstm, LSTM):
        raise TypeError(f"engines expected a byhand.LSTM, got a {type(lstm).__name__}")
    batch = read_batch(lstm, input, None)
    state = tuple(value[0] for value in batch.state)
    return dispatch.states(lstm.call(lstm.places[0], batch.input, state, batch.valid))
