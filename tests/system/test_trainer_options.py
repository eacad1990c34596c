"""The options of Lightning's trainer that courses teach: each does what it is for, with every task, or is refused in a line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import Here, said, typed
from torch import Tensor
from watched import Watched

from byhand.tasks import TASKS
from byhand.train import train
from byhand.train.cli.command import main

BATCHES = 6  # in an epoch, of 8 sequences; 4 in a validation
CONFIG = f"""
data: {{class_path: Adding, init_args: {{length: 8, batch_size: 8, batches: {BATCHES}, sequences: 32}}}}
model: {{hidden_size: 4, learning_rate: 0.03}}
trainer:
  max_epochs: 2
  callbacks:
  - {{class_path: byhand.train.callbacks.Gates, init_args: {{pictures: false}}}}
  - watched.Watched
"""


IN_PIECES = "--data ContinualReber --model.tbptt_steps 5"


@pytest.fixture
def fit(tmp_path: Path, here: Here) -> Any:
    """Trains with these options; gives what was noted."""
    (tmp_path / "tiny.yaml").write_text(CONFIG)

    def run(*words: str, name: str = "it") -> Watched:
        Watched.last = Watched()
        run.out = here(tmp_path, "fit", "--config", "tiny.yaml", "--name", name, *words)  # type: ignore[attr-defined]
        return Watched.last

    return run


def weights(folder: Path, name: str = "it") -> dict[str, Tensor]:
    return torch.load(folder / f"runs/{name}/version_0/checkpoints/last.ckpt", weights_only=True)["state_dict"]


def equal(inputs: list[Tensor]) -> bool:
    return all(torch.equal(one, inputs[0]) for one in inputs)


def norms(seen: Watched) -> list[float]:
    return [torch.nn.utils.get_total_norm(found).item() for found in seen.gradients]


SIZES: dict[str, dict[str, Any]] = {name: {"batch_size": 4} for name in TASKS if name != "Companies"}


@pytest.mark.parametrize("name", TASKS)
def test_overfit_batches_is_the_same_batch_at_every_step(name: str) -> None:
    seen, options = Watched(), {"overfit_batches": 1, "limit_test_batches": 1}
    train(TASKS[name](**SIZES.get(name, {})), {"hidden_size": 2}, max_steps=3, callbacks=[seen], trainer=options)
    assert len(seen.inputs["train"]) == 3 and equal(seen.inputs["train"])
    assert len(seen.inputs["val"]) >= 2 and equal(seen.inputs["val"])


def test_overfit_batches_learns_them_by_heart(fit: Any, tmp_path: Path) -> None:
    seen = fit("--trainer.overfit_batches", "2", "--trainer.max_epochs", "60", "--trainer.check_val_every_n_epoch", "60")
    first, second = seen.inputs["train"][:2]
    assert equal(seen.inputs["train"][::2]) and equal(seen.inputs["train"][1::2]) and not torch.equal(first, second)
    assert len(seen.inputs["train"]) == 120 and len(seen.inputs["val"]) == 2
    loss = float(re.findall(r"train_loss (\S+)", fit.out)[-1])
    assert loss < 0.02  # half of what guessing the mean gets


def test_fast_dev_run_is_a_trial_that_leaves_nothing(fit: Any, tmp_path: Path) -> None:
    seen = fit("--trainer.fast_dev_run", "2")
    assert (len(seen.inputs["train"]), len(seen.inputs["val"])) == (2, 2)
    assert "a trial of 2 steps, and a validation; nothing is kept" in fit.out
    assert [one.name for one in tmp_path.iterdir()] == ["tiny.yaml"]
    fit("--trainer.fast_dev_run", "true")
    assert "a trial of 1 steps" in fit.out


@pytest.mark.parametrize(
    ("words", "trained", "validated"),
    [
        (["--trainer.limit_train_batches", "2"], 4, 8),
        (["--trainer.limit_train_batches", "0.5"], 6, 8),
        (["--trainer.limit_val_batches", "1"], 12, 2),
        (["--trainer.limit_val_batches", "0"], 12, 0),
    ],
)
def test_limits_of_a_training(words: list[str], trained: int, validated: int, fit: Any) -> None:
    seen = fit(*words)
    assert (len(seen.inputs["train"]), len(seen.inputs["val"])) == (trained, validated)


def test_limits_of_a_test_and_a_prediction(fit: Any, tmp_path: Path, here: Here) -> None:
    fit("--trainer.max_steps", "1")
    last = ["--config", "tiny.yaml", "--ckpt_path", "runs/it/version_0/checkpoints/last.ckpt"]
    here(tmp_path, "test", *last, "--trainer.limit_test_batches", "1")
    assert len(Watched.last.inputs["test"]) == 1
    here(tmp_path, "predict", *last, "--trainer.limit_predict_batches", "2", "--output", "answers.csv")
    assert len(list(csv.DictReader((tmp_path / "answers.csv").read_text().splitlines()))) == 16


def test_accumulated_gradients_are_those_of_larger_batches(fit: Any, tmp_path: Path) -> None:
    """In float64, on a table, whose order of windows does not depend on the size of batches."""
    (tmp_path / "y.csv").write_text("y\n" + "".join(f"{at * at % 23}\n" for at in range(100)))
    (tmp_path / "table.yaml").write_text("data: {class_path: Table, init_args: {path: y.csv, target: y, window: 4}}")
    ways = {"two": ("8", "8", "2"), "one": ("16", "4", "1")}
    for name, (size, batches, accumulate) in ways.items():
        limits = ["--trainer.limit_train_batches", batches, "--trainer.accumulate_grad_batches", accumulate]
        seen = fit("--config", "table.yaml", "--trainer.precision", "64-true", "--data.batch_size", size, *limits, name=name)
        assert len(seen.inputs["train"]) == 2 * int(batches)
    assert "8 steps in 2 epochs" in fit.out
    two, one = (weights(tmp_path, name) for name in ways)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=1e-12)


@pytest.mark.parametrize("words", [["--trainer.gradient_clip_val"], ["--model.clip"]])
def test_gradients_are_clipped_to_the_norm(words: list[str], fit: Any) -> None:
    free = norms(fit(*words, "0", name="free"))
    clipped = norms(fit(*words, "0.02"))
    assert len(free) == len(clipped) >= 10 and min(free) > 0.02
    assert clipped == pytest.approx([0.02] * len(free), rel=1e-4)


def test_gradients_are_clipped_by_value(fit: Any) -> None:
    seen = fit("--trainer.gradient_clip_val", "0.003", "--trainer.gradient_clip_algorithm", "value")
    assert max(one.abs().max().item() for found in seen.gradients for one in found) == pytest.approx(0.003)


def test_mixed_precision_keeps_weights_in_float32_and_learns_the_same(fit: Any, tmp_path: Path) -> None:
    losses = {}
    for name, dtype in (("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)):
        seen = fit("--trainer.precision", name, name=name)
        assert dtype in seen.dtypes and all(one.dtype is torch.float32 for one in weights(tmp_path, name).values())
        losses[name] = float(re.findall(r"val_loss (\S+)", fit.out)[-1])
    assert losses["bf16-mixed"] == pytest.approx(losses["32-true"], rel=0.1)


@pytest.fixture
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # torch.testing, which other tests of this process may have imported, freezes the flags that Lightning sets.
    monkeypatch.setitem(torch.backends.flags_frozen.__globals__, "__allow_nonbracketed_mutation_flag", True)
    yield
    torch.use_deterministic_algorithms(False)  # which Lightning leaves on


@pytest.mark.usefixtures("_as_before")
@pytest.mark.parametrize("option", ["deterministic", "detect_anomaly"])
def test_it_is_on_and_changes_no_weight(option: str, fit: Any, tmp_path: Path) -> None:
    fit(name="off")
    seen = fit(f"--trainer.{option}", "true", name="on")
    assert {"deterministic": seen.deterministic, "detect_anomaly": seen.anomaly}[option] == {True}
    off, on = weights(tmp_path, "off"), weights(tmp_path, "on")
    for name, value in off.items():
        torch.testing.assert_close(on[name], value, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Error detected in")
def test_an_anomaly_ends_in_one_line(fit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit("--trainer.fast_dev_run", "true")
    diverging = ["--model.optimiser", "sgd", "--model.learning_rate", "1e30", "--model.clip", "0"]
    assert main(["fit", "--config", "tiny.yaml", "--trainer.detect_anomaly", "true", *diverging]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("byhand fit: Function '") and "returned nan values" in last and "--model.learning_rate" in last


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ([], [6, 12]),
        (["--trainer.val_check_interval", "0.5"], [3, 6, 9, 12]),
        (["--trainer.val_check_interval", "4"], [4, 10]),
        (["--trainer.val_check_interval", "4", "--trainer.check_val_every_n_epoch", "null"], [4, 8, 12]),
        (["--trainer.check_val_every_n_epoch", "2"], [12]),
        (["--trainer.check_val_every_n_epoch", "3"], []),
    ],
)
def test_when_it_is_validated(words: list[str], steps: list[int], fit: Any, tmp_path: Path) -> None:
    seen = fit(*words, "--trainer.log_every_n_steps", "100")
    printed = re.findall(r"^epoch \d+  step (\d+)  train_loss \S+  val_loss", fit.out, re.MULTILINE)
    assert seen.validations == list(map(int, printed)) == steps
    assert seen.read == pytest.approx([seen.losses[step - 1] for step in steps])  # not that of an earlier step
    best = tmp_path / "runs/it/version_0/checkpoints/best.ckpt"
    assert best.exists() == bool(steps) and ("best.ckpt" in fit.out) == bool(steps)


def test_a_validation_before_the_training_changes_nothing(fit: Any, tmp_path: Path) -> None:
    fit(name="without")
    seen = fit("--trainer.num_sanity_val_steps", "3", name="with")
    assert len(seen.inputs["sanity"]) == 3 and seen.validations == [6, 12]
    one, other = weights(tmp_path, "without"), weights(tmp_path, "with")
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_without_checkpoints_nothing_is_kept_but_the_log(fit: Any, tmp_path: Path) -> None:
    fit("--trainer.enable_checkpointing", "false")
    assert re.search(r"^12 steps in 2 epochs; log in runs/it/version_0\n\Z", fit.out, re.MULTILINE)
    assert not list(tmp_path.rglob("*.ckpt")) and (tmp_path / "runs/it/version_0/config.yaml").is_file()


def test_time_ends_a_training_and_what_was_learnt_is_kept(fit: Any, tmp_path: Path) -> None:
    seen = fit("--trainer.max_time", "00:00:00:01", "--trainer.max_epochs", "-1")
    steps = torch.load(tmp_path / "runs/it/version_0/checkpoints/last.ckpt", weights_only=True)["global_step"]
    assert steps == len(seen.inputs["train"]) > 1 and f"{steps} steps in " in fit.out and "go on: " in fit.out


def test_two_devices_need_no_other_word(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG.replace("  - watched.Watched\n", ""))
    done = typed(
        tmp_path,
        "fit",
        "--config",
        "tiny.yaml",
        "--trainer.devices",
        "2",
        "--trainer.max_steps",
        "2",
        "--name",
        "it",
        fresh=True,
    )
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("2 steps in 1 epochs")
    assert len(weights(tmp_path)) == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("accumulate_grad_batches=0", "--trainer.accumulate_grad_batches: expected at least 1, got 0"),
        ("check_val_every_n_epoch=0", "--trainer.check_val_every_n_epoch: expected at least 1, got 0"),
        ("gradient_clip_val=-1", "--trainer.gradient_clip_val: expected at least 0, got -1"),
        ("gradient_clip_algorithm=most", "Allowed algorithms: ['value', 'norm']"),
        ("max_time=10", "Expected a string in the format DD:HH:MM:SS"),
        ("val_check_interval=1.5", "invalid value 1.5 for val_check_interval"),
        ("barebones=true", "--trainer.barebones: expected false"),
        ("profiler=fastest", "it can only be one of ['simple', 'advanced'"),
        ("strategy=ddp_spawn", "--trainer.strategy: expected ddp, which starts its processes by itself; got ddp_spawn"),
        ("devices=0", "`Trainer(devices=0)` value is not a valid input"),
        (f"gradient_clip_val=0.1 {IN_PIECES}", "expected nothing beside --model.tbptt_steps: write --model.clip 0.1"),
        (f"accumulate_grad_batches=2 {IN_PIECES}", "--trainer.accumulate_grad_batches: expected 1 beside --model.tbptt_steps"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["byhand"])
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    assert message in said(capsys, *f"fit --config tiny.yaml --trainer.{words}".split())
    assert [one.name for one in tmp_path.iterdir()] == ["tiny.yaml"]
