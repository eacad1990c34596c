"""Sequences without a step beside others, as files of other frameworks have them: they keep their first states, on an engine that can."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import byhand
from byhand import LSTM, cells
from byhand.nn.inputs import Batch, bare
from byhand.nn.reverse import ReverseLSTM

LENGTHS = torch.tensor([0, 5, 3, 0])


def layers() -> list[LSTM]:
    torch.manual_seed(0)
    both = [LSTM(3, 5, bidirectional=True, cell=cell) for cell in (cells.lstm, cells.gru, cells.rnn, cells.peephole)]
    return [*both, LSTM(3, 5, 2), ReverseLSTM(3, 5, cell=cells.gru)]


def run(layer: LSTM, x: torch.Tensor, states: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    valid = torch.arange(len(x)).unsqueeze(1) < LENGTHS
    output: Any
    output, last = layer._run_batch(layer._layer_config(), Batch(x, states, valid, None, batched=True, batch_first=False))
    return [output, *(last if isinstance(last, tuple) else (last,))]


@pytest.mark.parametrize("number", range(6))
def test_first_states_stay_and_the_other_sequences_are_what_they_are_alone(number: int) -> None:
    layer = layers()[number]
    x = torch.randn(7, 4, 3)
    states = tuple(torch.randn(shape) for shape in layer._layer_config().state_shapes(4))
    with byhand.use_engine("reference"):
        wanted = run(layer, x, states)
    with torch.no_grad():
        found = run(layer, x, states)
        with byhand.record(layer) as trace:
            again = run(layer, x, states)
        given = tuple(one[:, 1:3].contiguous() for one in states)
        packed = pack_padded_sequence(x[:, 1:3], LENGTHS[1:3])
        alone = layer(packed, bare(given))
    for one, other, third in zip(found, wanted, again, strict=True):
        assert torch.equal(one, other) and torch.equal(one, third)
    torch.testing.assert_close(found[0][:5, 1:3], pad_packed_sequence(alone[0])[0])
    assert not found[0][:, LENGTHS == 0].any()
    for value, first in zip(found[1:], states, strict=True):
        assert torch.equal(value[:, LENGTHS == 0], first[:, LENGTHS == 0])
    assert not trace.valid(trace.places[0])[:, 0].any()


def test_gradients_of_first_states_pass() -> None:
    layer = LSTM(3, 5, cell=cells.gru)
    x = torch.randn(7, 4, 3)
    first = torch.randn(1, 4, 5, requires_grad=True)
    run(layer, x, (first,))[1].sum().backward()
    assert first.grad is not None and torch.equal(first.grad[:, LENGTHS == 0], torch.ones(1, 2, 5))
    with byhand.use_engine("cpp"), pytest.raises(RuntimeError, match="a sequence has no step"):
        run(layer, x, (first,))
    with byhand.use_engine("aten"), pytest.raises(RuntimeError, match="a sequence has no step"):
        run(layer, x, (first,))
