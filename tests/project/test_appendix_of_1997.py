"""The algorithm of the paper's appendix, written without the library, against autograd through the library's cell."""

import numpy as np
import pytest
import torch

from byhand import LSTM, cells
from byhand.tasks import EmbeddedReber
from experiments.hochreiter1997_recipe.appendix import MANY, Network, String, strings, train


@pytest.mark.parametrize(("blocks", "size"), [(3, 2), (4, 1), (1, 5)])
def test_changes_over_a_string_are_the_truncated_gradient(blocks: int, size: int) -> None:
    network = Network(np.random.default_rng(0), blocks, size, reach=0.9)
    lstm = LSTM(MANY, network.cells, cell=cells.lstm_1997_blocks(size)).double()
    head = torch.nn.Linear(network.cells, MANY, bias=False).double()
    columns = {"weight_ih_l0": slice(MANY), "weight_hh_l0": slice(MANY, -1), "bias_ih_l0": -1}
    lstm.load_state_dict({name: torch.tensor(network.hidden[:, its]) for name, its in columns.items()})
    head.load_state_dict({"weight": torch.tensor(network.outputs)})
    (string,) = strings(EmbeddedReber(seed=4).batch("train", 0, 0, 1))
    hidden, outputs = 0.0, 0.0
    network.reset()
    read = []
    for symbol, target in zip(string.read, string.next, strict=True):
        read.append(network.read(symbol))
        by_hidden, by_outputs = network.changes(target)
        hidden, outputs = hidden + by_hidden, outputs + by_outputs
    y, _ = lstm(torch.nn.functional.one_hot(torch.tensor(string.read), MANY).double())
    p = torch.sigmoid(head(y))
    (p - torch.nn.functional.one_hot(torch.tensor(string.next), MANY)).square().sum().div(2).backward()
    np.testing.assert_allclose(np.stack(read), p.detach().numpy(), rtol=0, atol=1e-13)
    np.testing.assert_allclose(outputs, -head.weight.grad.numpy(), rtol=0, atol=1e-13)
    lstm.bias_ih_l0.grad[2 * blocks :] = 0  # cells have no bias here
    for name, its in columns.items():
        np.testing.assert_allclose(hidden[:, its], -lstm.get_parameter(name).grad.numpy(), rtol=0, atol=1e-13, err_msg=name)


def test_weights_are_counted_as_printed() -> None:
    for blocks, size, printed in ((3, 2, 276), (4, 1, 264)):
        network = Network(np.random.default_rng(0), blocks, size)
        assert network.hidden.size - network.cells + network.outputs.size == printed


def error(network: Network, some: list[String]) -> float:
    total = 0.0
    for string in some:
        network.reset()
        total += sum(((network.read(a) - np.eye(MANY)[b]) ** 2).sum() for a, b in zip(string.read, string.next, strict=True))
    return total


def test_learning_goes_downhill() -> None:
    network, batch = Network(np.random.default_rng(1)), strings(EmbeddedReber(seed=1).batch("train", 0, 0, 200))
    before = error(network, batch[:20])
    for string in batch:
        network.learn(string, 0.5)
    assert error(network, batch[:20]) < 0.8 * before


def test_solved_is_what_is_predicted_legally_throughout() -> None:
    network = Network(np.random.default_rng(2))
    (string,) = strings(EmbeddedReber(seed=2).batch("train", 0, 0, 1))
    network.reset()
    first = np.stack([network.read(symbol) for symbol in string.read]).argmax(1)
    legal = np.eye(MANY, dtype=bool)[first]
    assert network.solves(string._replace(legal=legal))
    legal[-1] = ~legal[-1]
    assert not network.solves(string._replace(legal=legal))


def test_a_training_says_after_how_many_strings_and_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(0, 1, 1, 0.5, most=1000) == (None, 256)
    monkeypatch.setattr(Network, "solves", lambda self, string: True)
    assert train(0, 1, 1, 0.5, most=3000) == (1000, 0)
