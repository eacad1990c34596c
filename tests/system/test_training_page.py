"""docs/training.md: what it says to type works. (Several processes: test_two_processes.py.)"""

import re
import shlex
from datetime import date, timedelta
from pathlib import Path

import pytest
from commands import Here
from conftest import ROOT

PAGE = (ROOT / "docs/training.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
TYPED = [line for language, block in BLOCKS if not language for line in block.splitlines() if line.startswith("byhand ")]
GOES_ON = re.findall(r"`byhand (fit[^`]*last\.ckpt)`", PAGE)
SHORT = ["--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"]


def test_what_is_typed_works(tmp_path: Path, here: Here) -> None:
    """In the order of the page, each training cut short. (Those of a text, which say what they read, in test_installed.py.)"""
    for name, first in (("sales", 0), ("newer", 200)):
        days = [f"{date(2024, 1, 1) + timedelta(at)},{at % 7 + at % 3}" for at in range(first, first + 300)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["date,sales", *days]) + "\n")
    alone = [shlex.split(line)[1:] for line in TYPED if "ddp" not in line and "text" not in line]
    assert len(alone) >= 6 and len(GOES_ON) == 1
    for words in alone:
        out = here(tmp_path, *words, *((*SHORT, "--trainer.max_epochs", "1") if words[0] == "fit" else ()))
        assert ("its scales are kept: sales: " in out) == ("--fine_tune" in words)
    assert (tmp_path / "answers.csv").read_text().count("\n") > 100
    out = here(tmp_path, *shlex.split(GOES_ON[0]), *SHORT, "--trainer.max_epochs", "2")
    assert "4 steps in 2 epochs" in out


def test_what_options_are_explained(tmp_path: Path, here: Here) -> None:
    assert "`byhand fit --data.help Table`" in PAGE
    with pytest.raises(SystemExit) as done:
        here(tmp_path, "fit", "--data.help", "Table")
    assert done.value.code == 0


def test_its_programs_run(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = [block for language, block in BLOCKS if language == "python" and "ray" not in block]
    here(tmp_path, "fit", "--config", "adding", *SHORT, "--trainer.max_epochs", "1")
    monkeypatch.chdir(tmp_path)
    assert len(programs) == 2
    for program in programs:
        exec(compile(program.replace("max_steps=500", "max_steps=2"), "docs/training.md", "exec"), {})
