"""Kernels under the compiler's sanitizers: no access outside their memory, nothing undefined, no race between threads, nothing left
unwritten; over the shapes of the other tests of the C++ engine.
"""

import platform
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from test_cpp_engine import SHAPES
from test_cpp_paths import PATHS

from byhand import cells
from byhand.cells import Cell
from byhand.engine.cpp.source import source
from byhand.engine.cpp.toolchain import compiler
from byhand.engine.cpp.toolchain.processor import cpu
from byhand.ir import partition

# How far to optimise: what is compiled in half the time and more, for what then runs.
MEMORY = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
RACES = ("-O1", "-fsanitize=thread")
HERE = ("-mcpu=native",) if platform.machine().startswith(("arm", "aarch64")) else ("-march=native",)
LESS = ("-mavx2", "-mfma") if "avx2" in cpu() else ()  # not AVX-512, whose masked instructions no sanitizer looks into
BUILDS: dict[str, tuple[Cell, str | None, tuple[str, ...]]] = {  # the second: in what weights are frozen
    "lstm, memory": (cells.lstm, None, (*MEMORY, *LESS)),
    "gru, memory": (cells.gru, None, (*MEMORY, *HERE)),
    "lstm, races": (cells.lstm, None, (*RACES, *LESS)),
    "lstm in int8, memory": (cells.lstm, "int8", (*MEMORY, *LESS)),
    "gru in int8, memory": (cells.gru, "int8", (*MEMORY, *HERE)),
    "lstm in bfloat16, memory": (cells.lstm, "bfloat16", (*MEMORY, *LESS)),
    "lstm in int8, races": (cells.lstm, "int8", (*RACES, *LESS)),
}
FAULTS = {
    "outside": (MEMORY, "float* x = new float[n]; float y = x[n]; delete[] x; return y > 0;"),
    "undefined": (MEMORY, "int x = 2147483647; return x + n > 0;"),
    "a race": (RACES, "int x = 0; std::thread other([&] { ++x; }); ++x; other.join(); return x > n;"),
}


def compiled(text: str, target: Path, flags: tuple[str, ...]) -> Path:
    """As a program; what the compiler said otherwise."""
    target.with_suffix(".cpp").write_text(text, encoding="utf-8")
    usual = [flag for flag in compiler.FLAGS if flag not in ("-O3", "-shared")]
    words = [*(compiler.find() or ()), *usual, *flags, str(target.with_suffix(".cpp")), "-o", str(target)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (
        f"the compiler cannot do {flags[1]}; its sanitizers may be a package of their own: {done.stderr}"
    )
    return target


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Where addresses are more random than the thread sanitizer can bear, without that."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=300, check=False)
    if "unexpected memory mapping" in done.stderr:
        words = ["setarch", "-R", str(program), *arguments]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    return done


@pytest.fixture(scope="module")
def programs_built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Path]]]:
    """Two at a time."""
    if compiler.find() is None:
        pytest.skip("there is no compiler")
    folder, main = (
        tmp_path_factory.mktemp("sanitized"),
        (ROOT / "tests" / "support" / "sanitized.cpp").read_text(encoding="utf-8"),
    )
    with ThreadPoolExecutor(2) as pool:
        yield {
            name: pool.submit(compiled, source(cell, partition(cell), torch.float32, frozen) + main, folder / f"{index}", flags)
            for index, (name, (cell, frozen, flags)) in enumerate(BUILDS.items())
        }


def shapes(*, projected: bool) -> Iterator[str]:
    """As sanitized.cpp reads them; forwards with whole sequences, backwards with ragged ones."""
    alone = [(shape, 1 + index % 2) for index, shape in enumerate(SHAPES)]
    for shape, threads in [*alone, *((path.shape, path.threads) for path in PATHS.values())]:
        for width in (0, 1 + shape.hidden // 3) if projected and shape.hidden > 1 else (0,):
            for ragged in (0, 1):
                yield ",".join(map(str, (*shape, width, threads, ragged, ragged)))


@pytest.mark.parametrize("name", BUILDS)
def test_clean(name: str, programs_built: dict[str, Future[Path]]) -> None:
    given = list(shapes(projected=BUILDS[name][0] is cells.lstm))
    done = run(programs_built[name].result(), *given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"{len(given)} shapes\n" and done.stderr == ""


@pytest.mark.parametrize("fault", FAULTS)
def test_the_sanitizers_find_what_is_wrong(fault: str, tmp_path: Path) -> None:
    if compiler.find() is None:
        pytest.skip("there is no compiler")
    flags, body = FAULTS[fault]
    program = compiled(f"#include <thread>\nint main(int n, char**) {{ {body} }}\n", tmp_path / "fault", flags)
    assert "Sanitizer" in (said := run(program).stderr) or "runtime error" in said
