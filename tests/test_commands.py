"""byhand fit, validate, test and predict, as typed."""

import csv
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from inspect import isclass, signature
from pathlib import Path

import pytest
import torch
from jsonargparse import ArgumentParser

from byhand import LSTM, tasks
from byhand.train import SequenceModel
from byhand.train.callbacks import Gates, Reached, SampleText
from byhand.train.command import main

Here = Callable[..., str]
CONFIG = """
name: small
data: {class_path: Adding, init_args: {length: 8, batch_size: 8, batches: 60, sequences: 32}}
model: {hidden_size: 8, learning_rate: 0.03}
trainer: {max_epochs: 2}
"""
BEST, LAST, WRITTEN = (
    f"runs/small/version_0/{name}" for name in ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "config.yaml")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["byhand"])
    (tmp_path / "small.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which small.yaml was trained."""
    path = tmp_path_factory.mktemp("trained")
    (path / "small.yaml").write_text(CONFIG)
    done = typed(path, "fit", "--config", "small.yaml")
    assert done.returncode == 0, done.stderr
    assert (
        "test it:  byhand test --config runs/small/version_0/config.yaml --ckpt_path runs/small/version_0/checkpoints/best.ckpt"
        in done.stdout
    )
    assert len(re.findall(r"^epoch \d  step \d+ .*val_mse", done.stdout, re.MULTILINE)) == 2  # a log gets a line an epoch
    assert done.stderr == ""
    return path


def typed(folder: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "byhand", *words]
    options["env"] = os.environ | {
        "OMP_NUM_THREADS": "1"
    }  # as in this process: how sums are shared out shows in their last bits
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """The same in this process, which is quicker; gives what it printed."""

    def run(folder: Path, *words: str) -> str:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["byhand"])
        code = main(list(words))
        out, error = capsys.readouterr()
        assert (code, error) == (0, "")
        return out

    return run


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a refusal prints."""
    assert main(list(words)) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.count("\n") == 1 and error.startswith(f"byhand {words[0]}: "), error
    return error


def test_the_test_part_beside_guessing(trained: Path, here: Here) -> None:
    out = here(trained, "test", "--config", WRITTEN, "--ckpt_path", BEST)
    rows = [re.split(r"\s*[│┃]\s*", line)[1:-1] for line in out.splitlines() if re.match("[│┃]", line)]
    assert rows[0] == ["", "loss", "mse", "mae", "wrong"]
    assert rows[1][0] == "the model" and len(rows) >= 3
    assert 0 < float(rows[1][2]) < float(rows[2][2]) < 0.1


def test_answers_in_a_table(trained: Path, here: Here) -> None:
    out = here(trained, "predict", "--config", WRITTEN, "--ckpt_path", BEST, "--output", "answers.csv")
    assert "32 rows written to answers.csv" in out
    rows = list(csv.DictReader((trained / "answers.csv").read_text().splitlines()))
    assert [int(row["sequence"]) for row in rows] == list(range(32))
    assert sum((float(row["target"]) - float(row["answer"])) ** 2 for row in rows) / 32 < 1 / 24


def test_the_validation_part(trained: Path, here: Here) -> None:
    out = here(trained, "validate", "--config", WRITTEN, "--ckpt_path", BEST)
    assert "the model" in out and "always" not in out


def test_a_layer_out_of_a_checkpoint_in_one_line(trained: Path) -> None:
    lstm = SequenceModel.load_from_checkpoint(trained / BEST).lstm
    assert isinstance(lstm, LSTM) and lstm.hidden_size == 8


def test_going_on_is_straight_through(folder: Path, here: Here) -> None:
    here(folder, "fit", "--config", "small.yaml")
    here(folder, "fit", "--config", WRITTEN, "--ckpt_path", LAST, "--trainer.max_epochs", "4", "--name", "on")
    here(folder, "fit", "--config", WRITTEN, "--trainer.max_epochs", "4", "--name", "whole")
    first, second = (
        torch.load(folder / f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("on", "whole")
    )
    assert all(torch.equal(first[name], second[name]) for name in second)


def test_two_processes_are_one_with_the_joint_batch(folder: Path, here: Here) -> None:
    """Under torchrun. In float64: Adam divides gradients by their size, and so makes rounding in small ones as large as the rest."""
    words = ["fit", "--config", "small.yaml", "--trainer.max_steps", "20", "--trainer.precision", "64-true"]
    here(folder, *words, "--name", "one")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "byhand", *words]
    two = ["--name", "two", "--data.batch_size", "4", "--trainer.strategy", "ddp", "--trainer.devices", "2"]
    done = subprocess.run([*launch, *two], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    alone, together = (
        torch.load(folder / f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True) for name in ("one", "two")
    )
    assert alone["global_step"] == together["global_step"] == 20
    for name, value in alone["state_dict"].items():
        torch.testing.assert_close(together["state_dict"][name], value, rtol=0, atol=1e-6)


def test_a_text_is_predicted_with_the_alphabet_of_its_training(folder: Path, here: Here) -> None:
    """Of another text and prompt, as if it were the first."""
    for name, text in (("first", "abcd" * 200), ("second", "bcdez" * 200)):
        Path(f"{name}.txt").write_text(text)
    sizes = "{steps: 20, batch_size: 2, characters: 30, path: first.txt}"
    Path("words.yaml").write_text(f"data: {{class_path: Text, init_args: {sizes}}}\nmodel: {{hidden_size: 4}}\n")
    here(folder, "fit", "--config", "words.yaml", "--trainer.max_epochs", "1", "--name", "words")
    best = "runs/words/version_0/checkpoints/best.ckpt"
    for name in ("first", "second"):
        path = ["--data.path", f"{name}.txt", "--data.prompt", "abc", "--output", f"said-{name}.txt"]
        here(folder, "predict", "--config", "words.yaml", "--ckpt_path", best, *path)
    first, second = (Path(f"said-{name}.txt").read_text() for name in ("first", "second"))
    assert first == second and len(first) == 33 and set(first) <= set("abcd")


def test_ctrl_c_keeps_what_was_learned(trained: Path) -> None:
    words = ["fit", "--config", "small.yaml", "--trainer.max_epochs", "100000", "--name", "cut"]
    with subprocess.Popen(
        [sys.executable, "-m", "byhand", *words],
        cwd=trained,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("epoch 1"):
                    break
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130 and "go on:" in out, error
    assert "stopping after this step" in error and "Traceback" not in error
    done = torch.load(trained / "runs/cut/version_0/checkpoints/last.ckpt", weights_only=True)
    assert done["global_step"] > 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["fit", "--config", "small.yaml", "--data.length", "2"], "length: expected at least 4, got 2"),
        (["fit", "--config", "small.yaml", "--data", "Subtracting"], "Subtracting"),
        (["fit", "--config", "small.yaml", "--model.cell", "lstn"], "expected a cell out of"),
        (["fit", "--config", "small.yaml", "--model.hiden_size", "3"], "--model.hiden_size"),
        (["fit", "--config", "small.yaml", "--model.learning_rate", "fast"], "fast"),
        (
            ["fit", "--config", "small.yaml", "--ckpt_path", "small.yaml"],
            "expected a checkpoint that byhand fit has kept, got a file",
        ),
        (["fit", "--config", "small.yaml", "--ckpt_path", "nowhere"], "No such file"),
        (["test", "--config", "small.yaml"], "write --ckpt_path"),
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


def test_a_full_disk_is_told_and_loses_nothing(trained: Path) -> None:
    kept = (trained / BEST).read_bytes()

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = typed(trained, "fit", "--config", "small.yaml", "--name", "full", preexec_fn=full)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.splitlines()[-1].startswith("byhand fit: ")
    assert not list((trained / "runs/full").rglob("*.ckpt"))
    assert (trained / BEST).read_bytes() == kept
    done = typed(
        trained,
        "predict",
        "--config",
        WRITTEN,
        "--ckpt_path",
        BEST,
        "--output",
        "small.csv",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.returncode == 2 and not (trained / "small.csv").exists()
    assert not [one for one in trained.iterdir() if one.name.startswith(".")]


def test_help_explains(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (
            ["fit", "--help"],
            ("--model.cell", "--model.tbptt_steps", "--data", "--print_config", "--ckpt_path", "--name", "--quick"),
        ),
        (["fit", "--config", "small.yaml", "--print_config"], ("hidden_size: 8", "max_epochs: 2")),
    ):
        with pytest.raises(SystemExit) as done:
            main(words)
        assert done.value.code == 0
        out = capsys.readouterr().out
        assert all(word in out for word in expected)


TAKEN = [one for one in vars(tasks).values() if isclass(one) and issubclass(one, tasks.Task) and one is not tasks.Task]


@pytest.mark.parametrize("made", [SequenceModel, Gates, SampleText, Reached, *TAKEN], ids=lambda made: made.__name__)
def test_the_help_explains_every_option(made: type) -> None:
    """As the parser of the command reads what is written under the class."""
    parser, names = ArgumentParser(), set(signature(made).parameters)
    parser.add_class_arguments(made, "it")
    told = {action.dest.partition(".")[2]: action.help for action in parser._actions if action.dest.startswith("it.")}
    assert set(told) == names
    assert [name for name, text in told.items() if not (text or "").strip()] == []
