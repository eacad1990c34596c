"""The configurations that come along, and words as they are typed."""

from pathlib import Path

import pytest
from commands import Here

from byhand import tasks
from byhand.train.words import shortened, without_prompt

CONFIGS = Path(__file__).parents[1] / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def test_each_task_has_one() -> None:
    named = {
        line.split()[-1] for path in CONFIGS.glob("*.yaml") for line in path.read_text().splitlines() if "class_path:" in line
    }
    assert named == {name for name, one in vars(tasks).items() if isinstance(one, type) and issubclass(one, tasks.Task)} - {
        "Task"
    }


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_trains(name: str, tmp_path: Path, here: Here) -> None:
    """A step of the quick version, and the test it tells."""
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


@pytest.mark.parametrize("prompt", ["null", "# hi", "a: b", "", "[1", "12", "--"])
@pytest.mark.parametrize("joined", [True, False])
def test_a_prompt_is_what_was_typed(prompt: str, joined: bool) -> None:
    typed = [f"--data.prompt={prompt}"] if joined else ["--data.prompt", prompt]
    words, found = without_prompt(["predict", *typed, "--data.temperature", "0.5"])
    assert found == prompt
    assert words == [
        "predict",
        *(["--data.prompt=prompt"] if joined else ["--data.prompt", "prompt"]),
        "--data.temperature",
        "0.5",
    ]
