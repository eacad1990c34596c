"""What people do with layers on a GPU, beside the same on the CPU in float64: stacks, packed sequences, records, edits, the stepper."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

import byhand
from byhand import cells
from tools.gpu.machine import DEVICE
from tools.gpu.pairs import BATCH, HIDDEN, TIME, Use, both, off, pair


def stacked() -> float:
    ours, theirs, x = pair(num_layers=2, bidirectional=True)
    return both((ours, theirs), x)


def packed() -> float:
    ours, theirs, x = pair(bidirectional=True)
    lengths = [max(1, TIME - (3 * row) % TIME) for row in range(BATCH)]
    return both((ours, theirs), pack_sequence([x[:one, row] for row, one in enumerate(lengths)], enforce_sorted=False))


def projected() -> float:
    ours, theirs, x = pair(cells.lstm, num_layers=2, batch_first=True, proj_size=HIDDEN // 2, dropout=0.5)
    return both((ours, theirs), x)


def recorded() -> float:
    ours, theirs, x = pair()

    def seen(layer: byhand.LSTM, x: Tensor, name: str) -> list[Tensor]:
        changes = {"l0.f": byhand.at(0.5, time=1), "l0.c": byhand.at(0.1, unit=2)}
        with byhand.use_engine(name), torch.no_grad():
            with byhand.record(layer) as trace:
                layer(x)
            with byhand.edit(layer, changes):
                return [trace["l0.c"], trace["l0.f"], trace["l0.h"], layer(x)[0]]

    return off(seen(ours, x.to(DEVICE), "triton"), seen(theirs, x, "reference"))


def twice() -> float:
    ours, theirs, x = pair()

    def second(layer: byhand.LSTM, x: Tensor, name: str) -> Tensor:
        x = x.detach().requires_grad_()
        with byhand.use_engine(name):
            (grad,) = torch.autograd.grad(layer(x)[0].sin().sum(), x, create_graph=True)
            return torch.autograd.grad(grad.pow(2).sum(), layer.weight_hh_l0)[0]  # type: ignore[arg-type]

    return off(second(ours, x.to(DEVICE), "triton"), second(theirs, x, "reference"))


def stepping() -> float:
    ours, theirs, x = pair(num_layers=2)
    stepper = ours.stepper(batch=BATCH)
    with torch.no_grad():
        return off(torch.stack([stepper(step) for step in x.to(DEVICE)]), theirs(x)[0])


USES: dict[str, Use] = {
    "two layers, both directions": stacked,
    "packed sequences, not sorted": packed,
    "batch first, projected, dropout between layers in eval mode": projected,
    "recorded, and edited by values": recorded,
    "differentiated twice": twice,
    "the stepper": stepping,
}
