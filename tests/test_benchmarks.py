"""benchmarks/layers.py as a user runs it. What it says of speed is not tested: that depends on the machine and its load."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, run
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks import layers
from benchmarks.naive import NaiveLSTM

CASES = ["4x1x1x1", "20x8x16x16", "packed"]
FINDS = {
    "forward": {"nn.LSTM", "naive", "byhand"},
    "training": {"nn.LSTM", "naive", "byhand"},
    "memory": {"nn.LSTM", "naive", "byhand"},
    "recording": {"byhand", "recorded"},
    "off": {"engine", "byhand"},
}
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])}
PROGRAM = ("-m", "benchmarks.layers", "--quick", "--threads", "1")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Two rounds of the quick cases, and the file they are in."""
    file = tmp_path_factory.mktemp("measured") / "numbers.csv"
    return run("python", *PROGRAM, "--rounds", "2", "--csv", str(file), cwd=ROOT, env=ENVIRONMENT), file


def test_prints_a_table_of_each_quantity(measured: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = measured
    assert done.returncode == 0, done.stderr
    head, *tables = done.stdout.split("\n\n")
    assert torch.__version__ in head and "threads 1" in head
    assert [table.split(",")[0] for table in tables] == [
        "forward",
        "forward and backward",
        "memory of training",
        "forward",
        "forward",
    ]
    for table in tables:
        title, *lines = table.splitlines()
        names = [line[:26].strip() for line in lines]
        assert names[-2:] == ["geometric mean", "below 1"]
        assert names[:-2] == (CASES[:2] if "byhand/engine" in title else CASES)
        assert len({len(line) for line in [title, *lines]}) == 1  # aligned
        assert all(float(value) >= 0 for line in lines[:-1] for value in line[26:].split())


def test_says_on_stderr_how_far_it_is_and_nothing_else(measured: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = measured
    assert done.stderr.splitlines() == [f"{case}: round {number} of 2" for case in CASES for number in (1, 2)]


def test_writes_every_number(measured: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    _, file = measured
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["torch"] for row in rows} == {torch.__version__}
    assert {(row["threads"], row["rounds"]) for row in rows} == {("1", "2")}
    assert all(row["engine"] and row["python"] and row["cpu_capability"] for row in rows)
    for quantity, contenders in FINDS.items():
        for case in CASES:
            of = {row["contender"] for row in rows if (row["quantity"], row["case"]) == (quantity, case)}
            assert of == (set() if (quantity, case) == ("off", "packed") else contenders)
    for row in rows:
        assert 0 < float(row["least"]) <= float(row["median"]) <= float(row["most"])
        assert float(row["ratio"]) > 0
        assert row["unit"] == ("kB" if row["quantity"] == "memory" else "ms")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rounds", "0"], "--rounds expected at least 1, got 0"),
        (["--rounds", "many"], "argument --rounds: invalid int value: 'many'"),
        (["--threads", "0"], "--threads expected 1 to "),
        (["--threads", "1000000"], "--threads expected 1 to "),
        (["--cases", "float64", "--quick"], "--cases expected part of one of: 4x1x1x1, 20x8x16x16, packed; got 'float64'"),
        (["--cases", "nothing"], "projection to 32, packed, float64; got 'nothing'"),
        (["--engine", "steam"], "--engine expected one of: "),
        (["--csv", "."], "--csv .: expected a file in a folder that can be written to"),
        (["--csv", "missing/file.csv"], "--csv missing/file.csv: expected a file in a folder"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_refuses_bad_options_in_one_line(
    options: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["layers", *options])
    with pytest.raises(SystemExit) as ended:
        layers.main()
    shown = capsys.readouterr()
    assert ended.value.code == 2 and not shown.out
    assert message in shown.err and shown.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_ctrl_c_shows_what_was_measured_and_writes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, *PROGRAM, "--rounds", "100000", "--csv", str(tmp_path / "numbers.csv")]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stderr is not None
        assert program.stderr.readline() == "4x1x1x1: round 1 of 100000\n"
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "stopped by Ctrl-C" in out and "forward, ms" in out and "Traceback" not in err
    assert any(line.startswith("4x1x1x1 ") for line in out.splitlines())
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        layers.write(tmp_path / "numbers.csv", [])
    assert not list(tmp_path.iterdir())


def test_nothing_is_timed_where_contenders_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    modules, x = layers.contenders((4, 2, 3, 5))
    with torch.no_grad():
        modules["byhand"].bias_hh_l0[0] += 0.01
    with pytest.raises(SystemExit) as ended:
        layers.check_agreement("small", layers.calls(modules, x, "reference"))
    assert str(ended.value.code).startswith("small: byhand and nn.LSTM do not agree in forward, so nothing is timed: ")


def test_peak_counts_what_is_held_at_once() -> None:
    def two_then_one() -> None:
        first, second = torch.zeros(1000), torch.zeros(500)
        del first, second
        torch.zeros(1200)

    assert layers.peak(two_then_one) == pytest.approx(6.0)  # 1500 numbers of 4 bytes


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}, {"proj_size": 2}])
def test_the_naive_loop_computes_what_torch_does(options: dict[str, int]) -> None:
    theirs = nn.LSTM(3, 5, dtype=torch.float64, **options)
    for x in (torch.randn(6, 4, 3, dtype=torch.float64), pack_padded_sequence(torch.randn(6, 3, 3).double(), [6, 4, 1])):
        if layers.data(x) is not x and theirs.bidirectional:
            continue
        expected, found = theirs(x), NaiveLSTM(theirs)(x)
        torch.testing.assert_close(layers.tensors(found), layers.tensors(expected))
