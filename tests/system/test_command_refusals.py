"""What makes no sense to byhand fit, validate, test and predict is told in a line, and leaves nothing behind."""

from pathlib import Path

import pytest
import torch
from commands import BEST, LAST, WRITTEN, Here, said, typed

from byhand.train.cli.command import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["fit", "--config", "nowhere.yaml"],
            "--config nowhere.yaml: expected a file, or the name of a configuration that comes with byhand: adding, an_bn, ",
        ),
        (["fit", "--config", "small.yaml", "--data.length", "2"], "length: expected at least 4, got 2"),
        (["fit", "--config", "small.yaml", "--data", "Subtracting"], "Subtracting"),
        (["fit", "--config", "small.yaml", "--model.cell", "lstn"], "expected a cell out of"),
        (["fit", "--config", "small.yaml", "--model.hiden_size", "3"], "--model.hiden_size"),
        (["fit", "--config", "small.yaml", "--model.learning_rate", "fast"], "--model.learning_rate: expected float, got fast"),
        (["fit", "--config", "small.yaml", "--model.num_layers", "two"], "--model.num_layers: expected int, got two"),
        (["fit", "--config", "small.yaml", "--data.batch_size", "two"], "--data.batch_size: expected int, got two"),
        (["fit", "--config", "small.yaml", "--trainer.max_epochs", "x"], "--trainer.max_epochs: expected int or null, got x"),
        (["fit", "--config", "small.yaml", "--trainer.precision", "17"], "--trainer.precision: expected "),
        (
            ["fit", "--config", "small.yaml", "--data.separator", ";"],
            "--data: Adding: has no option separator; --data.help Adding lists those that it has",
        ),
        (["fit", "--config", "small.yaml", "--trainer.callbacks+=byhand.train.callbacks.Gate"], "has no attribute 'Gate'"),
        (
            ["fit", "--config", "small.yaml", "--model.gate_biases", "{q: 1}"],
            "expected a gate of 'lstm' that has a bias (i, f, g, o)",
        ),
        (
            ["fit", "--config", "small.yaml", "--trainer.callbacks+=Nowhere"],
            "--trainer.callbacks: expected a class that can be imported or null, got Nowhere",
        ),
        (
            ["fit", "--config", "small.yaml", "--model.schedule", "cosine", "--trainer.max_epochs", "-1"],
            "schedule cosine: expected an end of the training, max_epochs or max_steps; got none",
        ),
        (["fit", "--config", "small.yaml", "--model.tbptt_steps", "3"], "expected a task with an answer at every step"),
        (["fit", "--config", "small.yaml", "--quick"], "--quick: expected a shorter version of small.yaml in quick/small.yaml"),
        (
            ["fit", "--config", "small.yaml", "--ckpt_path", "small.yaml"],
            "expected a checkpoint that byhand fit has kept, got a file",
        ),
        (["fit", "--config", "small.yaml", "--ckpt_path", "nowhere"], "No such file"),
        (["test", "--config", "small.yaml"], "write --ckpt_path"),
        (["fit"], "expected a task: write --config adding, or --data with one of Adding, AnBn, Companies, "),
        (["fit", "--model.cell", "gru"], "expected a task: write --config"),
        *(([command], "expected a task and a model: write --config runs/NAME") for command in ("validate", "test", "predict")),
        (["fit", "--data", "Table", "--data.target", "#Passengers"], "expected a column '#Passengers', got none"),
        (["fit", "--data", "Table", "--data.time", "~"], "expected a column '~', got none"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in said(capsys, *words)
    assert sorted(one.name for one in folder.iterdir()) == ["small.yaml"]  # nothing half-written


def test_a_checkpoint_of_another_program(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": {}}, "other.ckpt")
    assert "got one of another program" in said(capsys, "test", "--config", "small.yaml", "--ckpt_path", "other.ckpt")


def test_a_folder_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").write_text("a file is in the way")
    assert "runs" in said(capsys, "fit", "--config", "small.yaml")


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_model_from_a_checkpoint_is_as_it_was_made(
    command: str, trained: Path, here: Here, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lightning takes the checkpoint's settings, whatever is typed: so what is typed must say the same."""
    monkeypatch.chdir(trained)
    words = ["--config", WRITTEN, "--ckpt_path", LAST]
    told = said(capsys, command, *words, "--model.learning_rate", "0.001")
    assert "--model.learning_rate: expected 0.03, as the checkpoint has it, or nothing" in told and "got 0.001" in told
    assert "--model.gate_biases: expected None" in said(capsys, command, *words, "--model.gate_biases={i: [-1.0]}")
    here(trained, "test", *words, "--model.learning_rate", "0.03", "--model.hidden_size=8")


def test_a_checkpoint_of_another_task(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained)
    for command in ("test", "fit", "predict"):
        words = ["--data", "Parity", "--data.length", "8", "--trainer.max_epochs", "9", "--ckpt_path", BEST]
        told = said(capsys, command, "--config", "small.yaml", *words)
        assert (
            f"--ckpt_path {BEST}: expected a model of this task, got one of another: its goal is regression, here it is" in told
        )


def test_ctrl_c_outside_of_a_training_is_told(trained: Path) -> None:
    """In the middle of a test."""
    (trained / "pressing.py").write_text(
        "import signal\nfrom lightning.pytorch.callbacks import Callback\n\n\n"
        "class Pressing(Callback):\n    def on_test_batch_start(self, *_):\n        signal.raise_signal(signal.SIGINT)\n"
    )
    done = typed(trained, "test", "--config", WRITTEN, "--ckpt_path", BEST, "--trainer.callbacks+=pressing.Pressing")
    assert done.returncode == 130 and done.stderr == "byhand: interrupted\n"


def test_a_table_in_other_scales(folder: Path, here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    """A model knows numbers in the scale of the table that it was trained on."""
    for name, step in (("a", 1), ("b", 2)):
        (folder / f"{name}.csv").write_text("y\n" + "".join(f"{at * step % 13}\n" for at in range(99)))
    words = ["--data", "Table", "--data.target", "y", "--data.window", "4"]
    here(folder, "fit", *words, "--data.path", "a.csv", "--trainer.max_steps", "2", "--name", "t")
    last = ["--ckpt_path", "runs/t/version_0/checkpoints/last.ckpt"]
    here(folder, "test", *words, "--data.path", "a.csv", *last)
    assert "--data.fit_path" in said(capsys, "test", *words, "--data.path", "b.csv", *last)
    here(folder, "test", *words, "--data.path", "b.csv", "--data.fit_path", "a.csv", *last)


def test_a_training_that_diverges(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "--config", "small.yaml", "--model.optimiser", "sgd", "--model.learning_rate", "1e30", "--model.clip", "0"]
    assert main(words) == 2
    _, error = capsys.readouterr()
    assert error.count("\n") == 1 and "learning_rate" in error and "nan" in error.lower(), error
