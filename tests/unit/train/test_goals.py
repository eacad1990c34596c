"""What the goals of tasks mean: losses, metrics, and when a sequence of symbols is solved."""

import copy
import pickle

import pytest
import torch
from torch import Tensor

from byhand.tasks import Form, Sequences
from byhand.train.model.objectives import GOALS, solved


def test_successors_are_solved_when_all_that_is_legal_comes_first() -> None:
    legal = torch.tensor([[[True, False, True]], [[False, True, False]]])
    batch = Sequences(torch.zeros(2, 1, dtype=torch.long), torch.tensor([[0], [1]]), None, legal)
    assert solved(torch.tensor([[[2.0, 1.0, 1.5]], [[0.0, 1.0, 0.5]]]), batch).tolist() == [True]
    assert solved(torch.tensor([[[2.0, 1.6, 1.5]], [[0.0, 1.0, 0.5]]]), batch).tolist() == [False]
    unasked = batch._replace(target=torch.tensor([[-100], [1]]))
    assert solved(torch.tensor([[[2.0, 1.6, 1.5]], [[0.0, 1.0, 0.5]]]), unasked).tolist() == [True]


@pytest.mark.parametrize("goal", GOALS)
def test_losses_and_metrics_against_plain_sums(goal: str) -> None:
    torch.manual_seed(0)
    every = goal != "regression"
    form = Form(3, 3, goal, every=every, symbols=every, tolerance=0.5)  # type: ignore[arg-type]
    made = GOALS[goal](form)
    output = torch.randn(4, 2, 3) if every else torch.randn(6, 3)
    target: Tensor = torch.randint(3, (4, 2)) if every else torch.randn(6, 3)
    if every:
        target[3, 0] = -100
    batch = Sequences(torch.zeros(4, 2, dtype=torch.long), target, None, torch.ones(4, 2, 3, dtype=torch.bool))
    metrics = made.metrics()
    made.update(metrics, output, batch)
    got = {name: float(one.compute()) for name, one in metrics.items()}
    if every:
        kept = [(output[t, b], int(target[t, b])) for t in range(4) for b in range(2) if target[t, b] != -100]
        losses = [float(o.exp().sum().log() - o[k]) for o, k in kept]
        assert float(made.loss(output, batch)) == pytest.approx(sum(losses) / len(losses), rel=1e-5)
        assert got["bits"] == pytest.approx(sum(losses) / len(losses) / 0.6931471805599453, rel=1e-5)
        assert got["accuracy"] == pytest.approx(sum(int(o.argmax()) == k for o, k in kept) / len(kept))
        assert float(made.asked(batch)) == 7
    else:
        off = (output - target).flatten().tolist()
        assert float(made.loss(output, batch)) == pytest.approx(sum(one**2 for one in off) / len(off), rel=1e-5)
        assert got["wrong"] == pytest.approx(sum(abs(one) >= 0.5 for one in off) / len(off))
        assert got["mae"] == pytest.approx(sum(map(abs, off)) / len(off), rel=1e-5)


def test_values_past_a_sequence_s_end_do_not_count() -> None:
    made = GOALS["regression"](Form(2, 1, "regression", every=True, tolerance=0.5))
    output, target = torch.zeros(3, 2, 1), torch.tensor([[[1.0], [2.0]], [[0.0], [-100.0]], [[0.3], [-100.0]]])
    batch = Sequences(torch.zeros(3, 2, 2), target, torch.tensor([3, 1]))
    metrics = made.metrics()
    made.update(metrics, output, batch)
    assert float(made.asked(batch)) == 4
    assert float(made.loss(output, batch)) == pytest.approx((1 + 4 + 0.09) / 4)
    assert {name: pytest.approx(float(one.compute())) for name, one in metrics.items()} == {
        "loss": (1 + 4 + 0.09) / 4,
        "mse": (1 + 4 + 0.09) / 4,
        "mae": 3.3 / 4,
        "wrong": 0.5,
    }


@pytest.mark.parametrize("goal", ["regression", "classification"])
def test_the_loss_is_weighted_by_answers_and_nan_is_not_hidden(goal: str) -> None:
    made = GOALS[goal](Form(3, 3, goal))  # type: ignore[arg-type]
    some: list[Tensor] = [torch.randn(size, 3) for size in (1, 5)]
    targets = [torch.randn(size, 3) if goal == "regression" else torch.randint(3, (size,)) for size in (1, 5)]
    metrics = made.metrics()
    for output, target in zip(some, targets, strict=True):
        made.update(metrics, output, Sequences(torch.zeros(1), target))
    whole = Sequences(torch.zeros(1), torch.cat(targets))
    assert float(metrics["loss"].compute()) == pytest.approx(float(made.loss(torch.cat(some), whole)), rel=1e-5)
    made.update(metrics, torch.full((1, 3), torch.nan), Sequences(torch.zeros(1), targets[0]))
    assert metrics["loss"].compute().isnan()


@pytest.mark.parametrize(
    ("earlier", "now"), [("values", "regression"), ("classes", "classification"), ("successors", "next_symbol")]
)
def test_goals_by_their_earlier_names(earlier: str, now: str) -> None:
    form = Form(1, 1, earlier)  # type: ignore[arg-type]
    assert form == Form(input_size=1, output_size=1, goal=now) and GOALS[form.goal]  # type: ignore[arg-type]
    assert Form(**form._asdict()) == copy.deepcopy(form) == pickle.loads(pickle.dumps(form)) == form._replace(goal=now)
