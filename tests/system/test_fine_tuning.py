"""byhand fit --fine_tune: a new training with the weights, scales and characters of an old one."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from commands import Here, said

from byhand.train import SequenceModel

OLD, OLD_LAST = (f"runs/old/version_0/checkpoints/{name}.ckpt" for name in ("best", "last"))
CONFIG = "runs/old/version_0/config.yaml"
TABLE = """
name: old
data: {class_path: Table, init_args: {path: old.csv, target: y, time: t, window: 5}}
model: {hidden_size: 6, cell: peephole}
trainer:
  max_epochs: 2
  callbacks: [{class_path: byhand.train.callbacks.Gates, init_args: {pictures: false}}] # which take longer to draw than to train
"""


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of old.csv, in a scale of its own, and new.csv."""
    folder = tmp_path_factory.mktemp("sold")
    for name, count, more in (("old", 120, 0), ("new", 90, 40)):
        rows = [f"{at},{more + 20 * np.sin(at) + at * 7919 % 13}" for at in range(count)]
        (folder / f"{name}.csv").write_text("\n".join(["t,y", *rows]) + "\n")
    (folder / "table.yaml").write_text(TABLE)
    return folder


@pytest.fixture
def fitted(sold: Path, here: Here) -> Path:
    if not (sold / OLD).exists():
        here(sold, "fit", "--config", "table.yaml")
    return sold


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_weights_and_scales_of_the_old_training_the_rate_of_the_new(fitted: Path, here: Here) -> None:
    out = here(
        fitted, "fit", "--config", CONFIG, "--fine_tune", OLD, "--data.path", "new.csv", "--model.learning_rate", "0.001", "--name", "on",
        "--trainer.max_steps", "1", "--model.clip", "0",
    )  # fmt: skip
    values = np.array([float(line.split(",")[1]) for line in (fitted / "old.csv").read_text().splitlines()[1:]])
    mean, spread = values[: int(0.7 * 120)].mean(), values[: int(0.7 * 120)].std()
    kept = re.search(
        r"^fine-tuning (\S+), trained for (\d+) steps in 2 epochs; its scales are kept: y: (\S+), (\S+)$", out, re.MULTILINE
    )
    assert kept and kept[1] == OLD and (float(kept[3]), float(kept[4])) == pytest.approx((mean, spread), rel=1e-8)
    written = fitted / "runs/on/version_0"
    config = yaml.safe_load((written / "config.yaml").read_text())
    assert config["data"]["init_args"]["scale"] == {"y": [float(kept[3]), float(kept[4])]}
    before, after = weights(fitted / OLD), weights(written / "checkpoints/last.ckpt")
    for name, value in before.items():  # one step of Adam moves a weight by the rate at most
        assert 0 <= (after[name] - value).abs().max() <= 0.001 * 1.01, name
    assert (after["head.bias"] - before["head.bias"]).abs().max() == pytest.approx(0.001, rel=0.01)
    model = SequenceModel.load_from_checkpoint(written / "checkpoints/last.ckpt")
    assert model.learning_rate == 0.001 and model.lstm.cell.name == "peephole" and model.lstm.hidden_size == 6


def test_the_new_training_is_one_like_any_other(fitted: Path, here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    """It is tested, gone on with, done again and fine-tuned in its turn, by the lines that are printed."""
    words = ["fit", "--config", CONFIG, "--fine_tune", OLD, "--data.path", "new.csv", "--trainer.max_epochs"]
    here(fitted, *words, "2", "--name", "two")
    here(fitted, *words, "1", "--name", "one")
    one, two = fitted / "runs/one/version_0", fitted / "runs/two/version_0"
    out = here(fitted, "test", "--config", str(one / "config.yaml"), "--ckpt_path", str(one / "checkpoints/best.ckpt"))
    assert "the model" in out
    last = str(one / "checkpoints/last.ckpt")
    here(fitted, "fit", "--config", str(one / "config.yaml"), "--ckpt_path", last, "--trainer.max_epochs", "2", "--name", "on2")
    here(fitted, "fit", "--config", str(two / "config.yaml"), "--name", "again")
    straight = weights(two / "checkpoints/last.ckpt")
    for name in ("on2", "again"):
        other = weights(fitted / f"runs/{name}/version_0/checkpoints/last.ckpt")
        assert all(torch.equal(other[key], value) for key, value in straight.items())
    out = here(
        fitted, "fit", "--config", str(one / "config.yaml"), "--fine_tune", last, "--data.path", "old.csv", "--name", "back"
    )
    assert f"fine-tuning {last}" in out


def test_it_starts_better_than_a_new_model(fitted: Path, here: Here) -> None:
    found = {}
    for name, more in (("tuned", ["--fine_tune", OLD]), ("raw", [])):
        out = here(
            fitted, "fit", "--config", CONFIG, *more, "--data.path", "old.csv", "--name", name, "--trainer.max_epochs", "1"
        )
        found[name] = float(re.findall(r"val_mse ([\d.]+)", out)[-1])
    assert found["tuned"] < found["raw"]


def test_in_float64_no_weight_is_rounded(fitted: Path, here: Here) -> None:
    double = ["--trainer.precision", "64-true", "--trainer.max_steps", "1"]
    here(fitted, "fit", "--config", CONFIG, *double, "--name", "double")
    first = fitted / "runs/double/version_0/checkpoints/last.ckpt"
    rate = ["--model.learning_rate", "1e-12", "--model.schedule", "constant"]
    here(fitted, "fit", "--config", CONFIG, "--fine_tune", str(first), *rate, *double, "--name", "double2")
    before, after = weights(first), weights(fitted / "runs/double2/version_0/checkpoints/last.ckpt")
    assert before["head.bias"].dtype == torch.float64
    assert all((before[name] - after[name]).abs().max() < 2e-12 for name in before)


def test_going_on_with_other_data_names_it(
    fitted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fitted)
    words = ["fit", "--config", CONFIG, "--data.path", "new.csv", "--trainer.max_epochs", "9"]
    line = said(capsys, *words, "--ckpt_path", OLD_LAST)
    assert (
        line.rstrip().endswith(f"to train on with them write --fine_tune {OLD_LAST} in its place")
        and "--data.fit_path" not in line
    )
    line = said(capsys, "fit", "--config", CONFIG, "--ckpt_path", OLD_LAST, "--model.learning_rate", "0.5")
    assert "--fine_tune for --ckpt_path" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.hidden_size", "7"], "--model.hidden_size: expected 6, as the checkpoint has it"),
        (["--model.cell", "lstm"], "--model.cell: expected peephole, as the checkpoint has it"),
        (["--data.horizon", "2"], "its output_size is 1, here it is 2"),
        (["--data.target", "t"], "scale: expected a mean and a standard deviation of each of t, got y"),
        (["--data.scale", "{y: [0, 1]}"], "--data.scale: expected that of"),
        (["--fine_tune", "nowhere.ckpt"], "No such file"),
    ],
)
def test_what_does_not_fit_is_refused(
    fitted: Path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fitted)
    assert message in said(capsys, "fit", "--config", CONFIG, "--fine_tune", OLD, "--data.path", "new.csv", *words)


@pytest.mark.parametrize("scale", [{"y": [0, 0]}, {"y": [1]}, {"x": [0, 1]}, {}])
def test_scales_that_are_none(fitted: Path, scale: dict[str, list[float]]) -> None:
    from byhand.tasks import Table  # noqa: PLC0415

    with pytest.raises(ValueError, match=r"^scale: .*expected a mean and a standard deviation"):
        Table(fitted / "new.csv", "y", scale=scale, window=3)


def test_a_task_without_scales(folder: Path, here: Here) -> None:
    for name, more in (("old", []), ("new", ["--fine_tune", OLD_LAST])):
        out = here(folder, "fit", "--config", "small.yaml", *more, "--trainer.max_steps", "2", "--name", name)
    assert f"fine-tuning {OLD_LAST}, trained for 2 steps in 0 epochs\n" in out


def test_a_text_with_the_characters_of_the_old_one(folder: Path, here: Here) -> None:
    for name, text in (("first", "abcd" * 200), ("second", "bcdez" * 200)):
        Path(f"{name}.txt").write_text(text)
    data = "{class_path: Text, init_args: {steps: 20, batch_size: 2}}"
    Path("text.yaml").write_text(TABLE.replace(re.findall("{class_path: Table.*", TABLE)[0], data).replace("peephole", "lstm"))
    words = ["fit", "--config", "text.yaml"]
    here(folder, *words, "--data.path", "first.txt", "--trainer.max_epochs", "1", "--name", "first")
    best = "runs/first/version_0/checkpoints/best.ckpt"
    here(folder, *words, "--data.path", "second.txt", "--fine_tune", best, "--trainer.max_epochs", "1", "--name", "second")
    model = SequenceModel.load_from_checkpoint("runs/second/version_0/checkpoints/best.ckpt")
    assert model.form.alphabet == "abcd"
