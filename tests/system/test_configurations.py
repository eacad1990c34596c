"""The configurations that come along, and words as they are typed."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import Here
from conftest import ROOT
from explored import shown
from page_in_node import answers_in
from torch.nn import functional as F

from byhand import tasks
from byhand.explorer.load.fit_run import task_of
from byhand.tasks.task import IGNORE_INDEX
from byhand.train import SequenceModel
from byhand.train.cli.arguments import shortened

CONFIGS = ROOT / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def test_each_task_has_one() -> None:
    named = {yaml.safe_load(path.read_text())["data"]["class_path"] for path in CONFIGS.glob("*.yaml")}
    assert named == set(tasks.TASKS)


def test_a_text_has_as_many_steps_as_it_takes_to_read_the_help_twelve_times() -> None:
    """Or nearly: the help differs a little between versions of Python."""
    trainer = yaml.safe_load((CONFIGS / "text.yaml").read_text())["trainer"]
    text = tasks.Text(steps=100)
    assert trainer["max_steps"] == 12 * trainer["val_check_interval"]
    assert abs(text.count("train", text.batch_size) - trainer["val_check_interval"]) <= 10
    assert text.count("val", text.batch_size) <= trainer["limit_val_batches"]


def test_a_short_text_is_trained_in_steps_and_ends_when_nothing_more_is_learnt(tmp_path: Path, here: Here) -> None:
    """Letters at random can only be learnt by heart."""
    (tmp_path / "short.txt").write_text("".join(random.Random(0).choices("abcd", k=1500)))
    small = ["--data.batch_size", "2", "--data.steps", "20", "--model.hidden_size", "16", "--trainer.val_check_interval", "20"]
    words = ["--config", str(CONFIGS / "text.yaml"), "--data.path", "short.txt", *small]
    out = here(tmp_path, "fit", *words)
    bits = [float(one) for one in re.findall(r"^epoch \d+  step \d+ .*val_bits (\S+)", out, re.MULTILINE)]
    assert f"{20 * len(bits)} steps in" in out and 4 <= len(bits) < 1572 / 20
    assert min(bits[:-3]) <= min(bits[-3:])  # the last three validations brought nothing better
    out = here(tmp_path, "fit", *words, "--trainer.max_steps", "30", "--name", "shorter")
    assert "30 steps in" in out and "best.ckpt" in out


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_trains(name: str, tmp_path: Path, here: Here) -> None:
    """A step of the quick version, the test that it names, and its page."""
    path = CONFIGS / f"{name}.yaml"
    assert len(path.read_text().splitlines()) <= 25
    once = ["--trainer.max_steps", "1", "--trainer.limit_val_batches", "1"]
    out = here(tmp_path, "fit", "--config", str(path), "--quick", *once)
    (line,) = [line for line in out.splitlines() if line.startswith("test it:")]
    (run,) = (tmp_path / "runs").glob("*/version_0")
    assert f"--config runs/{run.parent.name}/version_0/config.yaml" in line
    # with one step there is no epoch whose end could be judged, so there may be no best one
    tested = here(
        tmp_path,
        *("test", "--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/last.ckpt")),
        *("--trainer.limit_test_batches", "1"),
    )
    assert "the model" in tested
    found = shown(run / "checkpoints/last.ckpt")  # what was written is read again as it was: its task is made from config.yaml
    assert found["computed"] and found["items"][0]["name"] == ("company A" if name == "companies" else "test sequence 0")
    task = yaml.safe_load(path.read_text())["data"]["class_path"]
    assert found["title"].startswith(f"{task}: ") and not any("its task" in notice for notice in found["notices"])
    check_answers(run, answers_in(found, tmp_path))


def check_answers(run: Path, found: list[dict[str, Any]]) -> None:
    """The page's answers are the model's own predictions, and what it says they should be is the task's own."""
    path = run / "checkpoints/last.ckpt"
    model = SequenceModel.load_from_checkpoint(path, map_location="cpu", weights_only=True).eval()
    task, _ = task_of(path, model)
    assert task is not None
    batch = task.batch("test", 0, 0, 4)
    with torch.no_grad():
        output, _ = model(batch.input, batch.lengths)
    rows = list(task.rows(batch, model.goal.answer(output))) if isinstance(task, tasks.Table) else []
    for row, one in enumerate(found):
        steps = len(batch.input) if batch.lengths is None else int(batch.lengths[row])
        assert len(one["answers"]) == steps
        outputs, targets = (
            (output[:steps, row], batch.target[:steps, row]) if task.form.every else (output[[row]], batch.target[[row]])
        )
        asked = [at for at in range(len(outputs)) if (targets[at] != IGNORE_INDEX).all()]
        for answer in one["answers"]:
            at = answer["time"] if task.form.every else 0
            assert at in asked and (task.form.every or answer["time"] == steps - 1)
            if task.form.goal != "regression":
                assert answer["outputs"][0]["index"] == int(outputs[at].argmax())
                shown = [outputs[at].softmax(-1)[choice["index"]].item() for choice in answer["outputs"]]
                assert [choice["value"] for choice in answer["outputs"]] == pytest.approx(shown, abs=1e-6)
                assert [choice["index"] for choice in answer["right"]] == [int(targets[at])]
            elif isinstance(task, tasks.Table):
                (choice,), (right,) = answer["outputs"], answer["right"]
                assert choice["value"] == pytest.approx(rows[row]["answer"], rel=1e-6) and choice["name"].endswith(
                    rows[row]["time"]
                )
                assert right["value"] == pytest.approx(rows[row]["target"], abs=1e-9)
            else:
                assert [choice["value"] for choice in answer["outputs"]] == pytest.approx(outputs[at].tolist(), abs=1e-6)
                assert [choice["value"] for choice in answer["right"]] == pytest.approx(targets[at].flatten().tolist())
            assert answer["here"] == (answer["line"].startswith(("answer after", "next after")))
        loss = F.mse_loss(outputs, targets) if task.form.goal == "regression" else F.cross_entropy(outputs, targets)
        assert one["loss"]["value"] == pytest.approx(loss.item(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "--config", "{}/adding.yaml", "--quick", "--model.cell", "rnn"],
        ["fit", "--quick", "-c", "{}/adding.yaml", "--model.cell", "rnn"],
        ["fit", "--config={}/adding.yaml", "--model.cell", "rnn", "--quick"],
    ],
)
def test_the_shorter_version_comes_after_the_whole(words: list[str]) -> None:
    found = shortened([word.format(CONFIGS) for word in words])
    assert "--quick" not in found
    at = found.index(str(CONFIGS / "quick/adding.yaml"))
    assert found[at - 1] == "--config" and f"{CONFIGS}/adding.yaml" in found[at - 2] and "--model.cell" in found[at:]


def test_there_is_nothing_to_shorten() -> None:
    assert shortened(["fit", "--config", "mine.yaml"]) == ["fit", "--config", "mine.yaml"]
    with pytest.raises(ValueError, match=r"--quick: expected a shorter version of mine\.yaml in quick/mine\.yaml"):
        shortened(["fit", "--config", "mine.yaml", "--quick"])
    with pytest.raises(ValueError, match="--quick: expected a configuration"):
        shortened(["fit", "--quick"])
