"""diagnose on trained models: where they are well it finds nothing, and what is then spoilt in them it names."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from trained_models import RECIPES, called, trained

from byhand import LSTM, explain
from byhand.tasks import Sequences
from byhand.train import SequenceModel


@pytest.mark.parametrize("name", RECIPES)
def test_trained_models_that_are_well_are_left_in_peace(name: str) -> None:
    found = trained(name)
    assert found.loss < found.limit
    assert not explain.diagnose(found.model, found.items, found.model.goal.loss, call=called)


def held(gate: str, bias: float) -> Callable[[LSTM], None]:
    """For all units."""

    def spoil(lstm: LSTM) -> None:
        lstm.gates()[gate].bias.fill_(bias)

    return spoil


def dead(lstm: LSTM) -> None:
    gate = lstm.gates()["g"]
    for value in (gate.weight_x, gate.weight_h, gate.bias, gate.bias_h):
        value[3] = 0.0


def saturated(lstm: LSTM) -> None:
    lstm.weight_ih_l0.mul_(200.0)


def duplicated(lstm: LSTM) -> None:
    for value in lstm.parameters():
        value[4 :: lstm.hidden_size] = value[1 :: lstm.hidden_size].clone()


def without_bound(lstm: LSTM) -> None:
    for gate in "ifg":
        held(gate, 12.0 if gate == "f" else 3.0)(lstm)


def not_finite(lstm: LSTM) -> None:
    lstm.weight_hh_l0[2, 3] = torch.nan


def larger(lstm: LSTM) -> None:
    lstm.weight_hh_l0.mul_(20.0)


FAULTS = [
    ("adding", dead, "dead units", "lstm.l0.h"),
    ("adding", held("f", -30.0), "always shut", "lstm.l0.f"),
    ("adding", held("f", -30.0), "vanishing gradients", "lstm.l0.c"),
    ("adding", held("o", 30.0), "always open", "lstm.l0.o"),
    ("adding", duplicated, "duplicated units", "lstm.l0.h"),
    ("adding", without_bound, "drift", "lstm.l0.c"),
    ("adding", larger, "exploding gradients", "lstm.l0.c"),
    ("adding", not_finite, "not finite", "lstm.weight_hh_l0"),
    ("continual Reber", held("f", -30.0), "always shut", "lstm.l0.f"),
    ("continual Reber", held("i", 30.0), "always open", "lstm.l0.i"),
    ("continual Reber", saturated, "saturated", "lstm.l0.f"),
    ("continual Reber", without_bound, "drift", "lstm.l0.c"),
    ("continual Reber", larger, "exploding gradients", "lstm.l0.c"),
    ("text", dead, "dead units", "lstm.l0.h"),
    ("text", held("o", -30.0), "always shut", "lstm.l0.o"),
]


@pytest.mark.parametrize(("name", "spoil", "kind", "where"), FAULTS)
def test_what_is_spoilt_in_them_is_named(name: str, spoil: Callable[[LSTM], None], kind: str, where: str) -> None:
    found = trained(name)
    model = copy.deepcopy(found.model)
    with torch.no_grad():
        spoil(model.lstm)
    named = explain.diagnose(model, found.items[:1], model.goal.loss, call=called)
    assert (kind, where) in [(one.kind, one.where) for one in named]


class Shifted(nn.Module):
    """A trained model whose head has two biases more, of which only the sum can be learnt, and a third that is never used."""

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model, self.one, self.other, self.idle = model, *(nn.Parameter(torch.full((1,), 0.1)) for _ in range(3))

    def forward(self, batch: Sequences) -> Tensor:
        return called(self.model, batch) + self.one - 2 * self.other


def test_parameters_that_are_tied_or_idle() -> None:
    found = trained("sunspots")
    named = explain.diagnose(
        Shifted(found.model), found.items[:1], found.model.goal.loss, call=lambda model, batch: model(batch)
    )
    assert [(one.kind, one.where) for one in named] == [
        ("unused parameter", "idle"),
        ("duplicated parameters", "one and other and model.head.bias"),
    ]
