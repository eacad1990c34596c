"""The C++ engine in many threads at once, and in processes that are forked after it was used."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from cases import Shape
from conftest import ROOT, run
from pairs import Named, answers, assert_equal, example, threads

from byhand import LSTM, use_engine
from byhand.engine.cpp.kernel import kernel
from byhand.engine.cpp.toolchain import compiler

THREADS, CALLS = 8, 200


def repeated(lstm: LSTM, x: torch.Tensor, states: object, wanted: Named, start: threading.Barrier, count: int) -> int:
    """How many of the calls gave the right answers to the bit."""
    torch.set_num_threads(count)
    start.wait(60)
    right = 0
    with use_engine("cpp"):
        for _ in range(CALLS):
            found = answers(lstm, x, states)
            right += all(torch.equal(found[name], value) for name, value in wanted.items())
    return right


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("shared", [True, False], ids=["one layer", "a layer each"])
def test_many_threads_at_once(shared: bool, count: int) -> None:
    """Forward and backward, each of them with one thread or two: right answers, and an end."""
    shapes = [Shape(4, 3, 5, 65) if shared else Shape(4, 1 + k % 4, 5, 33 + 8 * k) for k in range(THREADS)]
    with threads(count), use_engine("cpp"):
        given = [example(("lstm", "gru")[k % 2 if not shared else 0], shape) for k, shape in enumerate(shapes)]
        given = given[:1] * THREADS if shared else given
        wanted = [answers(*one) for one in given]
        start = threading.Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(repeated, *one, right, start, count) for one, right in zip(given, wanted, strict=True)]
            assert [one.result(timeout=120) for one in running] == [CALLS] * THREADS


def test_many_threads_that_need_a_new_kernel() -> None:
    """All ask for it before it is there."""
    given = example("cifg", Shape(3, 2, 2, 5))
    wanted = answers(*given)
    kernel.cache_clear()
    compiler._known.clear()
    with ThreadPoolExecutor(THREADS) as pool:
        for found in [one.result(timeout=120) for one in [pool.submit(answers, *given) for _ in range(THREADS)]]:
            assert_equal(found, wanted)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_forked_processes() -> None:
    done = run("python", str(ROOT / "tests" / "support" / "forked.py"), cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["by_fork", "by_pool", "by_grandchild", "by_loader", "by_prepared"]


def test_without_a_compiler_there_is_one_line(tmp_path: Path) -> None:
    """And everything runs, for every cell."""
    program = (
        "import pathlib, torch, byhand\n"
        "from byhand.files import prebuilt\n"
        "prebuilt.FOLDER = pathlib.Path('nowhere')\n"
        "for cell in (byhand.cells.lstm, byhand.cells.gru):\n"
        "    layer = byhand.LSTM(3, 4, cell=cell)\n"
        "    print(layer(torch.zeros(2, 1, 3))[0].shape, layer.stepper()(torch.zeros(1, 3)).shape)"
    )
    done = run("python", "-c", program, cwd=ROOT, env={"PATH": str(tmp_path), "BYHAND_CACHE": str(tmp_path), "CXX": ""})
    assert done.returncode == 0 and done.stdout.count("torch.Size([2, 1, 4])") == 2
    (line,) = done.stderr.splitlines()
    assert "run on torch's own kernels, all other cells on the reference engine" in line and "no C++ compiler was found" in line
