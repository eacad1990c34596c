"""captum: attributions to the input and to a layer around the LSTM."""

from collections.abc import Iterator

import numpy as np
import same
import torch
from captum.attr import DeepLift, GradientShap, IntegratedGradients, LayerGradCam, Occlusion, Saliency  # type: ignore[import-not-found]
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn, self.head = nn.Linear(3, 8), nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(self.embed(x))[0][:, -1])


def attributions(swap: same.Swap) -> Iterator[Tensor]:
    model, x = Net().double().eval(), torch.randn(2, 6, 3, dtype=torch.float64)
    swap(model)
    yield Saliency(model).attribute(x, target=1)
    yield IntegratedGradients(model).attribute(x, target=1, n_steps=20)
    torch.manual_seed(1)
    np.random.seed(1)  # from which it draws
    yield GradientShap(model).attribute(x, torch.zeros_like(x), target=1)
    yield Occlusion(model).attribute(x, (2, 3), target=1)
    yield DeepLift(model).attribute(x, target=1)
    yield LayerGradCam(model, model.embed).attribute(x, target=1)  # type: ignore[misc]


def cases() -> Iterator[same.Row]:
    yield from same.rows(
        "captum", "Saliency, IntegratedGradients, GradientShap, Occlusion, DeepLift, LayerGradCam", attributions
    )


if __name__ == "__main__":
    same.write(cases())
