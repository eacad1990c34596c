"""The wheel, installed in a fresh environment, does all that README.md and docs say, in an empty folder outside of the clone."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import documented
import packaged
import pytest
from conftest import ROOT
from documented_files import write_files

# Keras 3.15 on torch hands its variables to numpy in a way that numpy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = [THIS, *(version for version in ("3.11", "3.13") if version != THIS)]
PAGES = [page for page in documented.pages() if documented.runnable(page)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = packaged.build(tmp_path_factory.mktemp("wheel"), "--wheel")
    return path


@pytest.fixture(scope="module", params=PYTHONS)
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel, of this Python and of the oldest and newest that we support."""
    python = sys.executable if request.param == THIS else other_python(request.param)
    return packaged.environment(python, wheel, tmp_path_factory.mktemp(f"python{request.param}") / "fresh")


def other_python(version: str) -> str:
    """One that has what the commands need. Where there is none the test is skipped, and says what to type."""
    variable = f"BYHAND_PYTHON_{version.replace('.', '_')}"
    python = os.environ.get(variable) or shutil.which(f"python{version}")
    missing = f"no Python {version} was found"
    if python:
        imports = f"import sys, {', '.join(packaged.NEEDED)}; assert '%d.%d' % sys.version_info[:2] == '{version}'"
        done = subprocess.run(
            [python, "-I", "-c", imports], env=packaged.outside(), capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return python
        missing = f"{python}: {done.stderr.strip().splitlines()[-1] if done.stderr else 'not this version'}"
    pytest.skip(f"{missing}; name one with all that is needed in {variable}, as CI does by running this file on both")


def run(*words: str, cwd: Path, timeout: float = 600) -> str:
    """What a program prints, which has to succeed."""
    done = subprocess.run(words, cwd=cwd, env=packaged.outside(), capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_of_every_page(installed: Path, tmp_path: Path) -> None:
    """Trainings cut short. One process imports torch and Lightning; each command runs in a copy of it."""
    jobs = []
    for page in PAGES:
        folder = tmp_path / page.replace("/", "-").removesuffix(".md")
        folder.mkdir()
        write_files(page, folder)
        jobs += [(str(folder), command) for command in documented.runnable(page)]
    done = subprocess.run(
        [installed / "python", "-I", ROOT / "tests/support/typed_in_turn.py"],
        input=json.dumps(jobs),
        cwd=tmp_path,
        env=packaged.outside(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, *results = map(json.loads, done.stdout.splitlines())
    assert Path(where).is_relative_to(installed.parent) and len(results) == len(jobs) >= 50
    said = {command: text for (_, command), (_, text, _) in zip(jobs, results, strict=True)}
    failed = [f"{command}\n{text}" for (_, command), (code, text, _) in zip(jobs, results, strict=True) if code]
    taken = sorted(((seconds, command) for (_, command), (_, _, seconds) in zip(jobs, results, strict=True)), reverse=True)
    print(
        *(f"{seconds:6.1f} s  {command}" for seconds, command in taken[:12]), f"{sum(one for one, _ in taken):6.1f} s", sep="\n"
    )
    assert not failed, "\n\n".join(failed)
    assert (tmp_path / "docs-training/answers.csv").is_file() and (tmp_path / "docs-carry/page.html").is_file()
    assert re.search(rf"^byhand +0\.\d+\.\d+ in {re.escape(str(installed.parent))}", said["byhand doctor"], re.MULTILINE)
    assert "all is well" in said["byhand doctor"] and str(ROOT) not in said["byhand doctor"]
    assert re.search(r"^adding +Two marked numbers", said["byhand configs"], re.MULTILINE)
    assert "adding.yaml" in said["byhand configs adding --copy"]


def test_the_first_steps_as_they_are_typed(installed: Path, tmp_path: Path) -> None:
    """The program that pip has made, in an empty folder; the second command is the one that the first prints."""
    out = run(str(installed / "byhand"), "fit", "--config", "adding", "--quick", cwd=tmp_path)
    assert out.startswith("configuration: adding, as it comes with byhand, in its shorter version")
    (line,) = re.findall(r"^test it: +byhand (test .*)$", out, re.MULTILINE)
    assert "the model" in run(str(installed / "byhand"), *line.split(), cwd=tmp_path)


def test_the_library_of_the_readme(installed: Path, tmp_path: Path) -> None:
    """The block that needs no LSTM.py; test_project.py runs the other one. And types come along."""
    _, library = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    out = run(str(installed / "python"), "-I", "-c", library, cwd=tmp_path)
    assert "torch.Size([50, 8, 128])" in out and "nn.LSTM" in out and (tmp_path / "layers.html").is_file()
    where = run(str(installed / "python"), "-I", "-c", "import byhand; print(byhand.__file__)", cwd=tmp_path)
    assert Path(where.strip()).with_name("py.typed").is_file()


def test_what_is_not_run_has_a_reason() -> None:
    """And no reason is left over."""
    every = [command for page in documented.pages() for command in documented.commands(page)]
    reasons = {documented.reason(command) for command in every} - {None}
    assert reasons == set(documented.NOT_RUN.values())
    assert len([command for command in every if documented.reason(command) is None]) >= 50


def test_the_page_says_what_every_extra_is_for() -> None:
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    listed = [name for row in re.findall(r"^\| (`[a-z`, ]+) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(extras)
