"""The release and pages workflows, as far as they run here: up to the upload."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import packaged
import pytest
import yaml
from conftest import ROOT, run

from byhand.__main__ import COMMANDS
from tools import release

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
REPOSITORY, SITE = "https://code.example/owner/byhand", "https://owner.example/byhand"
GIVEN = "${{ github.ref_name }}"


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def lines(job: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """What a job runs, line by line, with the environment that each line is given."""
    return [
        (line.strip(), step.get("env", {}))
        for step in job["steps"]
        for text in step.get("run", "").splitlines()
        for line in text.split("&&")
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_runs_is_there(path: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    commands = [line for job in jobs(path).values() for line, _ in lines(job)]
    assert commands
    for command in commands:
        program, first, *rest = command.replace(".venv/bin/", "").split()
        if program == "make":
            assert first in targets, command
        elif program == "byhand":
            assert first in COMMANDS, command
        elif first == "-m":
            assert rest[0] in ("pip", "pytest", "build", "twine", "byhand"), command
        else:
            assert program == "python" and (ROOT / first).is_file(), command
        assert all((ROOT / word).exists() for word in rest if word.startswith("tests/")), command


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_allowed_no_more_than_they_need(path: Path) -> None:
    """Nothing writes but what publishes, in an environment that its owner guards."""
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert whole["permissions"] == {"contents": "read"}
    for job in whole["jobs"].values():
        assert job["timeout-minutes"] <= 45
        if "write" in job.get("permissions", {}).values():
            assert job["environment"] and not lines(job), "a job that publishes runs nothing of ours"


def test_what_is_published_was_tried_before() -> None:
    """From the index that trusts this workflow, with attestations; each file is of a job before, and the wheel was tried on both."""
    every = jobs(ROOT / ".github/workflows/release.yml")
    publish = every["publish"]
    assert publish["permissions"] == {"id-token": "write", "attestations": "write", "contents": "read"}
    assert set(publish["needs"]) == {"kernels", "smoke"} and every["kernels"]["needs"] == every["smoke"]["needs"] == "build"
    assert every["smoke"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    used = [step["uses"].partition("@")[0] for step in publish["steps"]]
    assert used == ["actions/download-artifact", "actions/attest-build-provenance", "pypa/gh-action-pypi-publish"]
    assert not any("password" in step.get("with", {}) for step in publish["steps"])
    machines = every["kernels"]["strategy"]["matrix"]["machine"]
    assert machines == jobs(ROOT / ".github/workflows/test.yml")["wheels"]["strategy"]["matrix"]["machine"]


def ready(tree: Path) -> None:
    """As the owner of the project makes it, before the tag."""
    done = run("python", "tools/release.py", "urls", REPOSITORY, f"{SITE}/", cwd=tree)
    assert done.returncode == 0, done.stderr
    log = tree / "CHANGELOG.md"
    log.write_text(log.read_text().replace("## [Unreleased]\n", "## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n", 1))


def test_the_build_of_a_release(tree: Path, tmp_path: Path) -> None:
    """Every line of the jobs build and smoke, but for what pip fetches; then the sdist, the wheel made of it, and one made at once."""
    ready(tree)
    every = jobs(ROOT / ".github/workflows/release.yml")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python").chmod(0o755)
    in_order(every["build"], tree, programs)
    sdist, wheel = sorted((tree / "dist").iterdir(), key=lambda path: path.suffix)
    assert (sdist.name, wheel.name) == ("byhand-0.1.0.tar.gz", "byhand-0.1.0-py3-none-any.whl")

    fresh = packaged.environment(sys.executable, wheel, tmp_path / "fresh")
    (tmp_path / "empty").mkdir()
    in_order(every["smoke"], tmp_path / "empty", fresh)

    (tmp_path / "direct").mkdir()
    (direct,) = packaged.build(tmp_path / "direct", "--wheel", source=tree)
    assert contents(direct) == contents(wheel)
    held = set(contents(wheel))
    assert {f"byhand/{name}" for name in ("py.typed", "configs/adding.yaml", "configs/quick/adding.yaml")} <= held
    assert {"byhand/benchmarks/bench.py", "byhand/explorer/static/explorer.js", "byhand/engine/cpp/include/kernel.h"} <= held
    assert all(name.startswith(("byhand/", "byhand-0.1.0.dist-info/")) for name in held)
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LSTM.py", "main.ipynb", "README.md", "CHANGELOG.md", "tests/conftest.py", "src/byhand/py.typed"} <= packed
    assert not any(part in name for name in packed for part in (".github", "__pycache__", "node_modules", "prebuilt/linux"))

    (about,) = (text for name, text in contents(wheel).items() if name.endswith("METADATA"))
    said = Parser().parsestr(about.decode())
    urls = dict(one.split(", ") for one in said.get_all("Project-URL", []))
    assert urls.keys() == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    assert all(url.startswith((REPOSITORY, SITE)) for url in urls.values())
    page = said.get_payload()
    targets = re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", page, flags=re.DOTALL))
    assert len(targets) > 30 and all(target.startswith(("https://", "#")) for target in targets)
    assert f"({REPOSITORY}/blob/v0.1.0/docs/explorer.md)" in page and f"({REPOSITORY}/raw/v0.1.0/docs/pictures/" in page


def in_order(job: dict[str, Any], folder: Path, programs: Path) -> None:
    """Run the lines of a job in a folder, with these programs; TAG is v0.1.0."""
    for line, given in lines(job):
        if line.startswith("python -m pip install "):
            continue
        more = {name: "v0.1.0" if value == GIVEN else value for name, value in given.items()}
        more["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-ec", line], cwd=folder, env=packaged.outside(**more), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_addresses_stand_in_one_place(tree: Path) -> None:
    """Written twice as once, and anew for another place."""
    names = ("pyproject.toml", "README.md", "CITATION.cff")
    before = {name: (tree / name).read_text() for name in names}
    for repository in (REPOSITORY, REPOSITORY, "https://code.example/another/name"):
        assert run("python", "tools/release.py", "urls", repository, SITE, cwd=tree).returncode == 0
        after = {name: (tree / name).read_text() for name in names}
        assert all(text.count(repository) >= 1 and text.count(f"{SITE}/") >= 1 for text in after.values())
        assert all(len(text.splitlines()) - len(before[name].splitlines()) <= 8 for name, text in after.items())
    assert all(REPOSITORY not in text for text in after.values())
    assert yaml.safe_load(after["CITATION.cff"])["repository-code"] == "https://code.example/another/name"
    for word in ("code.example/owner", "http://code.example/owner/byhand", "https://code.example/owner?x"):
        done = run("python", "tools/release.py", "urls", word, SITE, cwd=tree)
        assert done.returncode == 2 and "REPOSITORY: invalid" in done.stderr
    assert {name: (tree / name).read_text() for name in names} == after


def test_the_readme_has_the_badges_of_the_addresses_that_are_set() -> None:
    """None as long as nobody knows where the project will live."""
    known, page = release.project(), (ROOT / "README.md").read_text(encoding="utf-8")
    assert (release.badges(known) in page) if "Source" in known else not release.BADGES.search(page)


def test_what_is_not_ready_is_not_released(tree: Path) -> None:
    done = run("python", "tools/release.py", "check", "v0.2.0", cwd=tree)
    told = done.stderr.splitlines()
    assert done.returncode == 1 and told[0] == "tag v0.2.0: expected v0.1.0, the version in pyproject.toml"
    assert any("CHANGELOG.md: expected a heading, ## [0.1.0] - YYYY-MM-DD" in line for line in told)
    ready(tree)
    assert run("python", "tools/release.py", "check", "v0.1.0", cwd=tree).returncode == 0
    page = tree / "README.md"
    page.write_text(page.read_text().replace(SITE, "https://elsewhere.example"))
    assert "README.md: expected badges" in run("python", "tools/release.py", "check", "v0.1.0", cwd=tree).stderr
    cited = tree / "CITATION.cff"
    cited.write_text(cited.read_text().replace("version: 0.1.0", "version: 0.0.9"))
    assert "CITATION.cff: expected version: 0.1.0" in run("python", "tools/release.py", "check", "v0.1.0", cwd=tree).stderr


def test_without_addresses_there_is_no_page_for_the_index(tree: Path) -> None:
    text = (tree / "pyproject.toml").read_text()
    (tree / "pyproject.toml").write_text(release.TABLE.sub("", text))
    before = (tree / "README.md").read_bytes()
    for words in (("readme",), ("check", "v0.1.0")):
        done = run("python", "tools/release.py", *words, cwd=tree)
        assert done.returncode == 1 and "expected [project.urls], got none: python tools/release.py urls" in done.stderr
    assert (tree / "README.md").read_bytes() == before
