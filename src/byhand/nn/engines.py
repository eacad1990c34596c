"""Which engine would run, and why not the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from byhand.engine import dispatch
from byhand.nn.lstm import LSTM

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn.utils.rnn import PackedSequence


def engines(lstm: LSTM, input: Tensor | PackedSequence) -> list[tuple[str, str]]:
    """List every engine, in the order in which they are tried, with whether it would run this input.

    Args:
        lstm: the layer.
        input: an input as the layer takes it.

    Returns:
        Pairs of an engine's name and "ready", or the reason why it would not run. In low precision and under autocast "ready"
        is followed by the number types: "ready: computed in float32, output in bfloat16".

    Raises:
        TypeError: `lstm` is no byhand.LSTM; or as LSTM.forward raises it.
        ValueError: as LSTM.forward, for an input that it refuses.
        RuntimeError: as LSTM.forward, for an input that it refuses.
    """
    if not isinstance(lstm, LSTM):
        raise TypeError(f"engines expected a byhand.LSTM, got a {type(lstm).__name__}")
    batch = lstm.reader.read(input, None)
    state = tuple(value[0] for value in batch.state)
    return dispatch.states(lstm.call(lstm.sublayers[0], batch.input, state, batch.valid))
