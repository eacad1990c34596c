"""What the tests of byhand fit, validate, test and predict share."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import programs
import pytest

from byhand.train.cli.command import main

Here = Callable[..., str]
CONFIG = """
name: small
data: {class_path: Adding, init_args: {length: 8, batch_size: 8, batches: 60, sequences: 32}}
model: {hidden_size: 8, learning_rate: 0.03}
trainer:
  max_epochs: 2
  callbacks: [{class_path: byhand.train.callbacks.Gates, init_args: {pictures: false}}] # which take longer to draw than to train
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


def typed(folder: Path, *words: str, fresh: bool = False, **options: object) -> subprocess.CompletedProcess[str]:
    """fresh: in a process that has imported nothing yet, for what hangs on its start."""
    command = [sys.executable, "-m", "byhand", *words] if fresh else programs.python("-m", "byhand", *words)
    options["env"] = alone()
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload]


def alone() -> dict[str, str]:
    """The environment of one thread, as in this process: how sums are shared out shows in their last bits."""
    return os.environ | {"OMP_NUM_THREADS": "1"}


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
