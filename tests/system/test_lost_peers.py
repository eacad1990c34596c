"""A training of two processes, one of which dies: the other ends with a line that says how to go on, not with gloo's traceback."""

import shlex
from pathlib import Path

import pytest
import torch
from commands import typed

from byhand.train.callbacks.peers import is_lost_peer, lost_peer
from byhand.train.cli import command

DYING = """
import os, signal
from lightning.pytorch.callbacks import Callback

class Dying(Callback):
    def __init__(self, rank: int) -> None:
        self.rank = rank

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 2 and trainer.global_rank == self.rank:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.usefixtures("folder")
def test_one_of_two_processes_dies(folder: Path) -> None:
    (folder / "dying.py").write_text(DYING)
    two = ["--trainer.strategy", "ddp", "--trainer.devices", "2", "--trainer.accelerator", "cpu", "--trainer.max_epochs", "9"]
    done = typed(
        folder,
        "fit",
        "--config",
        "small.yaml",
        *two,
        "--trainer.callbacks+=dying.Dying",
        "--trainer.callbacks.rank=1",
        fresh=True,
    )
    assert done.returncode in (1, -9), done.stderr  # five seconds after the death Lightning kills whoever is left
    assert done.stderr.count("\n") == 1, done.stderr
    said, _, advice = done.stderr.partition("; to go on: ")
    assert said == "byhand fit: another process of this training has ended, and this one with it"
    words = shlex.split(advice)
    assert words[:3] == ["byhand", "fit", "--config"] and (folder / words[3]).is_file() and words[4] == "--ckpt_path"
    assert torch.load(folder / words[5], weights_only=True)["epoch"] == 1


def test_what_is_no_lost_peer_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = "[pair.cc:537] Read error [127.0.0.1]:16277: Connection reset by peer. This is typically caused by a remote worker"
    assert is_lost_peer(RuntimeError(lost)) and is_lost_peer(torch.distributed.DistBackendError("NCCL error"))
    assert not is_lost_peer(RuntimeError("size mismatch")) and not is_lost_peer(ValueError(lost))
    assert lost_peer(None).endswith("nothing was kept yet: type the same again")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("size mismatch")

    monkeypatch.setattr(command, "Command", fail)
    with pytest.raises(RuntimeError, match="size mismatch"):
        command.main(["fit"])
