"""Where a SequenceModel's weights start, and what its outputs are put through: the settings of the 1997 recipe."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from byhand import cells
from byhand.tasks import Adding, EmbeddedReber, Form, Sequences, Text
from byhand.train import SequenceModel, train
from byhand.train.model.objectives import GOALS

FORM = Form(2, 3, "classification")._asdict()


def made(**settings: Any) -> SequenceModel:
    torch.manual_seed(0)
    return SequenceModel(FORM, **({"hidden_size": 6, "num_layers": 2} | settings))


def test_all_starts_within_the_range_but_what_the_cell_and_the_biases_say() -> None:
    model = made(init_range=0.01, forget_bias=3.0, bidirectional=True)
    for name, value in model.named_parameters():
        drawn = torch.cat((value[:6], value[12:])) if name.startswith("lstm.bias") else value
        assert 0 < drawn.abs().max() <= 0.01, name
    for layer in range(2):
        for direction in range(2):
            gate = model.lstm.gates(layer, direction)["f"]
            assert gate.bias is not None and gate.bias_h is not None
            assert gate.bias.unique().tolist() == [3.0] and gate.bias_h.unique().tolist() == [0.0]
    wired = made(cell="lstm_1997_blocks(2)", init_range=0.01, forget_bias=None).lstm
    assert wired.weight_hh_l0.abs().max() <= 0.01
    torch_s = made()
    assert torch_s.lstm.weight_ih_l0.abs().max() > 0.3  # 1 / √6 = 0.408


@pytest.mark.parametrize(
    ("settings", "gate", "expected"),
    [
        ({"gate_biases": {"i": [-2]}}, "i", [-2.0] * 6),
        ({"gate_biases": {"i": -2.5}}, "i", [-2.5] * 6),
        ({"gate_biases": {"i": [-1, -2, -3, -4, -5, -6]}}, "i", [-1.0, -2, -3, -4, -5, -6]),
        ({"gate_biases": {"f": [0.5]}, "forget_bias": 3.0}, "f", [0.5] * 6),
        ({"gate_biases": {"i": [-3, -6]}, "cell": "lstm_1997_blocks(3)", "init_range": 0.1}, "i", [-3.0, -6.0]),
        ({"gate_biases": {"z": [1]}, "cell": "gru"}, "z", [1.0] * 6),
    ],
)
def test_biases_of_gates(settings: dict[str, Any], gate: str, expected: list[float]) -> None:
    model, before = made(**settings), made(**(settings | {"gate_biases": None}))
    for layer in range(2):
        its = model.lstm.gates(layer)[gate]
        assert its.bias is not None and its.bias.tolist() == expected
        assert its.bias_h is None or its.bias_h.unique().tolist() == [0.0]
        for name, other in model.lstm.gates(layer).items():
            if name != gate:
                assert all(
                    torch.equal(a, b) for a, b in zip(other, before.lstm.gates(layer)[name], strict=True) if a is not None
                )


def test_biases_of_a_cell_that_keeps_them_apart() -> None:
    own = [name for name in vars(cells).values() if isinstance(name, cells.Cell) and name.biases == 0 and "f" in name.gates]
    assert own, "a cell whose biases are vectors of its own, for the test to mean something"
    model = made(cell=own[0].name, num_layers=1, forget_bias=None, gate_biases={"f": [2.0]})
    assert model.lstm.b_f_l0.unique().tolist() == [2.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"init_range": -0.1}, "expected a finite init_range of at least 0; got -0.1"),
        ({"init_range": float("nan")}, "expected a finite init_range"),
        ({"gate_biases": {"e": [1.0]}}, r"expected a gate of 'lstm' that has a bias \(i, f, g, o\); got 'e'"),
        ({"gate_biases": {"i": [1.0, 2.0]}}, r"i: expected a finite number, or a list of 6; got \[1.0, 2.0\]"),
        ({"gate_biases": {"i": [float("inf")]}}, "expected a finite number, or a list of 6; got"),
        ({"gate_biases": {"i": "x"}}, "expected a finite number, or a list of 6; got .x."),
        ({"squash": "tanh"}, "expected squash to be one of none, sigmoid; got 'tanh'"),
    ],
)
def test_wrong_starts_are_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**settings)


def test_squashed_outputs_and_their_loss() -> None:
    model, x = made(squash="sigmoid").eval(), torch.randn(5, 4, 2)
    plain = made().eval()
    output = model(x)[0]
    torch.testing.assert_close(output, 1 / (1 + torch.exp(-plain(x)[0])))
    target = torch.tensor([2, -100, 0, 1])
    squares = [(output[row] - torch.eye(3)[target[row]]).square().sum() / 2 for row in (0, 2, 3)]
    batch = Sequences(x, target, None)
    torch.testing.assert_close(model.goal.loss(output, batch), torch.stack(squares).mean())
    assert set(model.goal.metrics()) == {"loss", "accuracy"}
    assert set(GOALS["classification"](Form(**FORM)).metrics()) == {"loss", "accuracy", "bits"}
    with pytest.raises(ValueError, match="expected squash none, for text is drawn by how likely"):
        SequenceModel(Text().form._asdict(), squash="sigmoid")


@pytest.mark.parametrize("task", [Adding(length=8, batch_size=1, batches=3, sequences=4), EmbeddedReber(1, 3, 4)])
def test_the_recipe_of_1997_trains(task: Any) -> None:
    recipe = {"cell": "lstm_1997_blocks(2)", "hidden_size": 4, "gate_biases": {"i": [-3.0, -6.0]}, "init_range": 0.1}
    recipe |= {"squash": "sigmoid", "optimiser": "sgd", "learning_rate": 0.5, "clip": 0.0}
    model, outcome = train(task, recipe, max_steps=6)
    assert outcome.steps == 6 and 0 < outcome.metrics["test_loss"] < 4
    again = SequenceModel(**model.hparams)
    assert again.load_state_dict(model.state_dict()) and again.squash == "sigmoid"
