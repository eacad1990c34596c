"""What a wrong input is told."""

import re

import pytest
import torch

from LSTM import LSTMbyHand

EXPECTED = "LSTMbyHand expected a floating-point tensor of shape (time,) or (time, batch), time at least 1"


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ([0.0, 1.0], TypeError, "got a list: write torch.tensor(...)"),
        (None, TypeError, "got a NoneType: write torch.tensor(...)"),
        (torch.tensor([0, 1]), TypeError, "got torch.int64: write input.float()"),
        (torch.tensor([True]), TypeError, "got torch.bool: write input.float()"),
        (torch.tensor([1j]), TypeError, "got torch.complex64: write input.float()"),
        (torch.tensor(1.0), ValueError, "got shape ()"),
        (torch.ones(2, 3, 4), ValueError, "got shape (2, 3, 4)"),
        (torch.ones(0), ValueError, "got shape (0,)"),
        (torch.ones(0, 3), ValueError, "got shape (0, 3)"),
        (torch.tensor([0.0, float("nan")]), ValueError, "of finite numbers; got nan among them"),
        (torch.tensor([[0.0, -float("inf")]]), ValueError, "of finite numbers; got -inf among them"),
    ],
)
def test_wrong_input(untrained: LSTMbyHand, given: object, kind: type[Exception], message: str) -> None:
    for call in (untrained, untrained.trace):
        with pytest.raises(kind, match=re.escape(EXPECTED)) as caught:
            call(given)
        assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (torch.ones(4), torch.ones(4), "a batch of shape (batch, time); got shape (4,)"),
        (torch.ones(2, 4, 1), torch.ones(2), "a batch of shape (batch, time); got shape (2, 4, 1)"),
        (torch.ones(2, 4), torch.ones(2, 1), "of shape (2, 1)"),
        (torch.ones(2, 4), torch.tensor([1.0, float("nan")]), "finite labels of shape (2,); got tensor([1., nan])"),
    ],
)
def test_wrong_batch(untrained: LSTMbyHand, inputs: torch.Tensor, labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        untrained.loss([inputs, labels])


@pytest.mark.parametrize("every", [0, -1])
def test_wrong_log_interval(every: int) -> None:
    with pytest.raises(ValueError, match=f"expected log_every_n_epochs of at least 1; got {every}"):
        LSTMbyHand(log_every_n_epochs=every)


def test_wrong_learning_rate() -> None:
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        LSTMbyHand(learning_rate=-1).configure_optimizers()
