"""main.ipynb as it is committed. That it runs from top to bottom is shown by `make run` in test_project.py."""

import ast
import base64
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from conftest import ROOT, run, run_here

from LSTM import COMPANIES, LSTMbyHand
from tools.notebook import with_formulas

FILE, TOOL = ROOT / "main.ipynb", ROOT / "tools/notebook.py"
notebook = nbformat.read(FILE, as_version=4)
CODE = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def python(source: str) -> str:
    """Without the lines that only a notebook understands."""
    return re.sub(r"^( *)%.*$", r"\1pass", source, flags=re.MULTILINE)


def printed(cell: str) -> str:
    return "".join(output.get("text", "") for output in CODE[cell].outputs)


def test_is_committed_whole_and_small() -> None:
    assert FILE.stat().st_size < 1_500_000
    assert [cell.execution_count for cell in CODE.values()] == list(range(1, len(CODE) + 1))
    assert not [output for cell in CODE.values() for output in cell.outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for cell in CODE.values() for output in cell.outputs) >= 8


def test_outputs_name_no_machine_and_need_no_widgets() -> None:
    text = FILE.read_text(encoding="utf-8")
    for folder in ("/home/", "/root/", "/tmp/", "/usr/", "site-packages"):
        assert folder not in text
    assert "application/vnd.jupyter.widget" not in text
    assert "Warning" not in "".join(map(printed, CODE))


def test_imports_only_what_a_reader_is_told_to_install() -> None:
    allowed = {"torch", "lightning", "matplotlib", "tensorboard", "tqdm", "LSTM"} | set(sys.stdlib_module_names)
    guarded = {name: cell for name, cell in CODE.items() if cell.source.startswith('if find_spec("byhand"):')}
    assert guarded.keys() == {"explorer", "ledger"}
    sources = [python(cell.source) for name, cell in CODE.items() if name not in guarded] + [
        (ROOT / "LSTM.py").read_text(encoding="utf-8")
    ]
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] in allowed


def test_carries_the_lesson_as_it_is() -> None:
    assert (ROOT / "LSTM.py").read_text(encoding="utf-8") in CODE["lesson-file"].source, "run: make outputs"


def test_runs_where_nothing_else_is(tmp_path: Path) -> None:
    """As in Colab: the notebook alone in an empty folder, and no byhand. (With byhand `make run` runs it: test_project.py.)"""
    shutil.copy2(FILE, tmp_path)
    hidden = "import sys\nsys.path[:] = [one for one in sys.path if not one.endswith('src')]\n"
    (tmp_path / "sitecustomize.py").write_text(hidden)
    done = run(
        "python",
        str(ROOT / "tools/notebook.py"),
        "main.ipynb",
        "--html",
        "page.html",
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "LSTM.py").read_bytes() == (ROOT / "LSTM.py").read_bytes()
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("This cell needs byhand. In a clone of the project: make setup, then make notebook.\n") == 2


DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
FOLDED = """Text.

<details><summary><b>Answer</b></summary>

Hidden, **bold**.

```python
a = 1
```
</details>

Open. ![a dot](dot.png)"""


def test_answers_are_folded_in_on_the_page(tmp_path: Path) -> None:
    from browser import running  # noqa: PLC0415 (the only test here that needs one)

    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(FOLDED)]), tmp_path / "folded.ipynb")
    (tmp_path / "dot.png").write_bytes(base64.b64decode(DOT))
    done = run_here(TOOL, "folded.ipynb", "--html", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with running() as browser:
        page = browser.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        hidden = page.locator("details :is(strong, pre)")
        assert hidden.count() == 2 and not any(one.is_visible() for one in hidden.all())
        assert page.get_by_text("Open.").is_visible()
        assert page.evaluate("document.querySelector('img').naturalWidth") == 1
        page.locator("summary").click()
        assert all(one.is_visible() for one in hidden.all())


FORMULAS = r"""Price: $x$, and `$code$`; $\sigma(0)$.

$$c_t = f_t \cdot c_{t-1}$$

```python
"$a$ and $b$"
```
"""


def test_formulas_are_drawn_on_the_page_without_a_network(tmp_path: Path) -> None:
    from browser import running  # noqa: PLC0415 (as above)

    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(FORMULAS)]), tmp_path / "maths.ipynb")
    done = run_here(TOOL, "maths.ipynb", "--html", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with running() as browser:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "page.html").as_uri())
        assert [url.split(":")[0] for url in asked if not url.startswith("data:")] == ["file"]
        drawn = page.locator("math")
        assert [one.text_content() for one in drawn.all()] == ["x", "σ(0)", "ct=ft·ct−1"]
        assert drawn.first.evaluate("one => one.namespaceURI").endswith("MathML")
        subscript = page.locator("msub").first.bounding_box()
        assert subscript["width"] > 0 and drawn.last.bounding_box()["x"] > 100, "a formula of its own stands in the middle"
        text = page.locator("body").inner_text()
        assert "$code$" in text and '"$a$ and $b$"' in text and text.count("$") == 6


@pytest.mark.parametrize("formula", [r"\begin{aligned} a &= b \end{aligned}", r"\nonsense{x}"])
def test_formulas_that_the_page_cannot_show_are_refused(formula: str) -> None:
    cell = nbformat.v4.new_markdown_cell(f"So ${formula}$.")
    with pytest.raises(ValueError, match="expected LaTeX that latex2mathml knows"):
        with_formulas(nbformat.v4.new_notebook(cells=[cell]))


def test_all_its_formulas_can_be_shown() -> None:
    shown = with_formulas(nbformat.read(FILE, as_version=4))
    texts = [cell.source for cell in shown.cells if cell.cell_type == "markdown"]
    assert sum(text.count("<math") for text in texts) > 40 and not any("$" in text for text in texts)


NAMES = re.compile(r"^\| `([wb]_\w+\d)` \|.*\$([WUb]_\w)\$ \| `(\w+_l0\[[\d, ]+\])` \|$", re.MULTILINE)
LETTERS = {"blue": "f", "green": "i", "orange": "g", "purple": "o"}
KINDS = {"weight_hh_l0": "U", "weight_ih_l0": "W", "bias_ih_l0": "b"}


def test_one_number_has_three_names_in_the_notebook() -> None:
    (text,) = [cell.source for cell in notebook.cells if cell.cell_type == "markdown" and NAMES.search(cell.source)]
    check_names(NAMES.findall(text))


def test_one_number_has_three_names_in_the_readme() -> None:
    lines = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if re.match(r"\| `[wb]_blue", line)]
    rows = []
    for line in lines:
        lesson, symbols, torchs = line.strip("| ").split(" | ")
        numbers = re.findall(r"`(\w+\[[\d, ]+\])`", torchs)
        rows += list(zip(re.findall(r"`(\w+)`", lesson), symbols.split(", "), numbers, strict=True))
    check_names(rows)


def check_names(rows: list[tuple[str, str, str]]) -> None:
    """LSTM.py's numbers in an nn.LSTM, each where its row says, give the same answer; the letters are those of the gates."""
    lesson, unit = LSTMbyHand().double(), torch.nn.LSTM(1, 1).double()
    with torch.no_grad():
        for parameter in (*lesson.parameters(), *unit.parameters()):
            parameter.normal_()
        unit.bias_hh_l0.zero_()
        for name, symbol, place in rows:
            parameter, index = place.rstrip("]").split("[")
            unit.get_parameter(parameter)[tuple(map(int, index.split(", ")))] = lesson.get_parameter(name)
            assert symbol == f"{KINDS[parameter]}_{LETTERS[name[2:-1]]}"
    assert sorted(name for name, *_ in rows) == sorted(name for name, _ in lesson.named_parameters())
    prices = torch.rand(5, dtype=torch.float64)
    assert torch.allclose(unit(prices.view(-1, 1))[0][-1, 0], lesson(prices), rtol=0, atol=1e-15)


def test_a_class_gets_it_without_answers(tmp_path: Path) -> None:
    done = run_here(TOOL, str(FILE), "--without-answers", "class.ipynb", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = nbformat.read(tmp_path / "class.ipynb", as_version=4)
    text = "".join(cell.source for cell in found.cells)
    assert "<details>" not in text and "-0.2012" not in text and "output_percent` multiplies" not in text
    assert "**Where to go from here.**" in text and "How would you notice?" in text
    assert [cell.source for cell in found.cells if cell.cell_type == "code"] == [cell.source for cell in CODE.values()]
    nbformat.validate(found)
    done = run_here(TOOL, str(FILE), "--without-answers", str(FILE), cwd=tmp_path)
    assert done.returncode == 2 and "expected a new file" in done.stderr


def test_its_teacher_gets_it_solved(tmp_path: Path) -> None:
    done = run_here(TOOL, str(FILE), "--with-answers", "teacher.ipynb", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = nbformat.read(tmp_path / "teacher.ipynb", as_version=4)
    nbformat.validate(found)
    solved = {cell.id: cell for cell in found.cells if cell.cell_type == "code" and cell.id.startswith("exercise-")}
    assert len(solved) == 4 and not any(cell.outputs for cell in solved.values())
    assert solved["exercise-1"].source.startswith("long_memory_of_a = -0.2012\n\ncheck(1, ")
    assert "= None\n" not in "".join(cell.source for cell in solved.values())
    assert solved["exercise-4"].source.startswith("class Coupled(LSTMbyHand):\n    def lstm_unit(")
    others = {name: cell.source for name, cell in CODE.items() if name not in solved}
    assert others == {cell.id: cell.source for cell in found.cells if cell.cell_type == "code" and cell.id in others}
    blank = nbformat.v4.new_code_cell("a = None\n\ncheck(1, a, 2)", id="exercise-1")
    nbformat.write(nbformat.v4.new_notebook(cells=[blank]), tmp_path / "unsolved.ipynb")
    done = run_here(TOOL, "unsolved.ipynb", "--with-answers", "x.ipynb", cwd=tmp_path)
    assert done.returncode == 2 and "exercise-1 has no solution" in done.stderr and not (tmp_path / "x.ipynb").exists()


def test_a_failing_cell_leaves_everything_as_it_was(tmp_path: Path) -> None:
    broken = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(broken, tmp_path / "broken.ipynb")
    before = (tmp_path / "broken.ipynb").read_bytes()
    done = run_here(TOOL, "broken.ipynb", "--keep", "--html", "page.html", cwd=tmp_path)
    assert done.returncode == 1
    assert "broken.ipynb failed, nothing was written" in done.stderr and "ZeroDivisionError" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["broken.ipynb"]
    assert (tmp_path / "broken.ipynb").read_bytes() == before


def test_ctrl_c_leaves_everything_as_it_was(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_code_cell("import time\ntime.sleep(100)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "slow.ipynb")
    command = [sys.executable, str(ROOT / "tools/notebook.py"), "slow.ipynb", "--keep"]
    before = (tmp_path / "slow.ipynb").read_bytes()
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    seen = ""
    while "1/2" not in seen:
        seen += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the notebook was stopped, nothing was written" in errors and "Traceback" not in errors
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_says_the_known_numbers() -> None:
    assert "A: prediction -0.0377" in printed("untrained") and "B: prediction -0.0383" in printed("untrained")
    assert "A: prediction  0.0002" in printed("evaluation") and "B: prediction  0.9868" in printed("evaluation")
    assert "= 400 at once: True" in printed("checkpoint")
    gradients = [line.split()[1:] for line in printed("puzzle").splitlines() if re.match(r"[wb]_", line)]
    assert len(gradients) == 12
    assert gradients[9][1] == gradients[10][1] and gradients[9][0] != gradients[10][0]  # the puzzle's clue
    sums = re.findall(r"= (-?[\d.]+)   \(long memory on day 4: (-?[\d.]+)\)", printed("ledger"))
    assert len(sums) == 2 and all(made == read for made, read in sums)
    assert max(float(line.split()[-1]) for line in printed("twin").splitlines() if re.match(r"[wb]_", line)) < 1e-14


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What a reader's session holds when the exercises come, but for the trained model, which they do not use."""
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    for name in ("imports", "one-day", "unit-source", "hand-against-code", "training", "check"):
        tree = ast.parse(python(CODE[name].source))
        tree.body = [node for node in tree.body if ".fit(" not in ast.unparse(node)]
        exec(compile(tree, name, "exec"), session)
    session["both"] = lambda model: [model(torch.tensor(prices)).item() for prices, _ in COMPANIES.values()]
    return session


def solutions() -> list[str]:
    return re.findall(r"```python\n(.*?)```", notebook.cells[-1].source, flags=re.DOTALL)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_exercise_knows_right_from_wrong(reader: dict[str, object], number: int, capsys: pytest.CaptureFixture[str]) -> None:
    cell = python(CODE[f"exercise-{number}"].source)
    gap = re.compile(r"^\w+ = None$|^class Coupled.*?(?=\n\n\n)", re.MULTILINE | re.DOTALL)
    assert len(gap.findall(cell)) == 1
    exec(cell, reader)
    assert f"exercise {number}: waiting for your" in capsys.readouterr().out
    solution = solutions()[number - 1].strip()
    exec(gap.sub(lambda _: solution, cell), reader)
    assert f"exercise {number}: right" in capsys.readouterr().out
    wrong = solution.replace("(1 - keep)", "keep") if number == 4 else f"{solution} + 1"
    exec(gap.sub(lambda _: wrong, cell), reader)
    assert f"exercise {number}: right" not in capsys.readouterr().out
