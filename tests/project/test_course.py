"""docs/learn: every notebook runs as it is committed, its exercises wait for an answer, and take the right one."""

import re
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, run_here

LESSONS = sorted((ROOT / "docs" / "learn").glob("[0-9]-*.ipynb"))
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def exercises(notebook: nbformat.NotebookNode) -> dict[int, nbformat.NotebookNode]:
    return {int(cell.id.split("-")[1]): cell for cell in code(notebook) if cell.id.startswith("exercise-")}


def test_there_are_seven_in_order() -> None:
    assert [int(lesson.name[0]) for lesson in LESSONS] == list(range(1, 8))


@each_lesson
def test_is_committed_whole_and_small(lesson: Path) -> None:
    notebook = nbformat.read(lesson, as_version=4)
    text = lesson.read_text(encoding="utf-8")
    assert len(text) < 1_500_000
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert not [output for cell in code(notebook) for output in cell.outputs if output.output_type == "error"]
    assert not re.search(r"/home/|/root/|/tmp/|/usr/|site-packages|application/vnd.jupyter.widget|Warning:", text)
    first, last = notebook.cells[0].source, notebook.cells[-1].source
    assert re.search(r"^# \d\. .+", first, re.MULTILINE) and "?" in first, "opens with a question"
    assert "What to try" in last, "ends with what to try"


@each_lesson
def test_exercises_wait_for_an_answer(lesson: Path) -> None:
    found = exercises(nbformat.read(lesson, as_version=4))
    assert list(found) == list(range(1, len(found) + 1)) and len(found) >= 3
    for number, cell in found.items():
        assert f"exercise {number}: waiting for your answer" in printed(cell)
        assert ": right" not in printed(cell)


@each_lesson
def test_runs_and_takes_its_solutions(lesson: Path, tmp_path: Path) -> None:
    tool = ROOT / "tools" / "notebook.py"
    assert run_here(tool, str(lesson), "--with-answers", "solved.ipynb", cwd=tmp_path).returncode == 0
    done = run_here(tool, "solved.ipynb", "--keep", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    solved = nbformat.read(tmp_path / "solved.ipynb", as_version=4)
    for number, cell in exercises(solved).items():
        assert f"exercise {number}: right" in printed(cell), printed(cell)
    text = "".join(cell.source for cell in nbformat.read(lesson, as_version=4).cells if cell.cell_type == "markdown")
    assert len(re.findall(r"<details>", text)) == len(re.findall(r"</details>", text)) >= 1
