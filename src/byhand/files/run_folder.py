"""The folder of a run: runs/NAME/version_N of byhand fit, runs/lightning_logs/version_N of LSTM.py; which checkpoint it stands for."""

from __future__ import annotations

import shlex
from pathlib import Path

# From a run's checkpoints out to a folder of many runs.
PLACES = ("", "checkpoints/", "version_*/", "version_*/checkpoints/", "*/version_*/", "*/version_*/checkpoints/")
NAMES = ("best.ckpt", "last.ckpt")  # by which they are preferred, within a run


def checkpoint_in(folder: Path) -> Path | None:
    """The best checkpoint of a run, else its last, else its newest; of a folder of several runs, that of the newest. None if there is
    none.
    """
    found = [file for place in PLACES for file in sorted(folder.glob(f"{place}*.ckpt")) if file.is_file()]
    if not found:
        return None
    newest = max(found, key=lambda file: file.stat().st_mtime)
    of_its_run = {file.name: file for file in found if file.parent == newest.parent}
    return next((of_its_run[name] for name in NAMES if name in of_its_run), newest)


def config_of(checkpoint: Path) -> Path | None:
    """The config.yaml of the run that a checkpoint is of, beside it or one folder above, as byhand fit writes it."""
    folders = list(checkpoint.absolute().parents)[:2]
    return next((folder / "config.yaml" for folder in folders if (folder / "config.yaml").is_file()), None)


def what_is_missing(folder: Path, command: str) -> str:
    """Of a folder without a checkpoint, and what to type. command: that was typed, as in byhand write."""
    config = folder / "config.yaml"
    if config.is_file():
        return f"its training has kept none yet: byhand fit --config {shlex.quote(str(config))}"
    return f"a run has {' or '.join(NAMES)}: {command} runs/NAME/version_N, as byhand fit prints it"
