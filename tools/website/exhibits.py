"""What the gallery shows live: models, and their input. Each is made when its page is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

import byhand
from byhand.explorer import Snapshots
from byhand.tasks.companies import PRICES
from byhand.tasks.embedded_reber import EmbeddedReber, strings
from tools.companies_document import unit
from tools.website.live import Live

SYMBOLS = 7
EPOCHS, STEPS = 15, 40


def companies() -> Live:
    """The published unit on its two companies."""
    prices = torch.tensor(PRICES, dtype=torch.float64).T.unsqueeze(-1)
    named = {"features": ["price"], "items": ["company A", "company B"], "title": "Two companies"}
    return Live(unit(), prices, named)


def grammar() -> Live:
    """Twelve units that learn the embedded Reber grammar, with their training."""
    torch.manual_seed(1)
    task = EmbeddedReber(batch_size=64)
    lstm, head = byhand.LSTM(SYMBOLS, 12), nn.Linear(12, SYMBOLS)
    optimiser = torch.optim.Adam([*lstm.parameters(), *head.parameters()], lr=0.01)
    snapshots = Snapshots(EPOCHS + 1)

    def loss(batch: byhand.tasks.Sequences) -> torch.Tensor:
        scores = head(lstm(one_hot(batch.input))[0])
        return nn.functional.cross_entropy(scores.flatten(0, 1), batch.target.flatten(), ignore_index=-100)

    held_out = task.batch("val", 0, 0, 64)
    with byhand.use_engine("aten"):  # no compiler is waited for
        for epoch in range(EPOCHS + 1):
            with torch.no_grad():
                snapshots.take(epoch, lstm, loss(held_out).item())
            for step in range(STEPS if epoch < EPOCHS else 0):
                optimiser.zero_grad()
                loss(task.batch("train", epoch, step, 64)).backward()
                optimiser.step()
    texts = list(strings(held_out))[:4]
    steps = min(len(text) for text in texts) - 1
    named = {
        "characters": [text[:steps] for text in texts],
        "features": list("BTPSXVE"),
        "names": list("BTPSXVE"),
        "head": head,
        "squash": "softmax",
        "training": snapshots,
        "title": "A grammar with a long memory",
    }
    return Live(lstm.eval(), one_hot(held_out.input[:steps, :4]), named)


def one_hot(symbols: torch.Tensor) -> torch.Tensor:
    return nn.functional.one_hot(symbols, SYMBOLS).float()


def counter() -> Live:
    """A unit that was made to count, not trained: what an LSTM can hold that a plain network cannot."""
    lstm = byhand.LSTM(2, 1, dtype=torch.float64)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.zero_()
        lstm.get_parameter("bias_ih_l0").copy_(torch.tensor([12.0, 12.0, 0.0, 12.0]))  # i f g o: all gates open
        lstm.gates()["g"].weight_x.copy_(torch.tensor([[0.1, -0.1]]))
    text = "aaaaaabbbbbb"
    x = torch.tensor([[float(letter == "a"), float(letter == "b")] for letter in text], dtype=torch.float64).unsqueeze(1)
    named = {"characters": text, "features": ["a", "b"], "title": "A counter in four numbers"}
    return Live(lstm, x, named)


def deep() -> Live:
    """Two layers in both directions."""
    torch.manual_seed(4)
    lstm = byhand.LSTM(3, 8, num_layers=2, bidirectional=True).eval()
    t = torch.arange(24.0).view(24, 1, 1)
    x = torch.cat([torch.sin(t / 2), torch.cos(t / 3), (t % 6 == 0).float()], dim=-1)
    named = {"features": ["sine", "cosine", "pulse"], "title": "Two layers, both directions"}
    return Live(lstm, x, named)


class Exhibit(NamedTuple):
    """heading, caption: its words. make: the model and its input. views: of the explorer, those that the gallery shows."""

    heading: str
    caption: str
    make: Callable[[], Live]
    views: tuple[str, ...]


EXHIBITS = {
    "companies": Exhibit(
        "The companies",
        "One unit with twelve published numbers reads the prices of two companies over four days",
        companies,
        ("unit", "tour", "ledger"),
    ),
    "grammar": Exhibit(
        "A grammar",
        "Twelve units have learnt the embedded Reber grammar: to know the last letter but one, they remember the second",
        grammar,
        ("layer", "training"),
    ),
    "counter": Exhibit(
        "A counter",
        "One unit, set by hand, counts: up with every a, down with every b, and is back at zero when they are as many",
        counter,
        ("unit",),
    ),
    "deep": Exhibit("Layers", "Two layers of eight units with drawn weights, each read from both ends", deep, ("layer",)),
}
