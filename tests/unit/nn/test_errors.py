"""What a wrong input is told."""

import re

import pytest
import torch

from LSTM import LSTMbyHand

EXPECTED = "LSTMbyHand expected a floating-point tensor of finite numbers, (time,) or (time, batch), time at least 1"
REMEDY = ": write torch.as_tensor(input).float()"


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ([0.0, 1.0], TypeError, "got <class 'list'>" + REMEDY),
        (None, TypeError, "got <class 'NoneType'>" + REMEDY),
        (torch.tensor([0, 1]), TypeError, "got torch.int64" + REMEDY),
        (torch.tensor([True]), TypeError, "got torch.bool" + REMEDY),
        (torch.tensor([1j]), TypeError, "got torch.complex64" + REMEDY),
        (torch.tensor(1.0), ValueError, "got 1.0 of shape ()"),
        (torch.ones(2, 3, 4), ValueError, " of shape (2, 3, 4)"),
        (torch.ones(0), ValueError, "got tensor([]) of shape (0,)"),
        (torch.ones(0, 3), ValueError, "got tensor([], size=(0, 3)) of shape (0, 3)"),
        (torch.tensor([0.0, float("nan")]), ValueError, "got tensor([0., nan]) of shape (2,)"),
        (torch.tensor([[0.0, -float("inf")]]), ValueError, "got tensor([[0., -inf]]) of shape (1, 2)"),
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
        (torch.ones(2, 4), torch.ones(2, 1), "of torch.Size([2, 1])"),
        (torch.ones(2, 4), torch.tensor([1.0, float("nan")]), "finite labels of torch.Size([2]); got tensor([1., nan])"),
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
