"""The folder of a training: runs/NAME/version_N."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers import TensorBoardLogger


def claimed(root: str, name: str) -> tuple[TensorBoardLogger, list[Path]]:
    """A log in a new folder, runs/NAME/version_N, which no other training takes at the same moment; and the folders made for it."""
    while True:
        logger = TensorBoardLogger(root, name=name)
        if not is_first():  # the folder of the first process counts
            return logger, []
        folder = Path(logger.log_dir)
        made = [one for one in (folder, *folder.parents) if not one.exists()]
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return logger, made


def is_first() -> bool:
    """Of the processes that train together."""
    return getattr(rank_zero_only, "rank", 0) == 0


def unclaim(made: list[Path]) -> None:
    """Without the folders of a training that came to nothing, as far as they are empty."""
    with suppress(OSError):
        for folder in made:
            folder.rmdir()
