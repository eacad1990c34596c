"""Ctrl-C and SIGTERM, sent to byhand fit."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from commands import Here, alone

WORDS = ["fit", "--config", "small.yaml", "--trainer.max_epochs", "100000"]


@contextmanager
def training(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """One that has come to its second epoch."""
    with subprocess.Popen(
        [sys.executable, "-m", "byhand", *WORDS, *words],
        cwd=folder,
        env=alone(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("epoch 1"):
                    break
            yield process
        finally:
            process.kill()


def last(folder: Path, name: str) -> dict[str, Any]:
    return torch.load(folder / f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True)


def test_what_was_learned_is_kept_and_gone_on_with(trained: Path, here: Here) -> None:
    """After Ctrl-C, by the line that it prints."""
    with training(trained, "--name", "cut") as process:
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "stopping after this step" in error and "Traceback" not in error
    (again,) = re.findall(r"^go on:    byhand (.*)$", out, re.MULTILINE)
    steps = last(trained, "cut")["global_step"] + 7
    limits = ["--trainer.max_epochs=-1", "--trainer.max_steps", str(steps)]
    here(trained, *again.split(), "--name", "on", *limits)
    here(trained, *WORDS, "--name", "whole", *limits)
    on, whole = last(trained, "on"), last(trained, "whole")
    assert on["global_step"] == whole["global_step"] == steps
    assert all(torch.equal(value, on["state_dict"][key]) for key, value in whole["state_dict"].items())


def test_sigterm_is_as_good(trained: Path) -> None:
    """As batch systems send it; what callbacks keep at the end is kept as well."""
    with training(trained, "--name", "term", "--trainer.callbacks+=byhand.train.snapshots.Snapshots") as process:
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 143 and "go on:" in out and "stopping after this step" in error, error
    assert last(trained, "term")["global_step"] >= 120
    assert (trained / "runs/term/version_0/snapshots.safetensors").is_file()


def test_a_second_ctrl_c_ends_it_at_once(trained: Path) -> None:
    """In the middle of a step that takes for ever; what the epoch before has kept is there."""
    (trained / "slow.py").write_text(
        "import time\nfrom lightning.pytorch.callbacks import Callback\n\n\nclass Slow(Callback):\n"
        "    def on_train_batch_start(self, trainer, *_):\n"
        "        if trainer.global_step == 125:\n            print('slow', flush=True)\n            time.sleep(600)\n"
    )
    with training(trained, "--name", "twice", "--trainer.callbacks+=slow.Slow") as process:
        assert process.stdout is not None and process.stderr is not None
        assert any(line == "slow\n" for line in process.stdout)
        process.send_signal(signal.SIGINT)
        assert any("again to stop at once" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and error == "byhand: interrupted\n"
    assert last(trained, "twice")["global_step"] == 120
