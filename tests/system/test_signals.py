"""Ctrl-C and SIGTERM, sent to byhand fit."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import programs
import pytest
import torch
from commands import Here, alone

WORDS = ["fit", "--config", "small.yaml", "--trainer.max_epochs", "100000"]


@contextmanager
def training(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """One that has come to its second epoch."""
    with subprocess.Popen(
        programs.python("-m", "byhand", *WORDS, *words),
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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_was_learned_is_kept_and_gone_on_with(number: signal.Signals, code: int, trained: Path, here: Here) -> None:
    """By the line that is printed; and what callbacks keep at the end is kept as well."""
    name = number.name
    with training(trained, "--name", name, "--trainer.callbacks+=byhand.train.callbacks.SnapshotCallback") as process:
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
    assert process.returncode == code, error
    assert "stopping after this step" in error and "Traceback" not in error
    assert (trained / f"runs/{name}/version_0/snapshots.safetensors").is_file()
    (again,) = re.findall(r"^go on:    byhand (.*)$", out, re.MULTILINE)
    steps = last(trained, name)["global_step"] + 7
    limits = ["--trainer.max_epochs=-1", "--trainer.max_steps", str(steps)]
    here(trained, *again.split(), "--name", f"{name}-on", *limits)
    here(trained, *WORDS, "--name", f"{name}-whole", *limits)
    on, whole = last(trained, f"{name}-on"), last(trained, f"{name}-whole")
    assert on["global_step"] == whole["global_step"] == steps
    assert all(torch.equal(value, on["state_dict"][key]) for key, value in whole["state_dict"].items())


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
