"""Table(difference=True): changes come in and are learnt; predictions and errors are of the values, exactly. Several targets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tables import errors, lines, slices, written

from byhand.tasks import Table
from byhand.train import train
from byhand.train.model.sequence_model import SequenceModel

TREND = [round(100 + at * 1.5 + 5 * np.sin(at) + (at * 7919 % 13) / 5, 3) for at in range(100)]
OTHER = [round(1000 - 3 * at + at * at % 7, 3) for at in range(100)]


def table(folder: Path, *columns: list[Any], names: str = "t,a,b") -> str:
    return written(folder, lines(range(len(columns[0])), *columns, names=names))


@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (5, 1), (5, 3)])
def test_what_comes_in_and_what_is_asked_for(tmp_path: Path, window: int, horizon: int) -> None:
    """By plain slicing: a window of changes, and the changes from the last value on, each less its mean."""
    made = Table(table(tmp_path, TREND, OTHER), "a", ["a", "b"], time="t", window=window, horizon=horizon, difference=True)
    changes, training = np.diff(TREND), TREND[:70]
    mean, spread = np.diff(training).mean(), np.diff(training).std()
    b_mean, b_spread = np.mean(OTHER[:70]), np.std(OTHER[:70])
    for part, first, last in (("train", 0, 0.7), ("val", 0.7, 0.85), ("test", 0.85, 1)):
        batch = made.pick(part, torch.arange(made.total(part)))
        expected = slices(TREND, window + 1, horizon, first, last)
        assert batch.input.shape == (window, len(expected), 2)
        for at, (seen, asked) in enumerate(expected):
            place = TREND.index(seen[0])
            inputs = np.stack(
                [
                    (changes[place : place + window] - mean) / spread,
                    (OTHER[place + 1 : place + window + 1] - b_mean) / b_spread,
                ],
                1,
            )
            np.testing.assert_allclose(batch.input[:, at].numpy(), inputs, rtol=1e-5, atol=1e-6)
            answers = [(one - seen[-1] - (step + 1) * mean) / spread for step, one in enumerate(asked)]
            np.testing.assert_allclose(batch.target[at].numpy(), answers, rtol=1e-5, atol=1e-5)


def test_predictions_are_values_again(tmp_path: Path) -> None:
    made = Table(table(tmp_path, TREND, OTHER), "a", time="t", window=4, horizon=3, difference=True)
    batch = made.batch("test", 0, 0, 99)
    for row in made.rows(batch, batch.target.double()):  # who answers right is right
        assert row["answer"] == pytest.approx(row["target"], rel=1e-7)
    rows = list(
        made.rows(batch, torch.zeros_like(batch.target))
    )  # who answers 0 goes on from the last value, as changes go on average
    mean = np.diff(TREND[:70]).mean()
    for row in rows:
        last = TREND[int(row["time"]) - row["ahead"]]
        assert row["answer"] == pytest.approx(last + row["ahead"] * mean, rel=1e-12)


@pytest.mark.parametrize("difference", [False, True])
@pytest.mark.parametrize("targets", [["a"], ["a", "b"]])
def test_scores_are_those_of_the_values(tmp_path: Path, targets: list[str], difference: bool) -> None:
    """The mse and mae that a test prints are those of what predict writes, in standard deviations of the targets in training."""
    made = Table(table(tmp_path, TREND, OTHER), targets, time="t", window=4, horizon=2, difference=difference)
    model, outcome = train(made, {"hidden_size": 4}, max_steps=20)
    batch = made.batch("test", 0, 0, 99)
    with torch.no_grad():
        answer, _ = model(batch.input)
    spreads = {name: np.std(values[:70]) for name, values in (("a", TREND), ("b", OTHER))}
    off = []
    for row in made.rows(batch, answer):
        for name in targets:
            answered, asked = (row[one] if len(targets) == 1 else row[f"{one}_{name}"] for one in ("answer", "target"))
            off.append((answered - asked) / spreads[name])
    assert outcome.metrics["test_mse"] == pytest.approx(np.mean(np.square(off)), rel=1e-4)
    assert outcome.metrics["test_mae"] == pytest.approx(np.mean(np.abs(off)), rel=1e-4)


def test_baselines_do_not_depend_on_it(tmp_path: Path) -> None:
    path = table(tmp_path, TREND, OTHER)
    one, other = (
        Table(path, "a", time="t", window=9, season=7, horizon=2, difference=difference) for difference in (False, True)
    )
    assert one.baselines == other.baselines
    scaled = [at / np.std(TREND[:70]) for at in TREND]
    seen, asked = zip(*slices(scaled, 9, 2, 0.85, 1), strict=True)
    assert one.baselines == {"persistence": errors(seen, asked, 1), "seasonal-naive": errors(seen, asked, 7)}


def test_a_target_that_leaves_its_range_is_learnt(tmp_path: Path) -> None:
    """What it is for: a trend, which a model of values cannot follow beyond those that it knows."""
    path = table(tmp_path, TREND, OTHER)
    got = {}
    for difference in (False, True):
        made = Table(path, "a", time="t", window=8, difference=difference)
        _, outcome = train(made, {"hidden_size": 8, "learning_rate": 0.02}, max_epochs=40)
        got[difference] = outcome.metrics["test_mse"]
    assert got[True] < made.baselines["persistence"]["mse"] and got[True] < got[False] / 5


def test_no_change_goes_across_a_gap(tmp_path: Path) -> None:
    values: list[Any] = [*TREND[:30], "", "", *TREND[32:]]
    made = Table(table(tmp_path, values, OTHER), "a", time="t", window=2, difference=True)
    starts = made.windows["train"].starts["train"]
    rows = made.windows["train"].row
    assert [rows[at] - 2 for at in starts] == [*range(27), *range(32, 67)]  # three values and an answer in one piece
    batch = made.pick("train", torch.arange(len(starts)))
    mean, spread = made.scaling.means[0], made.scaling.spreads[0]
    training = [*np.diff(TREND[:30]), *np.diff(TREND[32:70])]
    assert mean == pytest.approx(np.mean(training)) and spread == pytest.approx(np.std(training))
    assert batch.input.numpy() * spread + mean == pytest.approx(
        np.array([np.diff(TREND)[rows[at] - 2 : rows[at]] for at in starts]).T[..., None], rel=1e-4, abs=1e-4
    )


def test_a_model_of_changes_is_none_of_values(tmp_path: Path) -> None:
    path = table(tmp_path, TREND, OTHER)
    changes, values = (Table(path, "a", time="t", window=4, difference=difference) for difference in (True, False))
    assert changes.form.fitted.startswith("change of a: ") and changes.form.fitted != values.form.fitted
    model = SequenceModel(changes.form._asdict(), hidden_size=2)
    assert model.form == changes.form and model.form.units == [pytest.approx(np.diff(TREND[:70]).std() / np.std(TREND[:70]))]


def test_two_targets_are_two_tables(tmp_path: Path) -> None:
    """What is asked for of each is what would be of it alone."""
    path = table(tmp_path, TREND, OTHER)
    both = Table(path, ["a", "b"], time="t", window=4, horizon=3)
    alone = [Table(path, name, ["a", "b"], time="t", window=4, horizon=3) for name in ("a", "b")]
    assert both.form.output_size == 6 and both.form.input_size == 2
    assert both.outputs == ["a, 1 ahead", "a, 2 ahead", "a, 3 ahead", "b, 1 ahead", "b, 2 ahead", "b, 3 ahead"]
    for part in ("train", "val", "test"):
        batch, others = both.batch(part, 0, 0, 99), [one.batch(part, 0, 0, 99) for one in alone]
        assert torch.equal(batch.target, torch.cat([one.target for one in others], 1))
        assert all(torch.equal(batch.input, one.input) for one in others)
    mean = np.mean([one.baselines["persistence"]["mse"] for one in alone])
    assert both.baselines["persistence"]["mse"] == pytest.approx(mean, rel=1e-6)
    batch = both.batch("test", 0, 0, 1)
    first = next(iter(both.rows(batch, batch.target)))
    assert list(first) == ["sequence", "time", "ahead", "target_a", "target_b", "answer_a", "answer_b"]
    assert (first["answer_a"], first["answer_b"]) == pytest.approx((TREND[85], OTHER[85]), rel=1e-6)
