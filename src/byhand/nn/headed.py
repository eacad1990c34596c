"""An LSTM under a linear head: how symbols come in, and which outputs the head reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from byhand.nn.lstm import LSTM

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from byhand.nn.lstm import State


def features_of(
    symbols: Int[Tensor, "..."], among: int, embedding: nn.Embedding | None, dtype: torch.dtype
) -> Float[Tensor, "... features"]:
    """Symbols as vectors: learnt ones, or one-hot, of `among` symbols."""
    return F.one_hot(symbols, among).to(dtype) if embedding is None else embedding(symbols)


def run_with_head(
    lstm: LSTM,
    head: nn.Linear,
    features: Float[Tensor, "time batch features"],
    lengths: Int[Tensor, " batch"] | None,
    state: State | None,
    *,
    every: bool,
) -> tuple[Float[Tensor, "... outputs"], State]:
    """What the head makes of every step's output (time, batch, outputs), or else of the last one's of each sequence (batch, outputs);
    and the states after the last step. lengths: of padded sequences.
    """
    packed = features if lengths is None else pack_padded_sequence(features, lengths.cpu(), enforce_sorted=False)
    y, after = lstm(packed, state)
    if every:
        read = pad_packed_sequence(y, total_length=len(features))[0] if isinstance(y, PackedSequence) else y
    else:
        last = output_state(after)
        read = torch.cat((last[-2], last[-1]), -1) if lstm.bidirectional else last[-1]
    return head(read), after


def output_state(state: State) -> Float[Tensor, "layers batch hidden"]:
    """Of every layer and direction: all that a cell with one state has, else the first."""
    return state if isinstance(state, Tensor) else state[0]
