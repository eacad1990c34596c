"""The project as a stranger meets it: the README's commands, the set-up, the evidence."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, run

STUB = """#!/bin/sh
# Stands in for Python: notes how it was called, makes what `-m venv` would make, fails where the test asks it to.
echo "$*" >>"$NOTES"
case "$*" in
-c*) exit ${TOO_OLD:-0} ;;
*venv*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*torch==*) exit ${TORCH_FAILS:-0} ;;
esac
"""
# What takes minutes; the programs behind the second and third are tested, in short, by test_benchmarks.py, below, and by test_statquest.py.
PLANNED = {"make test": "-m pytest", "make bench": "-m byhand bench", "make statquest": "-m experiments.statquest.run"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    return list(filter(None, lines))


def test_readme_leads_with_the_two_commands() -> None:
    assert commands()[:2] == ["make run", "make test"]
    assert len([line for line in blocks("python")[0].splitlines() if line.strip()]) <= 10


def test_every_command_of_the_readme_works(tree: Path) -> None:
    """One after the other in a fresh copy, as a reader would; of what takes minutes only the plan."""
    environment = {"VENV": sys.prefix, "PYTHONPATH": str(tree / "src")}
    assert run("tools/setup.sh", "--check", cwd=tree, env=environment).returncode == 0, "first: make setup"
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    outputs = {}
    for command in commands():
        words = command.split()
        if command in PLANNED:
            words.insert(1, "--dry-run")
        done = run(*words, cwd=tree, env=environment, timeout=600)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        outputs[command] = done.stdout
    assert all(program in outputs[command] for command, program in PLANNED.items())
    assert "A: prediction  0.0002" in outputs["make run"] and "B: prediction  0.9868" in outputs["make run"]
    page = (tree / "runs/main.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 5
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=[\"']?(https?:)?//", page)  # nothing from elsewhere
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize(
    ("program", "steps", "told"),
    [
        ("lightning_step", "--epochs", r"bare loop .* 1\.00x"),
        ("training_step", "--steps", r"bare loop .* ms a step, \+0\.000 ms"),
    ],
)
def test_what_lightning_costs_is_measured(program: str, steps: str, told: str, tmp_path: Path) -> None:
    """In a few steps, which show that the program works."""
    done = run(
        *("python", "-m", f"benchmarks.{program}", steps, "4", "--rounds", "2"), cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert re.search(told, done.stdout), done.stdout


def test_readme_example_runs(tree: Path) -> None:
    """The lesson; that of the library: test_installed.py."""
    example, _ = blocks("python")
    done = run("python", "-c", example, cwd=tree)
    assert done.returncode == 0, done.stderr
    assert float(re.findall(r"tensor\((.*?),", done.stdout)[0]) == pytest.approx(0.9868, abs=1e-3)
    assert re.search(r"^updated_long_memory +\[", done.stdout, re.MULTILINE)


def test_links_of_the_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("experiments/*/*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("findings/*.md")]:
        for target in re.findall(
            r"\]\(([^)#]+)[^)]*\)", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        ):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_column_of_the_documents_tables_has_a_heading() -> None:
    """A reader who hears the page hears the heading with each value."""
    rule = re.compile(r"^(\|.*\|)\n\|(?: *:?-+:? *\|)+$", re.MULTILINE)
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("experiments/*/*.md")]:
        for heads in rule.findall(page.read_text(encoding="utf-8")):
            assert all(head.strip() for head in heads.strip("|").split("|")), f"{page.name}: {heads}"


def test_help_names_every_target() -> None:
    text = run("make", "help", cwd=ROOT).stdout
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert all(f"make {target} " in text for target in targets)


def test_configuration_files_are_well_formed() -> None:
    for name in (".pre-commit-config.yaml", "CITATION.cff"):
        assert isinstance(yaml.safe_load((ROOT / name).read_text(encoding="utf-8")), dict)
    assert os.access(ROOT / ".ci/run", os.X_OK)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The set-up script with a Python that only notes what it is asked."""
    for name in ("tools/setup.sh", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    python = tmp_path / "stub"
    python.write_text(STUB)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return tmp_path


def setup(folder: Path, *, check: bool = False, **environment: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run it; gives what it did and how often it called Python to do something."""
    notes = folder / "notes"
    notes.unlink(missing_ok=True)
    chosen = {"VENV": ".venv", "PYTHON": str(folder / "stub"), "NOTES": str(notes)} | environment
    done = run("tools/setup.sh", *["--check"] * check, cwd=folder, env=chosen)
    called = notes.read_text().splitlines() if notes.exists() else []
    return done, [line for line in called if not line.startswith("-c") and "--version" not in line]


def test_setup_installs_once_torch_first(bare: Path) -> None:
    done, called = setup(bare)
    assert done.returncode == 0, done.stderr
    installs = [line for line in called if " install " in line]
    assert len(installs) == 3 and "torch==" in installs[1] and "--group dev" in installs[2]
    assert all("--constraint constraints.txt" in line for line in installs)
    assert setup(bare)[1] == []


def test_setup_brings_up_to_date_in_place(bare: Path) -> None:
    setup(bare)
    with (bare / "constraints.txt").open("a") as file:
        file.write("six==1.17.0\n")
    done, called = setup(bare)
    assert done.returncode == 0
    assert len([line for line in called if " install " in line]) == 3
    assert not [line for line in called if "venv" in line and " install " not in line]


def test_setup_starts_anew_after_an_install_that_was_cut_off(bare: Path) -> None:
    done, _ = setup(bare, TORCH_FAILS="1")
    assert done.returncode != 0
    (bare / ".venv/half-written").touch()
    done, called = setup(bare)
    assert done.returncode == 0
    assert not (bare / ".venv/half-written").exists()
    assert any("-m venv" in line for line in called)
    assert setup(bare)[1] == []


def test_setup_starts_anew_where_the_environment_was_moved(bare: Path) -> None:
    setup(bare)
    (bare / ".venv").rename(bare / "elsewhere")
    done, called = setup(bare, VENV="elsewhere")
    assert done.returncode == 0
    assert any("-m venv" in line for line in called)


def test_setup_leaves_alone_what_is_not_its_own(bare: Path) -> None:
    (bare / ".venv").mkdir()
    (bare / ".venv/precious").touch()
    done, called = setup(bare)
    assert done.returncode == 2 and called == []
    assert "was not made by this project and is left alone" in done.stderr
    assert (bare / ".venv/precious").exists()


def test_setup_check_changes_nothing(bare: Path) -> None:
    done, called = setup(bare, check=True)
    assert done.returncode == 3 and called == [] and "make setup" in done.stderr and not (bare / ".venv").exists()
    setup(bare)
    assert setup(bare, check=True)[0].returncode == 0
    with (bare / "constraints.txt").open("a") as file:
        file.write("six==1.17.0\n")
    done, called = setup(bare, check=True)
    assert done.returncode == 3 and called == [] and "is not up to date: make setup" in done.stderr


def test_setup_names_the_python_it_needs(bare: Path) -> None:
    done, called = setup(bare, TOO_OLD="1")
    assert done.returncode == 2 and called == []
    assert "expected Python 3.11, 3.12 or 3.13" in done.stderr
    assert not (bare / ".venv").exists()
