"""Text from a trained model, one symbol after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from byhand.nn.lstm import LSTM


class Predictor(Protocol):
    """What byhand.train.SequenceModel has, and byhand.zoo.ZooModel."""

    lstm: LSTM
    head: nn.Linear

    def features(self, input: Tensor) -> Tensor: ...


def sample(
    model: Predictor, start: Int[Tensor, " time"], count: int, *, temperature: float, seed: int, never: int | None = None
) -> Iterator[int]:
    """`count` symbols that go on from `start`, each drawn from what the model says behind all before.

    temperature: what the model's scores are divided by: 1 as it says, lower: likelier symbols only, 0: always the likeliest.
    seed: of the draws. never: a symbol that is not drawn, if there is one. ValueError if the model gives NaN, or is bidirectional.
    """
    source = torch.Generator().manual_seed(seed)
    device, stepper = model.head.weight.device, model.lstm.stepper(batch=1)

    def scores_behind(symbols: Int[Tensor, " time"]) -> Float[Tensor, " symbols"]:
        with torch.no_grad():
            y = stepper(model.features(symbols.to(device).unsqueeze(1)))
            found = model.head(y[-1])[0].double().cpu()
        if never is not None:
            found[never] = -torch.inf
        if found.isnan().any():
            raise ValueError("text: the model gives NaN; it has not been trained well: try a lower learning_rate")
        return found

    for _ in range(count):
        start = torch.tensor([draw(scores_behind(start), temperature, source)])
        yield int(start)


def draw(scores: Float[Tensor, " symbols"], temperature: float, source: torch.Generator) -> int:
    if temperature == 0:
        return int(scores.argmax())
    chances = torch.softmax((scores - scores.max()) / temperature, 0)
    return int(torch.multinomial(chances, 1, generator=source))
