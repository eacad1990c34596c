"""The other processes of a training: what is said when one of them has died."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch

from byhand.train.callbacks.report import typed

OF_PEERS = (
    "gloo/transport",
    "Connection closed by peer",
    "Connection reset by peer",
)  # in what gloo raises, plain RuntimeErrors


def is_lost_peer(error: BaseException) -> bool:
    """Whether torch.distributed has raised it, for a process that does not answer any more."""
    if not torch.distributed.is_available() or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.distributed.DistError) or any(words in str(error) for words in OF_PEERS)


def lost_peer(trainer: L.Trainer | None) -> str:
    """What to say then, in a line: the checkpoint to go on from is the last that this process knows of. (It cannot ask the others.)"""
    said = "another process of this training has ended, and this one with it"
    keeper: Any = None if trainer is None else trainer.checkpoint_callback
    last = getattr(keeper, "last_model_path", "")
    if not last:
        return f"{said}; nothing was kept yet: type the same again"
    return f"{said}; to go on: {typed('fit', Path(last).parents[1] / 'config.yaml', last)}"
