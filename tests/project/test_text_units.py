"""The experiment with a text model: its --quick, made quicker still, what it prints and keeps, and what it does not do again."""

import csv
import re
from pathlib import Path

import pytest
import torch

from experiments.text_units import analysis

CODE = '''def f(x, [y1]):
    """Say {what} is "said"."""
    return ("a", [1, 2], x)  # {what}

'''


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of 60,000 characters, and a model of 12 units."""
    text = "".join(CODE.replace("{what}", "ab" * (k % 5) + str(k * k)) for k in range(700))[:60_000]
    monkeypatch.setattr(analysis, "modules", lambda: text)
    monkeypatch.setattr(analysis, "MODEL", analysis.MODEL | {"hidden_size": 12, "embedding_size": 4})
    monkeypatch.setattr(analysis, "QUICK", 3)
    monkeypatch.setattr(analysis, "SHOWN", 100)


@pytest.mark.usefixtures("small")
def test_it_prints_three_units_and_draws_them_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = {path: path.read_bytes() for path in (analysis.PAGE, analysis.PICTURE)}
    assert analysis.main(["--quick", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "; 3 steps in " in said and re.search(r"Test: [\d.]+ bits a character; uniform", said)
    rows = re.findall(r"^(\w[\w ]*?) +lstm\.l0\.[ch]\[(\d+)\] +([+-][\d.]+) +([+-][\d.]+)", said, re.MULTILINE)
    assert len(rows) == 3 and len({row[0] for row in rows}) == 3 and len({row[1] for row in rows}) == 3
    assert (tmp_path / "text.png").stat().st_size > 5000
    with (tmp_path / "units.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) > 20 and abs(float(table[0]["chosen"])) >= abs(float(table[1]["chosen"]))
    assert analysis.main(["--draw", "--out", str(tmp_path)]) == 0
    again = capsys.readouterr().out
    assert "; 3 steps in " in again  # of the training that was
    assert re.findall(r"lstm\.l0\.[ch]\[\d+\]", again) == re.findall(r"lstm\.l0\.[ch]\[\d+\]", said)
    assert all(path.read_bytes() == content for path, content in kept.items())  # without --keep they stay


@pytest.mark.usefixtures("small")
def test_kept_numbers_stand_once_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, picture = tmp_path / "README.md", tmp_path / "text_units.png"
    page.write_text("# Title\n\nWords.\n\n## Measured\n\nold\n", encoding="utf-8")
    monkeypatch.setattr(analysis, "PAGE", page)
    monkeypatch.setattr(analysis, "PICTURE", picture)
    for words in (["--quick"], ["--draw"]):
        assert analysis.main([*words, "--keep", "--out", str(tmp_path)]) == 0
        text = page.read_text(encoding="utf-8")
        assert text.startswith("# Title\n\nWords.\n\n## Measured\n\n60,000 characters") and "old" not in text
        assert text.count("| lstm.l0.") == 3 and picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.usefixtures("small")
def test_units_are_looked_for_in_what_the_model_has_not_seen(tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    source.write_text(analysis.modules(), encoding="utf-8")
    task = analysis.Text(source)
    torch.manual_seed(0)
    model = analysis.SequenceModel(task.form._asdict(), **analysis.MODEL).eval()
    heard = analysis.read(model, task)
    assert len(heard.texts) == analysis.STREAMS and all(one in task.parts["test"] for one in heard.texts)
    assert tuple(heard.trace["lstm.l0.c"].shape) == (len(heard.texts[0]), analysis.STREAMS, 12)


def test_what_cannot_be_done_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        analysis.main(["--draw", "--out", str(tmp_path)])
    assert "expected a model in" in capsys.readouterr().err


def test_the_text_is_that_of_pythons_modules() -> None:
    text = analysis.modules()
    assert len(text) == analysis.CHARACTERS and "def " in text and "\r" not in text
