"""byhand bench as a user runs it. What it says of speed is not tested: that depends on the machine and its load."""

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT, run
from made_engines import MadeEngine

import byhand
from byhand.benchmarks import bench, results
from byhand.benchmarks.cases import ENGINES, GPU_LIMITS, Shape, grid, sampled, strata
from byhand.benchmarks.contenders import Contender
from byhand.benchmarks.timing import Round, Rounds, measure
from byhand.engine import dispatch, reference
from byhand.engine.call import Call, Result

CASES = ["4x1x1x1", "20x8x16x16", "100x32x64x64 packed"]
FINDS = {
    "forward": {"nn.LSTM", "naive", "byhand"},
    "training": {"nn.LSTM", "naive", "byhand"},
    "memory": {"nn.LSTM", "naive", "byhand"},
    "recording": {"byhand", "recorded"},
    "off": {"engine", "byhand"},
}
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])}
PROGRAM = ("-m", "byhand", "bench", "layers", "--quick", "--threads", "1")
TABLES = {  # how it begins -> who the others are compared with, the others, and the cases
    "inference, ms": ("nn.LSTM", {"naive", "byhand"}, CASES),
    "training (forward, and all gradients), ms": ("nn.LSTM", {"naive", "byhand"}, CASES),
    "memory of training, kB": ("nn.LSTM", {"naive", "byhand"}, CASES),
    "inference, recorded, ms": ("byhand", {"recorded"}, CASES),
    "inference, not recorded, ms": ("engine", {"byhand"}, CASES[:2]),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Two rounds of the quick layers, on the engine that needs no compiler, and the folder with the files that they are in."""
    folder = tmp_path_factory.mktemp("measured")
    files = ("--csv", str(folder / "all.csv"), "--results", str(folder / "kept"))
    options = ("--engine", "reference", "--memory", "--rounds", "2", *files)
    return run("python", *PROGRAM, *options, cwd=ROOT, env=ENVIRONMENT), folder


@pytest.fixture
def bench_says(capsys: pytest.CaptureFixture[str]):
    """Run it in this process, quickly; gives the exit code, stdout and stderr."""

    def call(*options: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = bench.main([*options, "--quick", "--rounds", "1", "--threads", "1"])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def test_prints_a_table_of_each_quantity(measured: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = measured
    assert done.returncode == 0, done.stderr
    head, suite, *tables = done.stdout.split("\n\n")
    assert torch.__version__ in head and "cores" in head
    assert suite.startswith("layers: some layers in detail; threads 1; peak of torch.mm in GFLOP/s: float32 ")
    for table, (title, (baseline, others, cases)) in zip(tables, TABLES.items(), strict=True):
        heading, columns, *lines = table.strip().splitlines()
        assert heading.startswith(title) and f"than {baseline} (" in heading and heading.endswith("above 1 is good)")
        values, means = lines[: -len(others)], lines[-len(others) :]
        assert len({len(line) for line in [columns, *values]}) == 1  # aligned
        assert [line.split("  ")[0] for line in values] == [case for case in cases for _ in others]
        assert all(re.search(r" \d+\.\d{3}x", line) for line in values)
        assert {line.split(":")[0] for line in means} == others


def test_says_on_stderr_how_far_it_is(measured: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = measured
    lines = [line for line in done.stderr.splitlines() if not line.startswith("bench: others are at work")]
    started = [line for line in lines if not line.startswith("  ")]
    assert started == [f"layers, threads 1: {number} of 3: {case}" for number, case in enumerate(CASES, 1)]
    assert [line.split(":")[0].strip() for line in lines if line not in started] == [*FINDS, *FINDS, *list(FINDS)[:-1]]


def test_writes_every_number(measured: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    _, folder = measured
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == [
        "all.csv",
        "kept/layers-1threads.csv",
    ]
    assert (folder / "all.csv").read_bytes() == (folder / "kept/layers-1threads.csv").read_bytes()
    with (folder / "all.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {(row["torch"], row["threads"], row["rounds"]) for row in rows} <= {(torch.__version__, "1", n) for n in "12"}
    assert all(row[name] for row in rows for name in ("date", "cpu", "cores", "cpu_capability", "python", "load"))
    assert {row["engine"] != "" for row in rows if row["contender"] in ("byhand", "recorded", "engine")} == {True}
    for quantity, contenders in FINDS.items():
        for case in CASES:
            of = {row["contender"] for row in rows if (row["quantity"], row["case"]) == (quantity, case)}
            assert of == (set() if (quantity, case) == ("off", CASES[2]) else contenders)
    for row in rows:
        assert 0 < float(row["least"]) <= float(row["median"]) <= float(row["most"])
        assert float(row["faster"]) > 0 and (row["contender"] != row["baseline"] or float(row["faster"]) == 1)
        if row["quantity"] == "memory":
            assert row["unit"] == "kB" and row["gflops"] == row["share"] == ""
        else:
            assert row["unit"] == "ms"
            assert float(row["gflops"]) / float(row["gemm_peak"]) == pytest.approx(float(row["share"]), rel=1e-4)


def test_every_suite_runs(bench_says) -> None:
    code, out, err = bench_says("all", "--summary", "--engine", "reference")
    assert code == 0, err
    assert re.findall(r"^(\w+): .*; threads 1; peak", out, re.MULTILINE) == [
        "layers",
        "grid",
        "kinds",
        "step",
        "cells",
        "engines",
        "compilers",
        "frozen",
    ]
    assert "shapes are left out" in out and "torch.compile: left out" in out
    assert re.search(r"^byhand: geometric mean [\d.]+x, least [\d.]+x, below 1.0x \d of 2$", out, re.MULTILINE)
    assert re.search(r"^  worst: 1x1x1x1 .*x$|^  worst: 16x8x64x16 .*x$", out, re.MULTILINE)
    assert "one call of a cell, inference, us" in out and "than nn.GRU" in out and "bfloat16" in out


def wrong(call: Call) -> Result:
    """An engine that is wrong for more than one step."""
    result = reference.run(call)
    return result._replace(output=result.output + (0.01 if len(call.input) > 1 else 0))


def with_engine(monkeypatch: pytest.MonkeyPatch, run: Any = reference.run, refuses: Any = reference.refuses) -> None:
    steam = MadeEngine("steam", refuses, run)
    monkeypatch.setattr(dispatch, "ENGINES", (steam, *(one for one in dispatch.ENGINES if one.name == "reference")))


def test_a_case_that_disagrees_is_told_and_the_rest_goes_on(
    bench_says, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_engine(monkeypatch, wrong)
    code, out, err = bench_says("grid", "--csv", str(tmp_path / "numbers.csv"))
    assert code == 1
    told = "16x8x64x16: DisagreementError: byhand and nn.LSTM do not agree in forward, so nothing is timed: Tensor-likes are not close"
    assert f"FAILED {told}" in out and f"FAILED {told}" in err
    assert re.search(r"^1x1x1x1 +byhand +steam ", out, re.MULTILINE)
    assert "16x8x64x16" not in (tmp_path / "numbers.csv").read_text(encoding="utf-8")


def test_an_engine_that_refuses_is_named(bench_says, monkeypatch: pytest.MonkeyPatch) -> None:
    with_engine(monkeypatch, refuses=lambda call: "no coal" if len(call.input) > 1 or call.sites else None)
    code, out, _ = bench_says("grid", "--engine", "steam")
    assert code == 0 and "16x8x64x16: not measured; engine 'steam': no coal" in out
    assert re.search(r"^1x1x1x1 +byhand +steam ", out, re.MULTILINE)
    code, out, _ = bench_says("layers", "--cases", "4x1", "--engine", "steam")
    assert code == 0 and "4x1x1x1: not measured; engine 'steam': no coal" in out
    code, out, _ = bench_says("engines", "--cases", "100x8x8x8")
    assert code == 0 and "100x8x8x8: not measured; no engine but the reference; engine 'steam': no coal" in out


def test_engines_are_held_against_the_reference(bench_says, monkeypatch: pytest.MonkeyPatch) -> None:
    with_engine(monkeypatch, refuses=lambda call: "it writes nothing down" if call.sites else None)
    code, out, _ = bench_says("engines", "layers", "--cases", "8x")
    assert code == 0
    assert re.search(r"^100x8x8x8 +steam +steam ", out, re.MULTILINE) and "faster than reference" in out
    assert re.search(r"^20x8x16x16 +recorded +reference ", out, re.MULTILINE)  # who records is another one, and named
    code, out, _ = bench_says("layers", "--cases", "8x", "--engine", "steam")
    assert code == 0 and "20x8x16x16: not recorded; engine 'steam': it writes nothing down" in out


def test_a_stepper_is_timed_where_there_is_one(bench_says, monkeypatch: pytest.MonkeyPatch) -> None:
    def stepper(lstm: byhand.LSTM, batch: int) -> Any:
        state = [None]

        def step(x: torch.Tensor) -> torch.Tensor:
            assert x.shape == (batch, lstm.input_size)
            y, state[0] = lstm(x.unsqueeze(0), state[0])
            return y[0]

        return step

    monkeypatch.setattr(byhand.LSTM, "stepper", stepper, raising=False)
    code, out, err = bench_says("step")
    assert code == 0, err
    assert len(re.findall(r"^1x[18]x16x16 +stepper ", out, re.MULTILINE)) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["grids"],
            "expected a suite out of layers, grid, kinds, step, cells, engines, compilers, frozen, cuda, all; got 'grids'",
        ),
        (["--suite", "steam"], "expected a suite out of "),
        (["--rounds", "0"], "--rounds expected at least 1, got 0"),
        (["--rounds", "many"], "argument --rounds: invalid int value: 'many'"),
        (["--threads", "0"], "--threads expected 1 to "),
        (["--threads", "1", "--threads", "1000000"], "--threads expected 1 to "),
        (
            ["--cases", "float64", "--quick"],
            "--cases expected part of one of: 4x1x1x1, 20x8x16x16, 100x32x64x64 packed; got 'float64'",
        ),
        (["grid", "--cases", "nothing"], "1x1x1x1, 1x1x64x1, 1x1x1x8, 1x1x64x8, 1x1x8x8, 1x1x1x16 and 419 more; got 'nothing'"),
        (["--engine", "steam"], "--engine expected one of: "),
        (["grid", "--sample", "9"], "--sample expected at least 10, got 9"),
        (["layers", "--sample", "10"], "--sample is for the suites grid and cuda, got layers"),
        (["--csv", "."], "--csv .: expected a file in a folder that can be written to"),
        (["--csv", "missing/file.csv"], "--csv missing/file.csv: expected a file in a folder"),
        (["--results", __file__], "expected a folder: File exists"),
        (["cuda", "--engine", "reference"], "--engine is not for the suite cuda"),
        (["--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_refuses_bad_options_in_one_line(
    options: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        bench.main(options)
    shown = capsys.readouterr()
    assert ended.value.code == 2 and not shown.out
    assert message in shown.err and shown.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_cuda_suite_needs_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(["cuda"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "bench: error: the suite cuda expected a GPU that torch can use, found none\n"


def test_ctrl_c_ends_it_and_writes_nothing(tmp_path: Path) -> None:
    files = ("--csv", str(tmp_path / "numbers.csv"), "--results", str(tmp_path))
    command = [sys.executable, *PROGRAM, "--rounds", "100000", *files]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stderr is not None
        while not program.stderr.readline().startswith("layers, threads 1: 1 of 3: 4x1x1x1"):
            assert program.poll() is None
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    # Shells call both of them 130. The latter where the signal met Python inside exec of a text, as dataclasses use it (CPython 3.11).
    assert program.returncode in (130, -signal.SIGINT), err
    assert "stopped by Ctrl-C" in out and "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_ctrl_c_shows_what_was_measured(bench_says, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(contenders: list[Contender], quantity: str, device: str, limits: Rounds, rounds: list[Round]) -> None:
        measure(contenders, quantity, device, Rounds(2, 2), rounds)
        if quantity == "training":
            raise KeyboardInterrupt

    monkeypatch.setattr(bench, "measure", cut_off)
    code, out, _ = bench_says("layers")
    assert code == 130 and out.endswith(
        "stopped by Ctrl-C: what was measured until then is above, and not written to any file\n"
    )
    assert len(re.findall(r"^4x1x1x1 +byhand ", out, re.MULTILINE)) == 2 and "20x8x16x16" not in out


def test_a_write_that_fails_is_told_and_leaves_nothing_behind(
    bench_says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    code, out, err = bench_says("grid", "--cases", "1x1x1x1", "--csv", str(tmp_path / "numbers.csv"))
    assert code == 1 and "inference, ms" in out and "bench: not written: [Errno 28] No space left on device" in err
    assert not list(tmp_path.iterdir())


def test_threads_are_as_before_when_it_ends(bench_says) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert bench_says("grid", "--cases", "1x1x1x1")[0] == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("count", [10, 11, 12, 25, 60])
def test_a_sample_shows_every_value_about_equally_often(count: int) -> None:
    cases = grid(GPU_LIMITS)
    chosen = sampled(cases, count)
    assert len({case.name for case in chosen}) == count
    assert [case for case in cases if case in chosen] == chosen == sampled(cases, count)
    for place in range(len(Shape._fields)):
        seen = [strata(case.shape)[place] for case in chosen]
        counts = [seen.count(value) for value in {strata(case.shape)[place] for case in cases}]
        assert min(counts) >= 1 and max(counts) - min(counts) <= 2
    assert sampled(ENGINES, 100) == list(ENGINES)


def test_the_processor_is_named(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A fast one: 2 GHz\n\nmodel name\t: another\n")
    assert results.processor(tmp_path / "cpuinfo") == "A fast one: 2 GHz"
    assert results.processor(tmp_path / "nothing") != ""
