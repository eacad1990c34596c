"""The GPU engine's kernels, compiled without a GPU: what they need of it, read from the compiled file."""

import os
import re
import subprocess
import sys
from functools import cache

import pytest
import torch
from conftest import ROOT

from byhand import cells
from byhand.engine.triton import limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Triton is made for Linux")
ROW = re.compile(r"\| (.+?) \| (\w+) \| (\w+) \| (\d*) ?\| (\d*) ?\| (\d*) ?\| (.+?) \| (\d*) ?\|")


@cache
def budgets(*words: str) -> tuple[subprocess.CompletedProcess[str], list[tuple[str, ...]]]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "."])}
    environment.pop("TRITON_INTERPRET", None)
    command = [sys.executable, "-W", "ignore", "tools/gpu_budgets.py", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    return done, [match.groups() for match in ROW.finditer(done.stdout) if match[1] != "layer"]


@pytest.mark.parametrize("arch", ["sm_80", "sm_86", "sm_90", "sm_100"])
def test_no_kernel_of_the_table_spills_or_needs_more_than_the_engine_thinks(arch: str) -> None:
    done, rows = budgets(*([arch] if arch == "sm_90" else [arch, "--tier", "resident"]))  # to compile all takes a minute
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.rstrip().endswith("none spills, none needs more than the engine thinks")
    ran = [row for row in rows if row[2] != "refused"]
    assert len(ran) >= 20 and {row[2] for row in ran} >= {"forward", "backward"}
    assert all(0 < int(row[3]) <= 255 and row[4] == "0" and int(row[7]) > 50 for row in ran)
    limit = {"sm_80": 163, "sm_86": 99}.get(arch, 227)
    assert all(int(row[5]) <= limit for row in ran)


def test_nor_does_one_with_sequences_that_start_again() -> None:
    done, rows = budgets("sm_90", "--cuts")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert [row[0] for row in rows[::2]] == ["lstm 128 bf16, reset", "lstm 96 fp32 tf32, reset", "slstm 64 fp32 tf32, reset"]
    assert all(0 < int(row[3]) <= 255 and row[4] == "0" and int(row[5]) <= 227 for row in rows)


def test_the_table_of_the_docs_is_what_is_compiled() -> None:
    _, rows = budgets("sm_90")
    text = (ROOT / "docs/gpu.md").read_text()
    assert [match.groups() for match in ROW.finditer(text) if match[1] != "layer"] == rows


def test_an_unknown_gpu_is_refused_in_one_line() -> None:
    done, _ = budgets("sm_1")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "expected one or more of sm_75, sm_80, sm_86, sm_89, sm_90, sm_100, sm_120, gfx90a, gfx942, gfx1100, got sm_1"
    )


# Shared KB of backward kernels, compiled by Triton 3.6.0 for an sm_90. That of torch 2.11 is the oldest that byhand takes.
BY_TRITON_3_6 = [
    (cells.lstm, 32, torch.float32, "tf32", 28),
    (cells.lstm, 96, torch.float32, "tf32", 178),
    (cells.lstm, 64, torch.float32, "ieee", 86),
    (cells.lstm, 64, torch.float64, "ieee", 176),
    (cells.gru, 64, torch.float32, "tf32", 70),
    (cells.slstm, 64, torch.float32, "tf32", 96),
    (cells.lstm, 128, torch.bfloat16, "ieee", 156),
]


@pytest.mark.parametrize(("cell", "hidden", "dtype", "precision", "found"), BY_TRITON_3_6)
def test_older_versions_of_triton_need_more_and_the_engine_knows(
    cell: cells.Cell, hidden: int, dtype: torch.dtype, precision: str, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = {}
    for version in ("3.6.0", "3.9.0", "of my own"):
        limits.needed_on_chip.cache_clear()
        limits.loads_twice_ahead.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(limits.metadata, "version", lambda _, version=version: version)
            needed[version] = limits.needed_on_chip(cell, hidden, None, dtype, precision) >> 10
    limits.needed_on_chip.cache_clear()
    limits.loads_twice_ahead.cache_clear()
    assert found <= needed["3.6.0"] == needed["of my own"] <= found * 1.05 + 8
    assert (needed["3.9.0"] < needed["3.6.0"]) == (dtype != torch.bfloat16)
