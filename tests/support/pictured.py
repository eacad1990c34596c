"""The pictures that tests compare with what is kept in tests/pictures; `python tools/gallery.py --renew` keeps them anew.

All numbers come from sines: no random numbers, so that the pictures are the same with any release of torch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from torch import Tensor

import byhand
from byhand import Trace, cells, explain, plots

TEXT = "the cat\nsat on the mat, $5"


def waves(*shape: int, size: float = 1.0) -> Tensor:
    """Numbers from -size to size that repeat nowhere near."""
    count = torch.tensor(shape).prod().item()
    return size * torch.sin(1 + 0.7 * torch.arange(count, dtype=torch.float64) ** 1.3).reshape(shape)


def layer(units: int, cell: byhand.Cell = cells.lstm, *, size: float = 1.5, **options: bool | int) -> byhand.LSTM:
    made = byhand.LSTM(3, units, cell=cell, dtype=torch.float64, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(waves(*parameter.shape, size=size / units**0.5))
    return made


def traced(
    units: int, steps: int, cell: byhand.Cell = cells.lstm, *, lengths: tuple[int, ...] = (), size: float = 1.5, **options: int
) -> Trace:
    """A recorded run; several sequences if there are lengths, of which the first must be the longest. size: of the weights."""
    x = waves(steps, max(1, len(lengths)), 3, size=2.0)
    given = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths)) if lengths else x
    with (
        byhand.use_engine("reference"),
        torch.no_grad(),
        byhand.record(model := layer(units, cell, size=size, **options)) as trace,
    ):
        model(given)
    return trace


def last(output: tuple[Tensor, object]) -> Tensor:
    return output[0][-1].square().sum()


def broken() -> Trace:
    """With values that are no numbers from the eighth step on."""
    model = layer(3)
    with torch.no_grad(), byhand.record(model) as trace, byhand.edit(model, {"l0.c": byhand.at(torch.nan, time=7, unit=1)}):
        model(waves(12, 1, 3))
    return trace


def compared_gradients() -> Figure:
    x = waves(40, 2, 3)
    others = {"rnn": explain.gradient_paths(layer(6, cells.rnn), x, last)}
    return plots.gradient_paths(explain.gradient_paths(layer(6), x, last), others)


FIGURES: dict[str, Callable[[], Figure]] = {
    "gates": lambda: plots.gates(traced(1, 4), characters=["Mon", "Tue", "Wed", "Thu"]),
    "gates_lines": lambda: plots.gates(traced(6, len(TEXT)), units=[0, 2, 5], characters=TEXT),
    "gates_map": lambda: plots.gates(traced(20, 30, lengths=(30, 22)), item=1),
    "gates_text": lambda: plots.gates(traced(6, 95), characters=(5 * TEXT)[:95]),
    "gates_words": lambda: plots.gates(traced(6, 36), characters=(9 * TEXT).split()[:36]),
    "gates_gru": lambda: plots.gates(traced(2, 12, cells.gru, bidirectional=True), "l0.reverse"),
    "memories": lambda: plots.memories(traced(30, 200), steps=(50, 150)),
    "memories_map": lambda: plots.memories(traced(12, 30, lengths=(30, 22)), item=1),
    "memories_broken": lambda: plots.memories(broken()),
    "unit": lambda: plots.unit(traced(5, 16), 3),
    "text": lambda: plots.text(traced(6, 95), [2, 5], characters=(5 * TEXT)[:95], wrap=40),
    "text_gate": lambda: plots.text(
        traced(6, 36, lengths=(36, 30)), 1, site="f", batch=1, characters=(9 * TEXT).split()[:36], wrap=40
    ),
    "time_lapse": lambda: plots.time_lapse([(epoch, traced(7, 9, size=1.0 + epoch)) for epoch in range(3)]),
    "ledger": lambda: plots.ledger(explain.ledger(traced(1, 4))),
    "ledger_long": lambda: plots.ledger(explain.ledger(traced(2, 50, lengths=(50, 40)), unit=1), item=1),
    "ledger_text": lambda: plots.ledger(explain.ledger(traced(1, 46)), characters=(2 * TEXT)[:46]),
    "half_life": lambda: plots.half_life(explain.half_life(traced(9, 30))),
    "half_life_many": lambda: plots.half_life(explain.half_life(traced(40, 30))),
    "saturation": lambda: plots.saturation(explain.saturation(traced(15, 30, num_layers=2))),
    "gradient_paths": compared_gradients,
    "connectivity": lambda: plots.connectivity(explain.connectivity(layer(4), waves(20, 1, 3), at=15)),
    "ablation": lambda: plots.ablation(explain.ablation(layer(3), waves(9, 2, 3), last, units=[0, 2])),
}
