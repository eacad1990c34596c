"""Digits beside scikit-learn's own set, and how it is split."""

import re
import sys
from collections import Counter
from math import log2
from typing import Any

import pytest
import torch
from conftest import run
from generated import same
from sklearn.datasets import load_digits

from byhand.tasks import Digits
from byhand.tasks.task import PARTS
from byhand.train import train

LOADED: Any = load_digits(return_X_y=True)
PIXELS, LABELS = LOADED


@pytest.fixture(scope="module")
def rows() -> Digits:
    return Digits()


@pytest.mark.parametrize(("by", "steps", "features"), [("rows", 8, 8), ("pixels", 64, 1)])
def test_every_image_in_the_order_of_reading(by, steps: int, features: int) -> None:
    made = Digits(by)
    assert made.form == (features, 10, "classification", False, False, False, 0.0, "", "", None)
    for part in PARTS:
        data = made.data[part]
        assert data.input.shape == (steps, len(data.target), features)
        for sequence in range(0, len(data.target), 37):
            image = int(data.origin[sequence])
            assert data.input[:, sequence].flatten().tolist() == (PIXELS[image] / 16).tolist()
            assert data.target[sequence] == LABELS[image]
    assert min(data.input.min() for data in made.data.values()) == 0
    assert max(data.input.max() for data in made.data.values()) == 1


def test_the_worked_example_of_the_documentation() -> None:
    assert LABELS[0] == 0 and (PIXELS[0][:8] / 16).tolist() == [0, 0, 0.3125, 0.8125, 0.5625, 0.0625, 0, 0]


def test_each_image_is_in_one_part_and_each_digit_in_all_in_the_same_shares(rows: Digits) -> None:
    origins = {part: set(rows.data[part].origin.tolist()) for part in PARTS}
    assert set.union(*origins.values()) == set(range(1797))
    assert sum(len(one) for one in origins.values()) == 1797
    every = Counter(LABELS.tolist())
    for part, share in zip(PARTS, (0.7, 0.15, 0.15), strict=True):
        digits = Counter(rows.data[part].target.tolist())
        assert all(abs(digits[digit] - share * count) <= 1 for digit, count in every.items())


def test_the_seed_draws_the_parts_and_the_order(rows: Digits) -> None:
    again, other = Digits(), Digits(seed=1)
    assert all(same(rows.data[part], again.data[part]) for part in PARTS)
    assert not torch.equal(rows.data["test"].origin, other.data["test"].origin)
    assert same(rows.batch("train", 3, 1, 8), again.batch("train", 3, 1, 8))
    assert not same(rows.batch("train", 3, 1, 8), rows.batch("train", 4, 1, 8))
    assert same(rows.batch("test", 3, 1, 8), rows.batch("test", 4, 1, 8))
    seen = torch.cat([rows.batch("train", 2, at, 32).origin for at in range(rows.count("train", 32))])
    assert seen.sort().values.tolist() == rows.data["train"].origin.tolist()


def test_baselines_by_counting(rows: Digits) -> None:
    digits = rows.data["test"].target.tolist()
    always = max(range(10), key=digits.count)
    assert rows.baselines == {
        f"always {always}": {"accuracy": pytest.approx(digits.count(always) / len(digits))},
        "uniform": {"bits": log2(10)},
    }


def test_wrong_ways_to_read_are_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("by: expected 'rows' or 'pixels', got 'columns'")):
        Digits("columns")


def test_a_model_learns_it() -> None:
    _, outcome = train(Digits(), {"hidden_size": 32, "learning_rate": 0.02, "schedule": "cosine"}, max_epochs=4)
    assert outcome.steps == 160 and outcome.metrics["test_accuracy"] > 0.8


def test_what_the_tasks_need_is_imported_when_it_is_needed(tmp_path) -> None:
    heavy = ("sklearn", "statsmodels", "pandas", "pyarrow", "pydoc_data")
    done = run(
        sys.executable, "-c", f"import sys, byhand.tasks; print([one for one in {heavy} if one in sys.modules])", cwd=tmp_path
    )
    assert done.stdout == "[]\n", done.stderr
