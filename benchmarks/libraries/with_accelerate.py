"""accelerate: bfloat16 by autocast, and float32."""

from collections.abc import Iterator

import same
import torch
from accelerate import Accelerator  # type: ignore[import-not-found]
from accelerate.state import AcceleratorState  # type: ignore[import-not-found]
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(3, 16, 2, batch_first=True), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


def train(precision: str) -> same.Training:
    def run(swap: same.Swap) -> Iterator[Tensor]:
        AcceleratorState._reset_state(reset_partial_state=True)
        accelerator, model = Accelerator(mixed_precision=precision, cpu=True), Net()
        swap(model)
        x = torch.randn(64, 12, 3)
        loader = DataLoader(TensorDataset(x, x.sum((1, 2))), batch_size=8)
        model, optimiser, loader = accelerator.prepare(model, torch.optim.SGD(model.parameters(), 0.05), loader)
        for _ in range(3):
            for given, wanted in loader:
                optimiser.zero_grad()
                loss = (model(given).squeeze(-1) - wanted).square().mean()
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimiser.step()
        yield from model.parameters()

    return run


def cases() -> Iterator[same.Row]:
    yield from same.rows("accelerate", "mixed_precision='no', 24 steps, clipped", train("no"))
    # bfloat16 has 8 bits: a step on either side of what both round.
    yield from same.rows("accelerate", "mixed_precision='bf16', 24 steps, clipped", train("bf16"), limit=5e-3)


if __name__ == "__main__":
    same.write(cases())
