"""benchmarks/fit.py as a user runs it: both contenders are the same training. What it says of speed is not tested."""

from __future__ import annotations

import re

import pytest

from benchmarks import fit


def test_both_contenders_train_alike(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch of the table: the same number of steps, and the same loss to its last digit shown. What is not counted is not run."""
    taken, asked = fit.taken, []

    def counted(contender: str, name: str, limits: dict[str, int]) -> fit.Taken | None:
        asked.append((contender, limits["max_steps"]))
        return None if limits["max_steps"] == 2 else taken(contender, name, limits)

    monkeypatch.setattr(fit, "taken", counted)
    fit.main(["table", "--rounds", "1", "--max_steps", "6"])
    assert asked == [("nn.LSTM", 2), ("byhand", 2), ("nn.LSTM", 6), ("byhand", 6)]
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["seconds", "whole", "faster", "fit", "faster", "steps", "val_loss"]
    found = [re.split(r"\s+", row) for row in rows]
    assert [one[:2] for one in found] == [["table", "nn.LSTM"], ["table", "byhand"]]
    assert [one[-2] for one in found] == ["6", "6"]
    assert float(found[0][-1]) == pytest.approx(float(found[1][-1]), abs=1.1e-4) and 0 < float(found[0][-1]) < 5
    assert (found[0][3], found[0][5]) == ("1.00x", "1.00x")
    assert float(found[1][2]) > float(found[1][4]) > 0


def test_what_is_no_configuration_of_it_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fit.main(["parity"])
    assert "expected configurations of adding, text, table, embedded_reber, got parity" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        fit.main(["--rounds", "0"])
    assert "expected --rounds of at least 1, got 0" in capsys.readouterr().err


def test_a_training_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"byhand, table: exit code 2\n.*max_steps"):
        fit.taken("byhand", "table", {"max_steps": "many"})
