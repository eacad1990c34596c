"""make gpu without a GPU: it refuses in a line; in Triton's interpreter it runs whole, is stopped anywhere, and goes on where it was."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT

from byhand.benchmarks.results import Row
from byhand.engine.triton.tiers import Chip
from tools.gpu import pool, sanitizer, times
from tools.gpu.calls import allowed, each, errors
from tools.gpu.journal import BusyError, Journal
from tools.gpu.pool import Task

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Triton is made for Linux")
COMMAND = [sys.executable, "-W", "ignore", "tools/gpu"]


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def ended(process: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            process.kill()
    return process.returncode, out, err


def lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []


def wait_for(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while len(lines(folder)) < count:
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.02)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and this would use it")
def test_without_a_gpu_it_refuses_in_one_line() -> None:
    code, out, err = ended(start())
    assert (code, out) == (2, "")
    assert err.startswith(f"gpu: found torch {torch.__version__}") and err.endswith("type: make gpu INTERPRET=1\n")
    assert len(err.splitlines()) == 1


def test_a_name_that_no_case_has_is_refused(tmp_path: Path) -> None:
    code, out, err = ended(start("--interpret", "--folder", str(tmp_path), "--only", "lstm_2077"))
    assert (code, out) == (2, "") and len(err.splitlines()) == 1
    assert "expected a part of a case's name, got 'lstm_2077'; --list prints all names" in err


def test_make_runs_it_with_the_python_that_is_named() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "gpu", "INTERPRET=1", "PYTHON=some/python", "GPU=--minutes 2"],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["some/python", "tools/gpu", "--interpret", "--minutes", "2"]


def test_it_is_stopped_and_killed_and_goes_on_where_it_was(tmp_path: Path) -> None:
    words = ("--interpret", "--folder", str(tmp_path), "--only", "resident / lstm / float64")
    process = start(*words)
    wait_for(tmp_path, 2, process)
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert code == 130 and "every case that was answered is kept" in out and "the same command goes on" in out, err
    before = lines(tmp_path)
    process = start(*words)
    wait_for(tmp_path, len(before) + 2, process)
    process.kill()
    process.communicate()
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"case": "check / half')  # as a machine that loses its power leaves it
    between = lines(tmp_path)
    code, out, err = ended(start(*words))
    assert code == 0, out + err
    after = lines(tmp_path)
    assert after[: len(between)] == between and between[: len(before)] == before
    assert set(Counter(one["case"] for one in after).values()) == {1} and len(after) >= 7
    assert all(one["ok"] and one["numbers"]["ours"][0] < 1e-14 for one in after)
    assert f"{len(between)} cases are done, {len(after) - len(between)} to do" in out
    said = [after[0] | {"ok": False, "said": "it was Tuesday"}, *after[1:]]
    (tmp_path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in said))
    code, out, _ = ended(start(*words))  # what was wrong is done again only if it is asked for
    assert code == 1 and f"WRONG {after[0]['case']}: it was Tuesday" in out and " 0 to do" in out
    code, out, _ = ended(start(*words, "--again"))
    assert code == 0 and "it was Tuesday" not in out and " 1 to do" in out


def test_times_are_written_beside_the_journal_and_called_meaningless(tmp_path: Path) -> None:
    results = ROOT / "benchmarks/results"
    before = {path: path.stat().st_mtime_ns for path in results.iterdir()}
    code, out, err = ended(start("--interpret", "--folder", str(tmp_path), "--only", "2x2x3x4 2 layers"))
    assert code == 0, out + err
    assert "an interpreter's times mean nothing" in out and "resident" in out
    text = (tmp_path / "cuda-triton-s-interpreter.csv").read_text()
    head, *rows = [line.split(",") for line in text.splitlines()]
    quantities = {row[head.index("quantity")] for row in rows}
    assert quantities == {"error", "forward", "training", "memory"} and "meaningless" in head
    assert {row[head.index("contender")] for row in rows} >= {"nn.LSTM", "byhand", "resident"}
    assert {path: path.stat().st_mtime_ns for path in results.iterdir()} == before


BROKEN = """
import json
from byhand.engine.triton import layer
import tools.gpu.worker as worker
run_kernel = layer.run_kernel
def wrong(call, *, keep):
    outputs = run_kernel(call, keep=keep)
    if call.input.shape[1] > 2:  # the engine's own proof sees nothing
        outputs.output[1, 0, 0] += 1e-9
    return outputs
layer.run_kernel = wrong
print(json.dumps(worker.answer("check", "resident / lstm / float64 / plain")))
"""


def test_a_kernel_that_is_wrong_in_one_value_is_found() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."]), "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BROKEN],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["ok"] is False and found["said"].startswith("output ") and "1.0e-12 allowed" in found["said"]


FAKE = """
import json, os, signal, sys, time
for line in sys.stdin:
    kind, name = json.loads(line)
    if name == "hangs":
        time.sleep(60)
    if name == "dies":
        print("illegal memory access", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    print(json.dumps({"ok": True, "said": str(os.getpid()), "leaves": name == "leaves"}), flush=True)
"""


def test_a_case_that_hangs_or_dies_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "COMMAND", [sys.executable, "-c", FAKE])
    monkeypatch.setattr(pool, "STARTING", 3.0)
    tasks = [Task("check", name, 0.2) for name in ("one", "dies", "two", "leaves", "three", "hangs", "four")]
    found = {task.name: answer for task, answer in pool.answers(tasks, 1, time.monotonic() + 60)}
    assert list(found) == [task.name for task in tasks]
    assert found["dies"]["said"] == "its process ended by SIGSEGV (illegal memory access)"
    assert found["hangs"]["said"] == "no answer within 0.2 s"
    assert all(found[name]["ok"] for name in ("one", "two", "leaves", "three", "four"))
    assert found["two"]["said"] == found["leaves"]["said"] != found["three"]["said"]  # whoever leaves answers nothing more
    assert not [task for task, _ in pool.answers(tasks, 1, time.monotonic() - 1)]  # the time is up


def test_two_runs_do_not_write_into_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, {"device": "one"}) as first:
        first.add("a", {"ok": True})
        with pytest.raises(BusyError, match="another run writes into"):
            Journal(path, {"device": "one"})
    with Journal(path, {"device": "two"}) as second:
        assert not second.lines
    with Journal(path, {"device": "one"}) as again:
        assert list(again.lines) == ["a"]


def test_a_missing_value_and_nan_are_off() -> None:
    right = {"output": torch.ones(2), "gradient by x": torch.ones(2)}
    found = {"output": torch.tensor([1.0, float("nan")]), "gradient by x": torch.ones(2)}
    assert str(errors(found, right).values) == "nan" and errors(found, right).gradients == 0
    assert str(each({}, right)["output"]) == "nan"
    assert allowed("bfloat16", errors(right, right)).values == 0 and allowed("float32", errors(right, right)).values < 1e-6


@pytest.mark.parametrize(
    ("said", "ok"),
    [
        ("ERROR SUMMARY: 0 errors", True),
        ("RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)", True),
        ("RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)", False),
        ("nothing of the kind", False),
    ],
)
def test_what_compute_sanitizer_says(tmp_path: Path, said: str, ok: bool) -> None:
    program = tmp_path / "compute-sanitizer"
    program.write_text(f'#!/bin/sh\necho "$@"\necho "========= {said}"\n')
    program.chmod(0o755)
    answer = sanitizer.answer("racecheck / resident", str(program))
    assert answer["ok"] is ok and (said.partition(": ")[2] or "no summary") in answer["said"]


def row(case: str, precision: str, contender: str, faster: float, suite: str = "flashrnn") -> Row:
    return Row(suite, case, "training", contender, "nn.LSTM", "", precision, "ms", 3, 10 / faster, 1, 1, faster, None)


def test_the_table_that_it_proposes() -> None:
    taken = []
    for units, batch, best in ((64, 1, "resident"), (64, 64, "resident"), (96, 1, "resident"), (96, 64, "cooperative")):
        case = f"100x{batch}x{units}x{units}"
        taken += [row(case, "tf32", tier, 1.0 + (tier == best)) for tier in ("resident", "cooperative", "stepwise")]
    taken.append(row("100x1x128x128", "tf32", "cooperative", 3.0))
    taken.append(row("100x1x64x64 packed", "tf32", "stepwise", 9.0))  # of packed sequences there is no table
    _, *entries = times.table(taken, Chip(132, 232448, (9, 0)), "a GPU")
    assert [one.strip() for one in entries] == [
        'Entry("tf32", 64, ANY, (9, 0), 132, Tier.resident),',
        'Entry("tf32", 96, 1, (9, 0), 132, Tier.resident),',
        'Entry("tf32", 96, ANY, (9, 0), 132, Tier.cooperative),',
        'Entry("tf32", 128, ANY, (9, 0), 132, Tier.cooperative),',
    ]


def test_what_is_to_be_shown() -> None:
    taken = [row("1024x16x64x64", "tf32", name, faster) for name, faster in (("nn.LSTM", 1), ("resident", 4), ("stepwise", 2))]
    taken += [row("1024x16x64x64", "tf32", "reference", 0.1), row("1024x16x64x64", "tf32", "byhand", 0.97)]
    taken += [row("100x64x512x512 peephole", "tf32", "cooperative", 0.5, "byhand")]
    said = "\n".join(times.claims(taken))
    assert "FlashRNN's shapes | 1x | 4.00x of 1 | yes |" in said
    assert "other cells | 1x | 0.50x of 1 | no |" in said
    assert "reference's loop | 20x | 40.00x of 1 | yes |" in said
    assert "the least | 0.98x | 0.97x of 1 | no |" in said
    assert "192 to 1024 units | 2x | not measured | |" in said
