"""A script: byhand's layers in processes that were forked after the parent had used them, with threads. Prints a line for each way
that gave the right answers.
"""

import multiprocessing
import os
import sys
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from byhand import LSTM, use_engine

warnings.simplefilter("ignore")  # Python's own, of forks in a process with threads, which is what this is about
torch.set_num_threads(2)
torch.manual_seed(1)
LAYER, X = LSTM(6, 65), torch.randn(9, 7, 6)


def answers(layer: LSTM = LAYER) -> list[Tensor]:
    with use_engine("cpp"):
        output, (h, c) = layer(X)
        return [output.detach(), *torch.autograd.grad(output.sum() + (h * c).sum(), list(layer.parameters()))]


WANTED = answers()


def right(found: list[Tensor] | None = None) -> bool:
    return all(torch.equal(one, other) for one, other in zip(found or answers(), WANTED, strict=True))


def by_fork() -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.get_num_threads() == 2 and right() and right() else 1)
    return os.waitpid(child, 0)[1] == 0


def in_child(_: Any) -> bool:
    return right()


def by_pool() -> bool:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return all(pool.map(in_child, range(6)))


def by_grandchild() -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if right() and by_fork() else 1)
    return os.waitpid(child, 0)[1] == 0


def prepared() -> list[Tensor]:
    """Without an engine's name: by calls that were prepared in the parent, in the graph, without, and step by step."""
    output, (h, c) = LAYER(X)
    made = [output.detach(), *torch.autograd.grad(output.sum() + (h * c).sum(), list(LAYER.parameters()))]
    with torch.no_grad():
        return [*made, LAYER(X)[0], STEPPER(X[0]) * 0]


STEPPER = LAYER.stepper(7)


def by_prepared() -> bool:
    wanted = prepared()
    child = os.fork()
    if child == 0:
        os._exit(0 if all(map(torch.equal, prepared(), wanted)) and right() else 1)
    return os.waitpid(child, 0)[1] == 0


class Made(Dataset[Tensor]):
    """Data that a layer makes."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Tensor:
        with torch.no_grad():
            output = LAYER(X)[0]
        return output if right() else torch.zeros_like(output)


def by_loader() -> bool:
    loader = DataLoader(Made(), batch_size=2, num_workers=2, multiprocessing_context="fork")
    return all(torch.allclose(batch, WANTED[0].expand_as(batch)) for batch in loader)


for way in (by_fork, by_pool, by_grandchild, by_loader, by_prepared):
    for _ in range(2):
        if not way() or not right():
            sys.exit(f"{way.__name__} went wrong")
    print(way.__name__)
