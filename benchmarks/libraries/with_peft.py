"""peft: LoRA on weight_hh_l0, trained, merged, unloaded."""

from collections.abc import Iterator

import same
import torch
from peft import LoraConfig, get_peft_model  # type: ignore[import-not-found]
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


def lora(first: bool) -> same.Training:
    """first: converted before peft wraps it, or after."""

    def run(swap: same.Swap) -> Iterator[Tensor]:
        model, x = Net().double(), torch.randn(4, 6, 3, dtype=torch.float64)
        if first:
            swap(model)
        torch.manual_seed(1)
        model = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules=[], target_parameters=["lstm.weight_hh_l0"]))
        model = model.double()
        if not first:
            swap(model)
        optimiser = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], 0.05)
        for _ in range(10):
            optimiser.zero_grad()
            y = model(x)
            yield y
            (y - x.sum((1, 2)).unsqueeze(1)).square().mean().backward()
            optimiser.step()
        yield from (one for one in model.parameters() if one.requires_grad)
        yield model.eval()(x)
        merged = model.merge_and_unload()
        yield merged(x)
        yield merged.lstm.weight_hh_l0

    return run


def cases() -> Iterator[same.Row]:
    for first in (True, False):
        yield from same.rows(
            "peft", f"LoRA on lstm.weight_hh_l0, wrapped {'after' if first else 'before'} convert, 10 steps", lora(first)
        )


if __name__ == "__main__":
    same.write(cases())
