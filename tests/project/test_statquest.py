"""The published lineage: the numbers that are kept, and, in short, the program that found them, `make statquest`."""

import csv
import re
import shutil
from pathlib import Path

import pytest

from experiments.statquest import run


def table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((run.HERE / name).read_text(encoding="utf-8").splitlines()))


def test_published_lineage_is_kept_in_results() -> None:
    expected, results = table("expected.csv"), table("results.csv")
    assert [row["quantity"] for row in results] == [row["quantity"] for row in expected]
    for row, wanted in zip(results, expected, strict=True):
        assert abs(float(row["ours"]) - float(wanted["value"])) <= float(wanted["tolerance"]), row["quantity"]
        assert row["mark"] == wanted["mark"] in ("V", "C")
    weights = [row for row in results if re.match(r"hand: [wb]_", row["quantity"])]
    assert len(weights) == 12
    assert all(f"{float(row['ours']):.2f}" == f"{float(row['published']):.2f}" for row in weights)


def test_the_fast_numbers_are_the_published_ones(tmp_path: Path) -> None:
    expected = {row["quantity"]: row for row in table("expected.csv")}
    found = run.fast(str(tmp_path))
    for quantity, ours in found.items():
        assert abs(ours - float(expected[quantity]["value"])) <= float(expected[quantity]["tolerance"]), quantity


def test_a_lineage_in_stages_is_one_that_never_stopped(tmp_path: Path) -> None:
    """And starts as published."""
    stages, whole = (run.slow_lineage(str(tmp_path / str(len(one))), one) for one in ((20, 30, 50), (50,)))
    early = {stages.pop(f"hand: lr .001 {epochs} epochs {company}") for epochs in (20, 30) for company in "AB"}
    assert len(early) == 4  # it goes on from stage to stage
    assert stages == whole
    assert whole["hand: untrained A"] == pytest.approx(-0.0377, abs=1e-4)
    assert whole["hand: lr .001 50 epochs A"] != whole["hand: untrained A"]


@pytest.mark.parametrize("off", [0.0, 1.0])
def test_every_number_is_written_and_one_that_is_off_is_told(
    off: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of trainings that found what is published, but one number by so much."""
    published = {row["quantity"]: float(row["value"]) for row in table("expected.csv")}
    first, *others = published
    shutil.copy2(run.HERE / "expected.csv", tmp_path)
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "slow_lineage", lambda folder: published | {first: published[first] + off})
    monkeypatch.setattr(run, "fast", lambda folder: {})
    if off:
        with pytest.raises(SystemExit, match="outside their tolerance"):
            run.main()
    else:
        run.main()
    within = {row["quantity"]: row["within"] for row in table("results.csv")}
    assert within == dict.fromkeys(others, "yes") | {first: "no" if off else "yes"}
    assert len(capsys.readouterr().out.splitlines()) == len(published) + 1
