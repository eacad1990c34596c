"""How checkpoints are kept: whole or not at all, and the best one also by who goes on in another folder."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.callbacks import ModelCheckpoint

from byhand.errors import LoadError
from byhand.files.archive import read_archive
from byhand.files.atomic import write_whole


class WholeCheckpoints(TorchCheckpointIO):
    """Written into the file's own folder and then put in the place of what was there, so that a kill or a full disk leaves the old
    one; verified before they are read.

    (Lightning writes to /tmp and moves, which between two disks is a copy.) Addresses such as s3://... are left to Lightning.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None) -> None:
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)  # type: ignore[arg-type]
            return
        whole = io.BytesIO()
        torch.save(checkpoint, whole)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(Path(path), whole.getvalue())

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """LoadError for one whose numbers are not as they were written."""
        if "://" in str(path) or weights_only is False:
            return super().load_checkpoint(path, map_location, weights_only)  # type: ignore[arg-type]
        try:
            return read_archive(path)
        except LoadError as problem:
            raise LoadError(f"{path}: expected a checkpoint, got {problem}") from problem


class Best(ModelCheckpoint):
    """Lightning's; but a training that goes on, in a folder of its own, takes the best so far along, and what is better has to be
    better than that.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        old = [Path(path) for path in (state_dict["best_model_path"], *state_dict["best_k_models"]) if path]
        if self.dirpath and state_dict["dirpath"] != self.dirpath and all(path.is_file() for path in old):
            moved = {str(path): str(Path(self.dirpath) / path.name) for path in old}
            for path, new in moved.items():
                copy(Path(path), Path(new))
            state_dict = state_dict | {
                "dirpath": self.dirpath,
                "best_model_path": moved.get(state_dict["best_model_path"], ""),
                "kth_best_model_path": moved.get(state_dict["kth_best_model_path"], ""),
                "best_k_models": {moved[path]: score for path, score in state_dict["best_k_models"].items()},
                "last_model_path": "",
            }
        super().load_state_dict(state_dict)


@rank_zero_only
def copy(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    write_whole(new, old.read_bytes())
