"""`python LSTM.py` as a user runs it."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import programs
import pytest
import torch
from conftest import ROOT, run, run_here
from explored import document_in
from packaging.requirements import Requirement

import LSTM

LESSON = ROOT / "LSTM.py"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ten epochs were trained."""
    folder = tmp_path_factory.mktemp("kept")
    assert run_here(LESSON, "--epochs", "10", cwd=folder).returncode == 0
    return folder


def checkpoint(folder: Path, version: int = 0) -> Path:
    return folder / f"runs/lightning_logs/version_{version}/last.ckpt"


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Call the program with these options; it must end with status 2, write nothing, and give a message: this."""

    def call(*options: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["LSTM.py", *options])
        with pytest.raises(SystemExit) as ended:
            LSTM.main()
        assert ended.value.code == 2
        assert not (tmp_path / "runs").exists()
        return capsys.readouterr().err

    return call


def test_trains_and_shows_every_day(tmp_path: Path) -> None:
    done = run("python", str(LESSON), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for line in (
        "before  company A: prediction -0.0377, label 0",
        "before  company B: prediction -0.0383, label 1",
        "after   company A: prediction  0.0002, label 0",
        "after   company B: prediction  0.9868, label 1",
    ):
        assert line in done.stdout
    rows = re.findall(r"^([a-z_]+) +((?: +-?\d\.\d{4}){4})$", done.stdout, re.MULTILINE)
    assert len(rows) == 2 * 9
    last = [float(values.split()[-1]) for name, values in rows if name == "updated_short_memory"]
    assert last == pytest.approx([0.0002, 0.9868])
    assert "300/300" in done.stderr and "Warning" not in done.stderr
    assert checkpoint(tmp_path).exists()
    assert list(tmp_path.glob("runs/lightning_logs/version_0/events.out.tfevents.*"))
    last_line = done.stdout.splitlines()[-1]
    assert last_line == "see it: byhand explore runs/lightning_logs/version_0"
    typed = run(*programs.python("-m", *last_line.split()[2:], "--save", "page.html"), cwd=tmp_path)
    assert typed.returncode == 0, typed.stderr
    assert "taking runs/lightning_logs/version_0/last.ckpt\n" in typed.stdout
    found = document_in(tmp_path / "page.html")
    assert found["computed"] and [item["name"] for item in found["items"]] == ["company A", "company B"]


def test_where_byhand_is_not_installed_it_says_how(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.path[:] = [one for one in sys.path if not one.endswith('src')]\n"
    )
    done = run("python", str(LESSON), "--epochs", "2", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    expected = (
        "to see it: pip install byhand (in a clone of it: pip install .), then byhand explore runs/lightning_logs/version_0"
    )
    assert done.stdout.splitlines()[-1] == expected


def test_resumes_to_the_same_numbers_as_one_run(kept: Path, tmp_path: Path) -> None:
    resumed = run_here(LESSON, "--resume", str(checkpoint(kept)), "--epochs", "20", cwd=tmp_path)
    straight = run_here(LESSON, "--epochs", "20", cwd=tmp_path)
    assert resumed.returncode == straight.returncode == 0
    after = [line for line in straight.stdout.splitlines() if line.startswith("after")]
    assert len(after) == 2 and all(line in resumed.stdout for line in after)


def test_options_change_the_training(tmp_path: Path) -> None:
    outputs = {
        run_here(LESSON, "--epochs", "3", *options, cwd=tmp_path).stdout.split("after")[1]
        for options in ((), ("--seed", "7"), ("--learning-rate", "0.01"))
    }
    assert len(outputs) == 3


def test_ctrl_c_keeps_what_was_learned(tmp_path: Path) -> None:
    process = subprocess.Popen(
        programs.python(str(LESSON), "--epochs", "1000000"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    for _ in range(6):  # the bar shows that training is under way
        process.stderr.read(40)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    done = int(re.findall(r"^(\d+) epochs; log and checkpoint in", output, re.MULTILINE)[0])
    assert torch.load(checkpoint(tmp_path), weights_only=True)["epoch"] + 1 == done > 0
    (advice,) = re.findall(r"to go on: python LSTM.py (.*)$", output, re.MULTILINE)
    assert advice == "--resume runs/lightning_logs/version_0/last.ckpt --epochs 1000000"
    assert run_here(LESSON, *advice.split()[:-1], str(done + 5), cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "expected epochs of at least 1"),
        (["--learning-rate", "nan"], "a finite learning rate above 0"),
        (["--learning-rate", "-1"], "learning_rate=-1.0"),
        (["--seed", "-1"], "a seed below 4294967296"),
        (["--epochs", "ten"], "invalid int value: 'ten'"),
        (
            ["--resume", "nowhere.ckpt"],
            "--resume nowhere.ckpt: expected a whole last.ckpt of an earlier run, got FileNotFoundError",
        ),
    ],
)
def test_wrong_options(refused: Callable[..., str], options: list[str], message: str) -> None:
    assert message in refused(*options)


def test_wrong_checkpoints(kept: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    whole = checkpoint(kept).read_bytes()
    (tmp_path / "empty.ckpt").touch()
    (tmp_path / "text.ckpt").write_text("hello")
    (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder.ckpt").mkdir()
    torch.save([1, 2], tmp_path / "list.ckpt")
    torch.save({"epoch": 3, "state_dict": {"w": torch.ones(1)}}, tmp_path / "other.ckpt")
    for file in sorted(tmp_path.glob("*.ckpt")):
        assert f"--resume {file.name}: expected a whole last.ckpt of an earlier run" in refused("--resume", file.name)
    finished = refused("--resume", str(checkpoint(kept)), "--epochs", "10")
    assert "has 10 epochs already: ask for more, say --epochs 310" in finished


def packages_needed_by(*names: str) -> set[str]:
    """These installed distributions and all that they require."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        one = waiting.pop()
        key = str(one)
        if key in found:
            continue
        found.add(key)
        for needed in map(Requirement, metadata.requires(one.name) or []):
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *one.extras)):
                needed.marker = None
                waiting.append(needed)
    return {Requirement(key).name for key in found}


def test_needs_only_torch_lightning_and_numpy(tmp_path: Path) -> None:
    """Run in an environment that holds links to these packages and to what they require, and nothing else."""
    site = tmp_path / "site-packages"
    site.mkdir()
    for name in packages_needed_by("torch", "lightning", "numpy"):
        for file in metadata.files(name) or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (site / top).exists():
                (site / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))
    installed = {path.name for path in site.iterdir()}
    assert {"torch", "lightning", "numpy"} <= installed
    assert not {"tensorboard", "matplotlib", "IPython"} & installed
    bare = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    done = run(bare, "-S", str(LESSON), cwd=tmp_path, env={"PYTHONPATH": str(site)})
    assert done.returncode == 0, done.stderr
    assert "after   company B: prediction  0.9868, label 1" in done.stdout
    assert (tmp_path / "runs/lightning_logs/version_0/metrics.csv").exists()
    assert checkpoint(tmp_path).exists()
