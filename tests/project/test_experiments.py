"""Every experiment's --quick, made quicker still; what is made of its numbers; its pages."""

import csv
import importlib
import re
import runpy
import sys
from pathlib import Path

import pytest
import studies
import torch
from conftest import ROOT

from byhand import study
from byhand.tasks import AnBn
from byhand.train import SequenceModel
from experiments import program
from experiments.curves import Point, draw, wilson
from experiments.gers2001 import curve
from experiments.program import Number, Short

NAMES = sorted(path.parent.name for path in (ROOT / "experiments").glob("*/study.yaml"))
SHORT = Short(
    seeds=1,
    trials=0,
    most={"max_steps": 2, "max_epochs": 1, "batches": 2, "sequences": 4, "pieces": 4, "test_pieces": 4, "intervals": 1},
)


@pytest.mark.parametrize("name", NAMES)
def test_quick(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process, which is quicker; but for one, in a worker as usual."""
    monkeypatch.chdir(tmp_path)
    if name != "gers2002":
        monkeypatch.setattr(study.Study, "run", lambda this, workers: studies.run_here(this).status())
    module = importlib.import_module(f"experiments.{name}.analysis")
    kept = {path: path.read_bytes() for path in (ROOT / "experiments" / name).iterdir() if path.is_file()}
    picture = getattr(module, "picture", None)
    program.main(ROOT / "experiments" / name, module.numbers, picture, words=["--quick", "--workers", "1"], quick=SHORT)
    folder = tmp_path / f"runs/studies/{name}-quick"
    with (folder / "compared.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    specification = study.load(ROOT / "experiments" / name / "study.yaml").specification
    for task in specification.tasks:
        for variant in specification.variants:
            its = [row for row in rows if {variant, task} & set(row["quantity"].split(": ")) and variant in row["quantity"]]
            assert its and all(row["ours"] for row in its)
    assert f"in {folder.relative_to(tmp_path)}/compared.csv" in capsys.readouterr().out
    assert (folder / "curve.png").exists() == (picture is not None)
    assert all(path.read_bytes() == content for path, content in kept.items())  # results are those of full runs


@pytest.mark.parametrize("name", NAMES)
def test_published_numbers_stand_beside_one_of_ours(name: str) -> None:
    """By the names that the analysis gives to what it made of made-up records."""
    module = importlib.import_module(f"experiments.{name}.analysis")
    specification = study.load(ROOT / "experiments" / name / "study.yaml").specification
    metrics = dict.fromkeys((f"test_{metric}" for metric in ("solved", "accuracy", "wrong", "mse", "loss")), 1.0)
    records = [
        {"task": task, "variant": variant, "seed": 0, "steps": 1, **metrics}
        for task in specification.tasks
        for variant in specification.variants
    ]
    found = {one.quantity: one for one in module.numbers(records)}
    assert set(program.expected(ROOT / "experiments" / name / "expected.csv")) <= set(found)
    assert all(mark in "V2CM" for _, mark in program.expected(ROOT / "experiments" / name / "expected.csv").values())
    results = ROOT / "experiments" / name / "results.csv"
    if results.exists():
        assert {one.quantity for one in program.stored(results)} <= set(found)


@pytest.mark.parametrize("name", NAMES)
def test_pages_say_the_command_and_its_time(name: str) -> None:
    text = (ROOT / "experiments" / name / "README.md").read_text()
    assert f"`python -m experiments.{name}.analysis`" in text
    (line,) = re.findall(r"^\*\*Command:\*\*.*$", text, re.MULTILINE)
    assert "minute" in line and "--quick" in line
    assert f"]({name}/README.md)" in (ROOT / "experiments/README.md").read_text()


def test_the_command_as_typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["analysis.py", "--help"])
    for name in NAMES:
        monkeypatch.delitem(sys.modules, f"experiments.{name}.analysis", raising=False)
        with pytest.raises(SystemExit, match="0"):
            runpy.run_module(f"experiments.{name}.analysis", run_name="__main__")
        out = capsys.readouterr().out
        assert f"usage: python -m experiments.{name}.analysis" in out and "--quick" in out and "--workers" in out


def test_a_picture_is_drawn_anew_of_results(tmp_path: Path) -> None:
    made: list[tuple[list[Number], Path]] = []
    numbers = [Number("length 20: lstm: share of runs above .99", 0.8, 5)]
    program.write(tmp_path / "results.csv", numbers, {})
    program.main(tmp_path, lambda _: [], lambda found, path: made.append((found, path)), words=["--draw"])
    assert made == [(numbers, tmp_path / "curve.png")]


def test_judging_is_by_task_and_network() -> None:
    records = [
        {"task": task, "variant": variant, "test_solved": value}
        for task, variant, value in [("a", "x", 1.0), ("a", "x", 0.5), ("a", "x", 0.25), ("b", "y", 0.0)]
    ]
    found = program.judged(records, "test_solved", 0.5, median_of="median", solved_by="solved", by_task=True)
    assert found == [
        Number("a: x: median", 0.5, 3),
        Number("a: x: solved", pytest.approx(2 / 3), 3),
        Number("b: y: median", 0.0, 1),
        Number("b: y: solved", 0.0, 1),
    ]


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_as_published(hits: int, of: int, low: float, high: float) -> None:
    """The last is Newcombe's example, Statistics in Medicine 17, 1998, table I; the others solve (p - s)² = z² p (1 - p) / n."""
    assert wilson(hits, of) == pytest.approx((low, high), abs=1e-4)
    for end in wilson(hits, of):
        assert (end - hits / of) ** 2 == pytest.approx(1.96**2 * end * (1 - end) / of, abs=1e-12)


def test_curves_with_and_without_intervals(tmp_path: Path) -> None:
    for at, interval in enumerate([None, (0.2, 0.7)]):
        draw(
            {"a": [Point(1, 0.5, interval), Point(10, 0.5, interval)]},
            tmp_path / f"{at}.png",
            title="t",
            x="x",
            y="y",
            ticks=[1],
        )
    assert all((tmp_path / f"{at}.png").read_bytes().startswith(b"\x89PNG") for at in range(2))


class Counter(torch.nn.Module):
    """Counts without fail up to `most`, and says no T after more."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, input: torch.Tensor) -> tuple[torch.Tensor, None]:
        a, b = (input == 1).cumsum(0), (input == 2).cumsum(0)
        end = (a == b) & (a > 0) & (a <= self.most)
        read_a, read_b = (input == 1) & ~end, (input == 2) & ~end
        return torch.stack((torch.zeros_like(a), (input == 0) | read_a, read_a | read_b, end), -1).float(), None


@pytest.mark.parametrize(("most", "expected"), [(0, 0), (7, 7), (33, 32), (5000, 1000)])
def test_how_far_a_network_counts(most: int, expected: int) -> None:
    assert curve.reached(Counter(most)) == expected  # type: ignore[arg-type]


def test_a_network_that_has_learnt_nothing_counts_to_nothing() -> None:
    torch.manual_seed(0)
    assert curve.reached(SequenceModel(AnBn().form._asdict(), hidden_size=3)) == 0


def test_the_curve_of_gers2001(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    curve.main(["--quick"], quick=SHORT)
    folder = tmp_path / "runs/studies/quick"
    with (folder / "curve.csv").open(newline="") as file:
        cells = [row["cell"] for row in csv.DictReader(file)]
    assert cells == list(study.load(ROOT / "experiments/gers2001/study.yaml").specification.variants)
    (folder / "curve.png").unlink()
    curve.main(["--quick", "--draw"], quick=SHORT)
    assert (folder / "curve.png").exists()
