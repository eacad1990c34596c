"""The configurations that come along, and words as they are typed."""

import random
import re
import shutil
from pathlib import Path

import pytest
import yaml
from commands import Here
from explored import shown

from byhand import configs, tasks
from byhand.configs import cli
from byhand.train.cli.arguments import expanded

CONFIGS = configs.FOLDER


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
    words = ["--config", "text", "--data.path", "short.txt", *small]
    out = here(tmp_path, "fit", *words)
    bits = [float(one) for one in re.findall(r"^epoch \d+  step \d+ .*val_bits (\S+)", out, re.MULTILINE)]
    assert f"{20 * len(bits)} steps in" in out and 4 <= len(bits) < 1572 / 20
    assert min(bits[:-3]) <= min(bits[-3:])  # the last three validations brought nothing better
    out = here(tmp_path, "fit", *words, "--trainer.max_steps", "30", "--name", "shorter")
    assert "30 steps in" in out and "best.ckpt" in out


@pytest.mark.parametrize("name", configs.NAMES)
def test_it_is_short_and_trains(name: str, tmp_path: Path, here: Here) -> None:
    """A step of the quick version, the test that it names, and its page."""
    path = CONFIGS / f"{name}.yaml"
    assert len(path.read_text().splitlines()) <= 25
    once = ["--trainer.max_steps", "1", "--trainer.limit_val_batches", "1"]
    out = here(tmp_path, "fit", "--config", name, "--quick", *once)
    assert out.startswith(
        f"configuration: {name}, as it comes with byhand, in its shorter version; to see it: byhand configs {name}\n"
    )
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


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "--config", "adding", "--quick", "--model.cell", "rnn"],
        ["fit", "--quick", "-c", "adding", "--model.cell", "rnn"],
        ["fit", "-cadding.yaml", "--quick", "--model.cell", "rnn"],
        ["fit", "--config=configs/adding.yaml", "--model.cell", "rnn", "--quick"],
    ],
)
def test_the_shorter_version_comes_after_the_whole(words: list[str], folder: Path) -> None:
    """However it is typed; configs/adding.yaml is what it was called up to version 0.1."""
    whole, quick = CONFIGS / "adding.yaml", CONFIGS / "quick/adding.yaml"
    assert expanded(words) == ["fit", "--config", str(whole), "--config", str(quick), "--model.cell", "rnn"]


def test_there_is_nothing_to_shorten(folder: Path) -> None:
    assert expanded(["fit", "--config", "small.yaml"]) == ["fit", "--config", "small.yaml"]
    inline = ["fit", "--config", "{name: mine}"]
    assert expanded(inline) == inline
    with pytest.raises(ValueError, match=r"--quick: expected a shorter version of small\.yaml in quick/small\.yaml"):
        expanded(["fit", "--config", "small.yaml", "--quick"])
    with pytest.raises(ValueError, match="--quick: expected a configuration"):
        expanded(["fit", "--quick"])


def test_a_file_in_the_folder_comes_first(folder: Path, here: Here) -> None:
    """As it is typed, then with .yaml; a folder is no file."""
    assert configs.find("adding") == configs.find("configs/adding.yaml") == CONFIGS / "adding.yaml"
    (folder / "adding").mkdir()
    assert configs.find("adding") == CONFIGS / "adding.yaml"
    shutil.copy(folder / "small.yaml", folder / "adding.yaml")
    assert configs.find("adding") == configs.find("adding.yaml") == Path("adding.yaml")
    assert configs.find("configs/adding.yaml") == CONFIGS / "adding.yaml"
    (folder / "configs").mkdir()
    shutil.copy(folder / "small.yaml", folder / "configs/adding.yaml")
    assert configs.find("configs/adding.yaml") == configs.find("configs/adding") == Path("configs/adding.yaml")
    out = here(folder, "fit", "--config", "adding", "--trainer.max_steps", "1")
    assert "configuration: " not in out and "--config runs/small/version_0/config.yaml" in out


@pytest.mark.parametrize("word", ["subtracting", "../adding", "quick", "configs", "configs/../adding.yaml", ""])
def test_names_that_there_are_not(word: str, folder: Path) -> None:
    with pytest.raises(
        ValueError, match="expected a file, or the name of a configuration that comes with byhand: adding, an_bn, "
    ):
        configs.find(word)


def test_they_are_listed_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    listed, end = capsys.readouterr().out.split("\n\n")
    assert [line.split()[0] for line in listed.splitlines()] == configs.NAMES
    assert "adding           Two marked numbers among a hundred are to be added\n" in listed
    assert all(len(line) <= 120 for line in listed.splitlines()) and "--copy" in end


def test_one_is_printed_and_copied(folder: Path, capsys: pytest.CaptureFixture[str], here: Here) -> None:
    """With its shorter version, so that --quick does with the copy what it did."""
    assert cli.main(["adding"]) == 0
    assert capsys.readouterr().out == (CONFIGS / "adding.yaml").read_text()
    for _ in range(2):  # what is there as it was copied is in nobody's way
        assert cli.main(["adding", "--copy"]) == 0
        assert "wrote adding.yaml and quick/adding.yaml" in capsys.readouterr().out
    out = here(folder, "fit", "--config", "adding", "--quick", "--trainer.max_steps", "1")
    assert "configuration: " not in out
    assert "length: 20\n" in (folder / "runs/adding/version_0/config.yaml").read_text()


@pytest.mark.parametrize("name", ["adding.yaml", "quick/adding.yaml"])
def test_nothing_is_copied_over_a_file(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "quick").mkdir()
    (folder / name).write_text("mine")
    assert cli.main(["adding", "--copy"]) == 2
    assert f"byhand configs: {name}: is there already, and is left as it is" in capsys.readouterr().err
    assert (folder / name).read_text() == "mine"
    assert {path.name for path in folder.rglob("*.yaml")} == {"small.yaml", "adding.yaml"}
    assert len(list(folder.rglob("adding.yaml"))) == 1


@pytest.mark.parametrize(("words", "got"), [(["--copy"], ":"), (["subtracting"], ", got subtracting:")])
def test_what_byhand_configs_refuses(words: list[str], got: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"byhand configs: expected the name of a configuration that comes with byhand{got} adding, an_bn, ")
    assert error.count("\n") == 1
