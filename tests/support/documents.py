"""Documents of many kinds, for the tests of the explorer."""

from typing import Any

import torch
from torch import nn

import byhand
from byhand import LSTM, cells
from byhand.explorer import Snapshots
from byhand.explorer.document.document import document

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>\u2028\u2029<!--<script>"


def companies(**options: Any) -> dict[str, Any]:
    """The published unit, with a time-lapse from random weights to it."""
    lstm = LSTM(1, 1)
    start = {name: value.clone() for name, value in lstm.state_dict().items()}
    end = {
        "weight_ih_l0": torch.tensor([[1.65], [1.63], [0.94], [-0.19]]),
        "weight_hh_l0": torch.tensor([[2.00], [2.70], [1.41], [4.38]]),
        "bias_ih_l0": torch.tensor([0.62, 1.62, -0.32, 0.59]),
        "bias_hh_l0": torch.zeros(4),
    }
    snapshots = Snapshots()
    for epoch in range(0, 101, 10):
        share = epoch / 100
        lstm.load_state_dict({name: (1 - share) * start[name] + share * end[name] for name in end})
        snapshots.take(epoch, lstm, 0.5 * (1 - share) ** 2)
    x = torch.tensor([[0.0, 0.5, 0.25, 1.0], [1.0, 0.5, 0.25, 1.0]]).T.unsqueeze(-1)
    given = {"features": ["price"], "items": ["company A", "company B"], "training": snapshots, "title": "Two companies"}
    return document(lstm, x, **(given | options))


def text(**options: Any) -> dict[str, Any]:
    """Two layers that read letters, with a head."""
    words = "the cat sat on the mat and looked at the moon"
    letters = sorted(set(words))
    model, head = LSTM(len(letters), 12, 2), nn.Linear(12, len(letters))
    x = nn.functional.one_hot(torch.tensor([letters.index(letter) for letter in words]), len(letters)).float()
    given = {"characters": words, "features": letters, "head": head, "names": letters, "squash": "softmax", "title": "Letters"}
    return document(model, x, **(given | options))


def both_ways(**options: Any) -> dict[str, Any]:
    """Two layers, both directions, a projection, sequences of several lengths."""
    model = LSTM(3, 6, 2, bidirectional=True, proj_size=2)
    return document(model, torch.randn(9, 3, 3), **({"lengths": [9, 4, 1]} | options))


def of(cell: cells.Cell) -> dict[str, Any]:
    """A small layer of any cell, two sequences of three inputs."""
    return document(LSTM(3, 4, cell=cell), torch.randn(9, 2, 3))


def not_computed(**options: Any) -> dict[str, Any]:
    """A cell whose units depend on one another."""
    return document(LSTM(2, 5, cell=cells.layernorm_lstm), torch.randn(12, 2, 2), **options)


def of_a_trace() -> dict[str, Any]:
    lstm = LSTM(2, 4, cell=cells.gru)
    with byhand.record(lstm) as trace:
        lstm(torch.randn(7, 1, 2))
    return document(trace)


def smallest() -> dict[str, Any]:
    """One step, one unit, one sequence."""
    return document(LSTM(1, 1), torch.ones(1, 1, 1))


def hostile() -> dict[str, Any]:
    """Markup wherever words can stand, long labels, and values that are no numbers."""
    long = "a very long name " * 30
    x = torch.randn(6, 2, 2)
    x[2, 0, 0], x[4, 1, 1] = torch.nan, torch.inf
    model = LSTM(2, 3)
    given = {"characters": [[HOSTILE] * 6, [*"abcde", long]], "features": [HOSTILE, long], "items": [HOSTILE, long]}
    return document(model, x, head=nn.Linear(3, 2), names=[HOSTILE, long], title=HOSTILE, name="lstm", **given)


def large() -> dict[str, Any]:
    """4 layers of 512 units that depend on one another, over 1,000 steps."""
    return document(LSTM(64, 512, 4, cell=cells.layernorm_lstm), torch.randn(1000, 1, 64), title="Large")
