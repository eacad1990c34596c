"""Checkpoints: whole or not at all, the best taken along, the last always there."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from commands import Here

from byhand.files.atomic import write_whole
from byhand.train.cli.run_folder import claimed, unclaim

CHECKPOINTS = "runs/small/version_{}/checkpoints"


def epochs_of(folder: Path, version: int) -> tuple[int, int]:
    """In which epoch the best and the last were kept."""
    found = (torch.load(folder / CHECKPOINTS.format(version) / f"{name}.ckpt", weights_only=True) for name in ("best", "last"))
    best, last = (int(one["epoch"]) for one in found)
    return best, last


def test_the_best_comes_along(folder: Path, here: Here) -> None:
    """A training that goes on with a rate that ruins the model keeps the best of before, in its own folder; the last is the last."""
    words = ["fit", "--config", "small.yaml", "--model.learning_rate", "3", "--model.clip", "0"]
    here(folder, *words, "--trainer.max_epochs", "4")
    best, last = epochs_of(folder, 0)
    assert last == 3
    kept = CHECKPOINTS.format(0)
    here(folder, *words, "--trainer.max_epochs", "6", "--ckpt_path", f"{kept}/last.ckpt")
    best_on, last_on = epochs_of(folder, 1)
    here(folder, *words, "--trainer.max_epochs", "6")
    assert (best_on, last_on) == epochs_of(folder, 2) and last_on == 5
    assert best_on == best < last  # else nothing is shown here
    assert (folder / CHECKPOINTS.format(1) / "best.ckpt").read_bytes() == (folder / kept / "best.ckpt").read_bytes()


def test_trainings_at_the_same_moment_have_folders_of_their_own(tmp_path: Path) -> None:
    found, barrier = list[list[Path]](), threading.Barrier(12)

    def claim() -> None:
        barrier.wait()
        found.append(claimed(str(tmp_path / "runs"), "same")[1])

    threads = [threading.Thread(target=claim) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {made[0].name for made in found} == {f"version_{n}" for n in range(12)}
    for made in found:
        unclaim(made)
        assert not made[0].exists()
    _, made = claimed(str(tmp_path / "alone"), "same")
    unclaim(made)
    assert not (tmp_path / "alone").exists() and tmp_path.exists()  # those above it, too, as they were made for it


def test_a_kill_leaves_one_checkpoint_or_the_other(tmp_path: Path) -> None:
    script = (
        "import sys, torch\nfrom byhand.train.callbacks.checkpoint_files import WholeCheckpoints\n"
        "for n in range(100000):\n    WholeCheckpoints().save_checkpoint({'x': torch.full((200_000,), n)}, 'one.ckpt')\n"
        "    if n == 0: print('.', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for delay in (0.0, 0.011, 0.023, 0.037):
            threading.Event().wait(delay)
            x = torch.load(tmp_path / "one.ckpt", weights_only=True)["x"]
            assert (x == x[0]).all()
        process.send_signal(signal.SIGKILL)
    x = torch.load(tmp_path / "one.ckpt", weights_only=True)["x"]
    assert (x == x[0]).all() and len(x) == 200_000


def test_devices_and_links_stay_what_they_are(tmp_path: Path) -> None:
    write_whole(Path("/dev/null"), b"gone")
    assert not Path("/dev/null").is_file()
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far/file")
    write_whole(tmp_path / "link", b"there")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "far/file").read_bytes() == b"there"
    reading, writing = os.pipe()
    write_whole(Path(f"/dev/fd/{writing}"), b"passed on")
    assert os.read(reading, 100) == b"passed on"
    with pytest.raises(IsADirectoryError, match="it is a folder; name a file"):
        write_whole(tmp_path, b"")
