"""Two processes that share joint batches, evenly or not, are one: weights, every metric, every answer, and Ctrl-C."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, run_here
from two_processes import CASES

PROGRAM = ROOT / "tests" / "support" / "two_processes.py"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders in which one process and two have written what they came to."""
    alone, together = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    done = run_here(PROGRAM, str(alone), cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command, environment = [*launch, str(PROGRAM), str(together), "--processes", "2"], os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return alone, together


@pytest.mark.parametrize("name", CASES)
def test_two_processes_are_one(name: str, both: tuple[Path, Path]) -> None:
    one, two = (torch.load(folder / f"{name}.pt", weights_only=True) for folder in both)
    assert one["weights"].keys() == two["weights"].keys() and one["metrics"].keys() == two["metrics"].keys()
    for key, value in one["weights"].items():
        torch.testing.assert_close(two["weights"][key], value, rtol=0, atol=1e-9, msg=lambda told, key=key: f"{key}: {told}")
    for key, value in one["metrics"].items():  # torchmetrics counts in float32
        torch.testing.assert_close(two["metrics"][key], value, rtol=1e-5, atol=1e-6, msg=lambda told, key=key: f"{key}: {told}")


@pytest.mark.parametrize("name", CASES)
def test_every_answer_is_written_once_in_order(name: str, both: tuple[Path, Path]) -> None:
    one, two = (list(csv.DictReader((folder / f"{name}.csv").read_text().splitlines())) for folder in both)
    assert len(one) == len(two) >= 15
    for alone, together in zip(one, two, strict=True):
        for key in alone:
            assert alone[key] == together[key] or float(alone[key]) == pytest.approx(float(together[key]), abs=1e-6)


def test_ctrl_c_in_one_process_stops_both_and_loses_nothing(both: tuple[Path, Path]) -> None:
    assert [(folder / f"interrupted-{rank}").exists() for folder in both for rank in range(2)] == [True, False, True, True]
