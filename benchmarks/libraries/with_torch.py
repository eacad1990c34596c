"""torch's own: pruning and parametrisations before and after convert, dynamic quantisation."""

from collections.abc import Callable, Iterator

import same
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

import byhand

NAME = "weight_hh_l0"
CHANGES: dict[str, Callable[[nn.Module], object]] = {
    "prune.l1_unstructured": lambda layer: prune.l1_unstructured(layer, NAME, 0.5),
    "weight_norm": lambda layer: weight_norm(layer, NAME),
    "spectral_norm": lambda layer: spectral_norm(layer, NAME),
    "parametrizations.weight_norm": lambda layer: parametrizations.weight_norm(layer, NAME),
    "parametrizations.orthogonal": lambda layer: parametrizations.orthogonal(layer, NAME),
    "parametrizations.spectral_norm": lambda layer: parametrizations.spectral_norm(layer, NAME),
}


def train(change: Callable[[nn.Module], object], *, first: bool) -> same.Training:
    """first: changed before it is converted, or after."""

    def run(swap: same.Swap) -> Iterator[Tensor]:
        model = nn.ModuleDict({"rnn": nn.LSTM(3, 8, dtype=torch.float64)})
        if first:
            change(model["rnn"])
        swap(model)
        if not first:
            change(model["rnn"])
        optimiser, x = torch.optim.Adam(model.parameters(), 0.01), torch.randn(12, 4, 3, dtype=torch.float64)
        for _ in range(10):
            optimiser.zero_grad()
            # Without it each read of the weight moves spectral_norm's vectors once more, and torch's layer reads four times a call.
            with parametrize.cached():
                y, _ = model["rnn"](x)
            (y - x.sum(-1, keepdim=True)).square().mean().backward()
            optimiser.step()
        with torch.no_grad(), parametrize.cached():
            yield model.eval()["rnn"](x)[0]
        yield from model.state_dict().values()

    return run


def quantised(swap: same.Swap) -> Iterator[Tensor]:
    model = nn.Sequential(nn.LSTM(3, 8))
    swap(model)
    byhand.convert(model, back=True)
    dynamic = torch.ao.quantization.quantize_dynamic(model.eval(), {nn.LSTM})
    assert type(dynamic[0]) is not nn.LSTM
    yield dynamic[0](torch.randn(5, 2, 3))[0]


def cases() -> Iterator[same.Row]:
    for name, change in CHANGES.items():
        for first in (True, False):
            yield from same.rows(
                "torch", f"{name} {'before' if first else 'after'} convert, 10 steps", train(change, first=first)
            )
    yield from same.rows("torch", "quantize_dynamic after convert(back=True)", quantised)


if __name__ == "__main__":
    same.write(cases())
