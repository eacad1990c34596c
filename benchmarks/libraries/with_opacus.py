"""Opacus: refused when it takes the model; per-sample gradients by torch.func against its own DPLSTM; and the way back to torch."""

from collections.abc import Iterator
from typing import Any

import same
import torch
from opacus import PrivacyEngine  # type: ignore[import-not-found]
from opacus.validators import ModuleValidator  # type: ignore[import-not-found]
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.utils.data import DataLoader, TensorDataset

import byhand

torch.set_default_dtype(torch.float64)  # in which its DPLSTM makes its states


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(3, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


def data() -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(32, 6, 3, generator=generator)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (32,), generator=generator)), batch_size=8)


def private(model: nn.Module, mode: str) -> tuple[nn.Module, Any, DataLoader[Any]]:
    """Without noise, so that trainings can be compared; gradients are clipped sample by sample."""
    return PrivacyEngine().make_private(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), 0.5),
        data_loader=data(),
        noise_multiplier=0.0,
        max_grad_norm=0.1,
        poisson_sampling=False,
        grad_sample_mode=mode,
    )


def their_way(model: nn.Module) -> Iterator[Tensor]:
    model, optimiser, loader = private(model, "hooks")
    for x, y in loader:
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    named = dict(model.named_parameters())
    yield from (named[name] for name in sorted(named))


def with_torch_func(model: nn.Module) -> Iterator[Tensor]:
    """As docs/libraries.md has it."""
    _, optimiser, loader = private(model, "no_op")
    parameters = dict(model.named_parameters())

    def loss(values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(model, values, (x[None],)), y[None])

    for x, y in loader:
        values = {name: one.detach() for name, one in parameters.items()}
        for name, gradient in vmap(grad(loss), (None, 0, 0))(values, x, y).items():
            parameters[name].grad_sample = gradient.clone()  # type: ignore[attr-defined]
        optimiser.step()
        optimiser.zero_grad()
    yield from (parameters[name] for name in sorted(parameters))


def hooks(swap: same.Swap) -> Iterator[Tensor]:
    """With torch's layer, which Opacus refuses too, its DPLSTM."""
    model = Net()
    return their_way(model if swap(model) else ModuleValidator.fix(model))


def no_op(swap: same.Swap) -> Iterator[Tensor]:
    model = Net()
    return with_torch_func(model) if swap(model) else their_way(ModuleValidator.fix(model))


def back(swap: same.Swap) -> Iterator[Tensor]:
    model = Net()
    swap(model)
    byhand.convert(model, back=True)
    return their_way(ModuleValidator.fix(model))


def cases() -> Iterator[same.Row]:
    refusal = dict.fromkeys(same.WAYS, "Opacus cannot take byhand.")
    yield from same.rows("opacus", "make_private, as for DPLSTM", hooks, refusal=refusal)
    yield from same.rows("opacus", "grad_sample_mode='no_op' with torch.func, an epoch, against DPLSTM", no_op)
    yield from same.rows("opacus", "convert(back=True), then ModuleValidator.fix, an epoch", back)


if __name__ == "__main__":
    same.write(cases())
