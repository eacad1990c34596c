"""What cuDNN does: nn.LSTM on a GPU in four precisions, against itself in float32."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from byhand.benchmarks.cases import Case
from byhand.benchmarks.contenders import Contender, Work, contender, given

# name -> type of the numbers, and how products of float32 are computed
PRECISIONS = {
    "float32": (torch.float32, "ieee"),
    "tf32": (torch.float32, "tf32"),
    "bfloat16": (torch.bfloat16, "ieee"),
    "float16": (torch.float16, "ieee"),
}


def cudnn(case: Case, asked: str | None = None, device: str = "cuda") -> Work:
    """None of byhand's engines is measured here."""
    assert asked is None
    return Work([on_device(case, name, device) for name in PRECISIONS])


def on_device(case: Case, precision: str, device: str) -> Contender:
    """Without a truth: nn.LSTM is what the others are held against."""
    torch.manual_seed(0)
    dtype, products = PRECISIONS[precision]
    lstm = nn.LSTM(case.shape.input, case.shape.hidden, **case.options).to(device, dtype)
    return contender(
        precision, lstm, given(case, dtype=dtype, device=device), precision=precision, around=partial(computed_in, products)
    )


@contextmanager
def computed_in(products: str) -> Iterator[None]:
    """Products of float32 are computed as it says, in cuDNN's recurrent layers and in torch.mm. Torch has switches of two generations
    for it, and raises where it reads one that contradicts another, as torch.compile does: so all of them are set.
    """
    older = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    before = [switch.fp32_precision for switch in switches()]
    try:
        set_products(products == "tf32", "high" if products == "tf32" else "highest", [products] * len(switches()))
        yield
    finally:
        set_products(*older, before)


def set_products(allowed: bool, matmul: str, values: Sequence[str]) -> None:
    """allowed, matmul: the older switches, which change the newer ones too. values: of the newer ones."""
    torch.backends.cudnn.allow_tf32 = allowed
    torch.set_float32_matmul_precision(matmul)
    for switch, value in zip(switches(), values, strict=True):
        switch.fp32_precision = value


def switches() -> tuple[Any, ...]:
    return torch.backends.cudnn.rnn, torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]
