"""What takes more than two seconds says how far it is; and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from byhand import LSTM, explain
from byhand.explain import progress as module
from byhand.explain.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Slow(nn.Module):
    """A layer behind something that takes its time."""

    def __init__(self, seconds: float = 0.2) -> None:
        super().__init__()
        self.lstm, self.seconds = LSTM(2, 3), seconds

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(self.seconds)
        return self.lstm(x)[0]


def last(output: Tensor) -> Tensor:
    return output[-1].sum()


X = torch.zeros(4, 1, 2)
LONG: dict[str, tuple[Callable[[], Any], str]] = {
    "ablation": (lambda: explain.ablation(Slow(), X, last, sites=["*.f"]), "ablation: 1 of 3 runs, "),
    "gradient_paths": (lambda: explain.gradient_paths(Slow(), X, last), "gradient_paths: 1 of 2 runs, "),
    "connectivity": (lambda: explain.connectivity(Slow(), X, at=2), "connectivity: 0 s"),
    "diagnose": (lambda: explain.diagnose(Slow(), X), "diagnose: 0 s"),
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_run_says_how_far_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST", 0.05)
    monkeypatch.setattr(module, "TERMINAL", 0.05)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    measure, words = LONG[name]
    measure()
    said = terminal.getvalue().split("\r")
    assert any(one.startswith(words) for one in said), said
    assert said[-1] == "" and not said[-2].strip(), "the line is gone at the end"


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(module, "FIRST", 0.05)
    explain.ablation(Slow(), X, last, sites=["*.f"])
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[0].startswith("ablation: ") and len(err.splitlines()) == 1


def test_short_runs_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    explain.ablation(Slow(0), X, last)
    explain.gradient_paths(Slow(0), X, last)
    assert capsys.readouterr() == ("", "")


def test_a_function_of_ones_own_takes_its_place(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(module, "FIRST", 0.0)
    seen: list[tuple[int, int]] = []
    explain.ablation(Slow(0), X, last, sites=["*.f"], progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)] and capsys.readouterr().err == ""


def test_ctrl_c_leaves_no_thread_and_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST", 0.0)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    layer = LSTM(2, 3)
    before = layer(X)[0]

    def interrupted(output: Any) -> float:
        if "ablation" in terminal.getvalue():
            raise KeyboardInterrupt
        time.sleep(0.1)
        return float(output[0].sum())

    with pytest.raises(KeyboardInterrupt):
        explain.ablation(layer, X, interrupted, units="all")
    assert not terminal.getvalue().split("\r")[-2].strip()
    assert not [one for one in threading.enumerate() if one.name.startswith("byhand progress")]
    assert layer(X)[0].equal(before), "nothing is held any more"


def test_a_stream_that_is_gone_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST", 0.0)
    for stream in (None, closed := io.StringIO()):
        closed.close()
        monkeypatch.setattr(sys, "stderr", stream)
        with progress("work") as tell:
            tell(1, 2)
            time.sleep(0.02)
