"""Damaged files: every reader refuses what is not as it was written, with one class of error; what was written before is still read."""

import sys
from pathlib import Path

import pytest
import torch
from commands import said
from damage import DATA, EARLIER, EXPECTED, READERS, copied, damaged, outcomes, whole

import LSTM as LESSON
from byhand import LSTM, LoadError, Trace
from byhand.__main__ import main
from byhand.explorer.load.checkpoint import read as read_weights
from byhand.nn.snapshots import Snapshots
from byhand.train import SequenceModel
from byhand.train.callbacks.checkpoint_files import WholeCheckpoints
from byhand.train.cli.resume import read_kept


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["byhand"])


@pytest.mark.parametrize("kind", READERS)
def test_damaged_files_are_refused_or_hit_where_nothing_is(kind: str) -> None:
    """A sample; many_damaged_files.py takes thousands of each. Only archives have such places: filling, dates."""
    name, read = READERS[kind]
    path = whole(name)
    refused, harmless = outcomes(path, path.read_bytes(), lambda: read(path), LoadError, count=120, seed=kind)
    assert refused >= 60 and (harmless == 0 or kind in ("archive", "kept", "weights"))


def with_a_flipped_weight(name: str) -> Path:
    """The last bit of a weight's first byte, in the middle of its record."""
    path = copied(name)
    content = torch.load(path, weights_only=True)
    values = next(value for value in content["state_dict"].values() if value.numel() in (1, 8))
    found = path.read_bytes()
    number = bytes(values.flatten().view(torch.uint8).tolist())
    assert found.count(number) >= 1
    at = found.index(number)
    path.write_bytes(found[:at] + bytes([found[at] ^ 1]) + found[at + 1 :])
    changed = torch.load(path, weights_only=True)["state_dict"]
    assert any(not torch.equal(value, changed[key]) for key, value in content["state_dict"].items())  # torch says nothing
    return path


def test_every_command_refuses_a_flipped_bit_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(with_a_flipped_weight("fit.ckpt"))
    for command in ("fit", "validate", "test", "predict"):
        error = said(capsys, command, *DATA, "--ckpt_path", path)
        assert (
            f"--ckpt_path {path}: expected a checkpoint that byhand fit has kept, got a file that is damaged: its bytes"
            in error
        )
    assert main(["explore", path, "--save", "page.html"]) == 2
    assert "its bytes differ from the checksums in it\n" in capsys.readouterr().err
    with pytest.raises(LoadError, match="its bytes differ from the checksums in it"):
        SequenceModel.load_from_checkpoint(path)
    assert [one.name for one in Path().iterdir()] == [path]


def test_the_lesson_refuses_damaged_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Asked for the epochs that the file has, so that a whole one is said to have them."""
    path = with_a_flipped_weight("lesson.ckpt")
    monkeypatch.setattr(sys, "argv", ["LSTM.py", "--resume", str(path), "--epochs", "3"])
    whole, refused = (
        "--resume lesson.ckpt has 3 epochs already",
        "lesson.ckpt: expected a whole last.ckpt of an earlier run, got ",
    )
    contents = (path.read_bytes(), *damaged((EARLIER / "lesson.ckpt").read_bytes(), 60, "lesson"))
    for number, content in enumerate(contents):
        path.write_bytes(content)
        with pytest.raises(SystemExit) as ended:
            LESSON.main()
        error = capsys.readouterr().err
        assert ended.value.code == 2 and (refused in error or (number and whole in error)), error


def test_a_checkpoint_that_is_cut_short_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    path = copied("fit.ckpt")
    path.write_bytes(path.read_bytes()[:-400])
    error = said(capsys, "test", *DATA, "--ckpt_path", "fit.ckpt")
    assert error.endswith("expected a checkpoint that byhand fit has kept, got a file that is damaged: its end is missing\n")


def test_a_trainer_of_byhand_fit_reads_what_is_verified_only() -> None:
    """Also what Lightning reads by itself, as with ckpt_path in a program."""
    path = with_a_flipped_weight("fit.ckpt")
    with pytest.raises(LoadError, match="its bytes differ from the checksums in it"):
        WholeCheckpoints().load_checkpoint(path)
    state = WholeCheckpoints().load_checkpoint(copied("fit.ckpt"))["state_dict"]
    assert {name: value.tolist() for name, value in state.items()} == EXPECTED["fit"]


def test_what_was_saved_before_is_still_read() -> None:
    """These files were written before anything was verified but model folders."""
    assert {name: value.tolist() for name, value in LSTM.from_pretrained(EARLIER / "model").state_dict().items()} == EXPECTED[
        "model"
    ]
    trace = Trace.load(EARLIER / "trace.safetensors")
    assert {site: trace[site].tolist() for site in ("l0.f", "l0.c", "l0.h")} | {
        "grad": trace.grad["l0.c"].tolist()
    } == EXPECTED["trace"]
    taken = Snapshots.load(EARLIER / "snapshots.safetensors")
    assert (
        taken.epochs == EXPECTED["snapshots"]["epochs"]
        and [loss for _, loss in taken.losses] == EXPECTED["snapshots"]["losses"]
    )
    assert [one.state["bias_ih_l0"].tolist() for one in taken.kept] == EXPECTED["snapshots"]["bias"]
    model = SequenceModel.load_from_checkpoint(EARLIER / "fit.ckpt")
    assert {name: value.tolist() for name, value in model.state_dict().items()} == EXPECTED["fit"]
    state = read_weights(EARLIER / "lesson.ckpt")["state_dict"]
    assert {name: value.tolist() for name, value in state.items()} == EXPECTED["lesson"]
    assert read_kept(str(EARLIER / "fit.ckpt"), None).epochs == 2


def test_a_training_kept_before_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = ["--trainer.logger", "false", "--trainer.enable_progress_bar", "false", "--trainer.default_root_dir", "runs"]
    small = ["--data.batch_size", "4", "--model.hidden_size", "2", "--trainer.max_epochs", "3"]
    assert main(["fit", *DATA, *small, *quiet, "--ckpt_path", str(copied("fit.ckpt"))]) == 0, capsys.readouterr().err
