"""A model that a baseline beats is given one line of advice, which follows from the numbers."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Here
from tables import lines, written

from byhand.files.archive import read_archive
from byhand.tasks import Adding, EmbeddedReber, Parity, Table, Task
from byhand.train.callbacks.advice import FEW, advised
from byhand.train.callbacks.losses import MOST, Loss, Losses, course, losses_in
from byhand.train.cli.resume import Kept
from byhand.train.model.sequence_model import SequenceModel

RANDOM = np.random.default_rng(3)
STEADY = [float(one) for one in np.round(20 + RANDOM.normal(size=400) * 3, 3)]
TREND = [float(one) for one in np.round(np.arange(400) * 0.5 + np.sin(np.arange(400)) * 9, 3)]
WALK = [float(one) for one in np.round(1000 + RANDOM.normal(size=800).cumsum() * 0.1, 3)]
WEEKS = [float(one) for one in np.round(np.sin(2 * np.pi * np.arange(400) / 52) * 10 + RANDOM.normal(size=400), 3)]
BAD = {"mse": 99.0}


def table(folder: Path, values: list[float], **options: Any) -> Table:
    return Table(written(folder, lines(range(len(values)), values, names="t,y")), "y", time="t", **({"window": 8} | options))


def kept(folder: Path, steps: int, last: int | None = None) -> Kept:
    """What a checkpoint says of its training: best.ckpt of a number of steps, and last.ckpt beside it."""
    model = SequenceModel(Parity().form._asdict(), hidden_size=3)
    for name, count in (("best", steps), ("last", last)):
        if count is not None:
            loops = {"fit_loop": {"epoch_progress": {"current": {"processed": count // 10}}}}
            content = {
                "hyper_parameters": dict(model.hparams),
                "state_dict": model.state_dict(),
                "optimizer_states": [],
                "loops": loops,
                "global_step": count,
            }
            torch.save(content, folder / f"{name}.ckpt")
    return Kept(str(folder / "best.ckpt"), {"form": {}}, steps // 10, steps, True)


def advice(task: Task, folder: Path, metrics: dict[str, float] | None = None, steps: int = 5000, last: int = 9000) -> str:
    return advised(task, metrics or BAD, kept(folder, steps, last), torch.nn.Linear(1, 9)) or ""


def test_a_model_that_beats_all_baselines_needs_none(tmp_path: Path) -> None:
    made = table(tmp_path, TREND)
    best = min(guess["mse"] for guess in made.baselines.values())
    assert advised(made, {"mse": best * 0.99}, kept(tmp_path, 10), torch.nn.Linear(1, 1)) is None
    assert advised(made, {"mse": best * 1.01}, kept(tmp_path, 10), torch.nn.Linear(1, 1)) is not None
    for solved, none in (
        (1.0, True),
        (0.98, False),
    ):  # who solves all, if with more doubt than who knows the grammar, needs no advice
        answer = advised(EmbeddedReber(), {"bits": 0.6447, "solved": solved}, kept(tmp_path, 10), torch.nn.Linear(1, 1))
        assert (answer is None) == none
    assert advised(Parity(8), {"accuracy": 0.51, "bits": 0.99}, kept(tmp_path, 10), torch.nn.Linear(1, 1)) is None
    assert advised(Parity(8), {"accuracy": 0.49, "bits": 1.01}, kept(tmp_path, 10), torch.nn.Linear(1, 1)) is not None
    assert advised(Parity(8), {"accuracy": 0.49}, kept(tmp_path, 10), torch.nn.Linear(1, 1)) is not None  # the more the better


def test_a_target_that_leaves_the_range_of_its_training(tmp_path: Path) -> None:
    made = table(tmp_path, TREND, horizon=2)
    training, test = TREND[:280], TREND[340:]
    out = sum(not min(training) <= one <= max(training) for at in range(59) for one in test[at : at + 2])
    where = f"outside of what y was in training, {min(training):g} to {max(training):g}: "
    assert f": {out} of 118 answers of the test lie {where}" in advice(made, tmp_path)
    assert advice(made, tmp_path).endswith("train with --data.difference=true, which learns changes")
    assert "--data.difference" in advice(made, tmp_path, steps=10, last=10)  # however short the training was
    assert "--data.difference" not in advice(table(tmp_path, TREND, difference=True), tmp_path)
    assert "--data.difference" not in advice(table(tmp_path, STEADY), tmp_path)


def test_too_few_steps(tmp_path: Path) -> None:
    made = table(tmp_path, STEADY)
    line = advice(made, tmp_path, steps=60, last=60)
    assert "60 steps were too few, the last epoch was the best: go on with byhand fit --config" in line
    assert line.endswith(f"--ckpt_path {tmp_path / 'last.ckpt'} --trainer.max_epochs 18")
    for most, more in ((60, "--trainer.max_steps 180"), (61, "--trainer.max_epochs 18")):  # of what has ended it
        assert (advised(made, BAD, kept(tmp_path, 60, 60), torch.nn.Linear(1, 9), most) or "").endswith(more)
    assert "too few" not in advice(made, tmp_path, steps=60, last=900)
    (tmp_path / "last.ckpt").unlink()
    for steps, short in ((FEW - 1, True), (FEW, False)):
        line = advised(made, BAD, kept(tmp_path, steps), torch.nn.Linear(1, 1))
        assert line and ("too few" in line) == short
    line = advised(Adding(8), BAD, kept(tmp_path, 4, 4), torch.nn.Linear(1, 1))
    assert line and "4 steps were too few" in line


def test_a_window_smaller_than_the_season(tmp_path: Path) -> None:
    assert advice(table(tmp_path, WEEKS), tmp_path).endswith(
        "y repeats itself after 52 steps, and a window has 8: train with --data.window=52"
    )
    assert "--data.window" not in advice(table(tmp_path, WEEKS, window=60), tmp_path)


def test_what_changes_by_chance(tmp_path: Path) -> None:
    line = advice(table(tmp_path, WALK, difference=True), tmp_path)
    assert "y changes by chance, as far as 559 changes show" in line and line.endswith(
        "nothing predicts better than persistence"
    )
    for other in (WEEKS, STEADY):  # whose changes go back on those before
        assert "by chance" not in advice(table(tmp_path, other, window=60, difference=True), tmp_path)


def test_that_is_rarely_said_of_what_can_be_predicted(tmp_path: Path) -> None:
    """Of 40 series that are half noise, half what they were, none is called chance; of 40 random walks nearly all are."""
    called = {}
    for share in (0.5, 1.0):
        made = [np.zeros(400) for _ in range(40)]
        for series in made:
            for at in range(1, 400):
                series[at] = share * series[at - 1] + RANDOM.normal()
        line = [advice(table(tmp_path, series.tolist(), difference=True), tmp_path) for series in made]
        called[share] = sum("by chance" in one for one in line)
    assert called[0.5] == 0 and called[1.0] >= 34


def test_weights_that_learn_by_heart(tmp_path: Path) -> None:
    line = advised(table(tmp_path, STEADY), BAD, kept(tmp_path, 900, 5000), torch.nn.Linear(30, 30))
    assert line and line.endswith(
        "930 weights learn from 272 answers, by heart: take fewer, with a smaller --model.hidden_size"
    )
    assert "--model.learning_rate" in advice(table(tmp_path, STEADY), tmp_path)


def said(losses: list[tuple[float, float]]) -> str:
    """Of a course, (training, validation) every ten steps."""
    found = course([Loss(10 * at, *one) for at, one in enumerate(losses, 1)], more="go on with MORE")
    assert found is not None
    return found


COURSES = {
    "falling": (
        [(2 / at, 2.2 / at) for at in range(1, 13)],
        "was still falling at the end, 0.244 to 0.183 in the last third: go on",
    ),
    "rising": (
        [(2 / at, 1 / at if at < 6 else at / 25) for at in range(1, 13)],
        "rises since step 50, 0.2 to 0.42, .*by heart",
    ),
    "apart": ([(1, 1.1), (0.5, 0.9), *[(0.1, 0.8)] * 8], "has stayed far above that of training .0.8 against 0.1.: .*by heart"),
    "unsteady": (
        [(1, 1), (0.7, 0.6), *[(0.5, 0.4), (0.5, 0.6)] * 5],
        "up and down, by 40% from one .* smaller --model.learning_rate",
    ),
    "stuck": (
        [(1, 1), (1, 0.99), (0.99, 0.98), *[(0.98, 0.98)] * 6],
        "has not fallen, 1 at first and 0.98 at best: take another",
    ),
    "level": (
        [(1, 1), (0.5, 0.6), *[(0.3, 0.31)] * 8],
        "has stayed at 0.31 for the last third of the training: take more units",
    ),
    "high from the first": ([(0.4, 1.0), (0.3, 0.8), *[(0.2, 0.6)] * 8], "has stayed at 0.6 for the last third"),
    "without the training's": ([(math.nan, 1.0), (math.nan, 0.5), *[(math.nan, 0.31)] * 8], "has stayed at 0.31"),
}


@pytest.mark.parametrize("name", COURSES)
def test_one_line_from_the_course_of_the_loss(name: str) -> None:
    losses, expected = COURSES[name]
    assert re.search(expected, said(losses)), said(losses)


def test_few_validations_are_no_course() -> None:
    assert course([Loss(10, 1.0, 1.0)] * 3, more="") is None
    assert losses_in({"callbacks": {"Losses": {"losses": [[1, 2], "x"]}}}) == losses_in({}) == ()


def test_a_checkpoint_holds_the_losses_of_its_training_and_the_advice_reads_them(tmp_path: Path, here: Here) -> None:
    """Forty epochs of a series that can be predicted but with a rate that learns nothing."""
    written(tmp_path, lines(range(400), WEEKS, names="t,y"), "weeks.csv")
    words = ["--data", "Table", "--data.path", "weeks.csv", "--data.target", "y", "--data.time", "t", "--data.window", "60"]
    words += ["--model.learning_rate", "1e-7", "--trainer.max_epochs", "40", "--name", "weeks"]
    out = here(tmp_path, "fit", *words)
    printed = [float(one) for one in re.findall(r"val_loss (\S+)", out)]
    run = tmp_path / "runs/weeks/version_0"
    losses = losses_in(read_archive(run / "checkpoints/last.ckpt"))
    assert [one.val for one in losses] == pytest.approx(printed, rel=1e-3) and len(losses) == 40
    assert [one.step for one in losses] == [losses[0].step * at for at in range(1, 41)]
    assert all(one.train > 0 for one in losses)
    more = here(
        tmp_path,
        "fit",
        "--config",
        str(run / "config.yaml"),
        "--ckpt_path",
        str(run / "checkpoints/last.ckpt"),
        "--trainer.max_epochs",
        "42",
    )
    assert "42 epochs" in more
    assert len(losses_in(read_archive(tmp_path / "runs/weeks/version_1/checkpoints/last.ckpt"))) == 42
    tested = here(tmp_path, "test", "--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/best.ckpt"))
    (line,) = [one for one in tested.splitlines() if one.startswith("worse than ")]
    assert "the loss has not fallen" in line and line.endswith("take another --model.learning_rate")


def test_of_many_validations_the_later_ones_are_kept() -> None:
    losses = Losses()
    for step in range(1, 1001):
        losses.add(step, 1.0)
    steps = [one.step for one in losses.kept]
    assert 100 <= len(steps) <= MOST and steps[-1] == 1000 and steps == sorted(set(steps)) and steps[0] < 200
    again = Losses()
    again.load_state_dict(losses.state_dict())
    assert again.kept == losses.kept


def test_it_comes_before_the_lines_to_type_of_a_test(tmp_path: Path, here: Here) -> None:
    written(tmp_path, lines(range(400), TREND, names="t,y"), "trend.csv")
    words = ["--data", "Table", "--data.path", "trend.csv", "--data.target", "y", "--data.time", "t", "--data.window", "8"]
    files = ["--config", "runs/trend/version_0/config.yaml", "--ckpt_path", "runs/trend/version_0/checkpoints/best.ckpt"]
    here(tmp_path, "fit", *words, "--trainer.max_epochs", "1", "--name", "trend")
    out = here(tmp_path, "test", *files)
    *_, line, forecast, see = out.splitlines()
    assert re.match(r"worse than (persistence|seasonal-naive) \(mse \S+ against \S+\): .*--data.difference=true", line)
    assert forecast.startswith("forecast: ") and see.startswith("see it: ")
    assert "worse" not in here(tmp_path, "validate", *files)
    go_on = here(tmp_path, "fit", *words, "--data.difference=true", "--trainer.max_epochs", "8", "--name", "changes")
    assert "steps in 8 epochs" in go_on
    changes = [word.replace("trend", "changes") for word in files]
    assert "--data.difference" not in here(tmp_path, "test", *changes)
